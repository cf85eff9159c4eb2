package kernel

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// BenchmarkAdd is the least an ADD can cost: the kernel's share, without plugin, ledger and pool. It takes the median of ADDs
// into fresh namespaces, and of the DELs after them, and how many requests each sent.
func BenchmarkAdd(b *testing.B) {
	for name, opts := range steering {
		for _, present := range []int{0, 200} {
			b.Run(fmt.Sprintf("%s/present=%d", name, present), func(b *testing.B) {
				w := newWorld(b, opts)
				for i := range present {
					w.addedPod(fmt.Sprint("present", i), fmt.Sprintf("10.0.16.%d", i+1), w.enis[0])
				}
				var adds, removals []time.Duration
				var requests uint64
				for i := 0; b.Loop(); i++ {
					p := w.newPod(fmt.Sprint("p", i), "10.0.32.5", w.enis[1])
					before, begin := w.k.Requests(), time.Now()
					if _, err := w.k.Add(b.Context(), p.sandbox, p.host, p.own); err != nil {
						b.Fatal(err)
					}
					adds = append(adds, time.Since(begin))
					requests += w.k.Requests() - before
					begin = time.Now()
					if err := w.k.Remove(b.Context(), p.host); err != nil {
						b.Fatal(err)
					}
					removals = append(removals, time.Since(begin))
					_, _ = p.sandbox.Netlink.Close(), p.Fd.Close()
				}
				b.ReportMetric(float64(requests)/float64(len(adds)), "requests/add")
				b.ReportMetric(float64(median(adds).Microseconds()), "us/add-p50")
				b.ReportMetric(float64(median(removals).Microseconds()), "us/del-p50")
			})
		}
	}
}

func median(durations []time.Duration) time.Duration {
	slices.Sort(durations)
	return durations[len(durations)/2]
}
