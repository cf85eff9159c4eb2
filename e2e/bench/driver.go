package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/e2e/rig"
)

// contender is one way to make and unmake pods' networks.
type contender interface {
	label() string
	round(ctx context.Context, verb string, pods []pod, workers int) (sample, error)
}

// plugin is one CNI plugin as a runtime calls it, in the network namespace of its node.
type plugin struct {
	name   string
	path   string // the binary
	dir    string // CNI_PATH
	config string // file with the network configuration
	node   *os.File
}

// sample is what rounds of one operation over all pods took.
type sample struct {
	each  []time.Duration
	wall  time.Duration
	busy  time.Duration // of both cores, the driver included
	rates []float64     // operations a second, of each round
}

func (p plugin) label() string { return p.name }

// round runs one operation for every pod with that many workers, one process an operation.
func (p plugin) round(ctx context.Context, verb string, pods []pod, workers int) (sample, error) {
	return crew(p.node, pods, workers, func(pod pod) (time.Duration, error) { return p.call(ctx, verb, pod) })
}

// crew has workers do one operation a pod, each on a thread of its own in node's namespace.
func crew(node *os.File, pods []pod, workers int, do func(pod) (time.Duration, error)) (result sample, failed error) {
	work := make(chan pod, len(pods))
	for _, pod := range pods {
		work <- pod
	}
	close(work)
	var wait sync.WaitGroup
	var mu sync.Mutex // guards the results
	start, before := time.Now(), busy()
	for range workers {
		wait.Go(func() {
			err := rig.In(node, func() error {
				for pod := range work {
					took, err := do(pod)
					mu.Lock()
					result.each, failed = append(result.each, took), errors.Join(failed, err)
					mu.Unlock()
				}
				return nil
			})
			mu.Lock()
			failed = errors.Join(failed, err)
			mu.Unlock()
		})
	}
	wait.Wait()
	result.wall, result.busy = time.Since(start), busy()-before
	result.rates = []float64{float64(len(pods)) / result.wall.Seconds()}
	return result, failed
}

// calm waits until the machine has little to do: what a contender leaves to the kernel, such as freeing links, is not to be paid by
// the next one. A machine that never rests is measured as it is.
func calm(ctx context.Context) {
	const look = 100 * time.Millisecond
	for range 100 {
		before := busy()
		select {
		case <-ctx.Done():
			return
		case <-time.After(look):
		}
		if busy()-before <= look/5 {
			return
		}
	}
}

// call is one operation, and how long it took.
func (p plugin) call(ctx context.Context, verb string, pod pod) (time.Duration, error) {
	took, _, err := p.ask(ctx, verb, pod)
	return took, err
}

// ask is one operation, how long it took, and its answer.
func (p plugin) ask(ctx context.Context, verb string, pod pod) (took time.Duration, answer []byte, err error) {
	cmd := exec.CommandContext(ctx, p.path)
	cmd.Env = []string{
		"CNI_COMMAND=" + verb, "CNI_CONTAINERID=" + p.name + "-" + pod.name, "CNI_NETNS=" + pod.netns, "CNI_IFNAME=eth0",
		"CNI_PATH=" + p.dir, "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=bench;K8S_POD_NAME=" + pod.name + ";K8S_POD_UID=" + pod.name,
	}
	stdin, stdout, err := p.files()
	if err != nil {
		return 0, nil, err
	}
	defer stdin.Close()
	defer stdout.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stdout
	start := time.Now()
	err = cmd.Run()
	took = time.Since(start)
	said := make([]byte, 8192)
	n, _ := stdout.ReadAt(said, 0)
	if err != nil {
		return took, nil, fmt.Errorf("%s %s %s: %w: %s", p.name, verb, pod.name, err, said[:n])
	}
	return took, said[:n], nil
}

// files are a plugin's standard input and output as plain files: pipes would add the driver's own goroutines to each call.
func (p plugin) files() (stdin, stdout *os.File, err error) {
	if stdin, err = os.Open(p.config); err != nil {
		return nil, nil, err
	}
	fd, err := unix.MemfdCreate("answer", unix.MFD_CLOEXEC)
	if err != nil {
		stdin.Close()
		return nil, nil, err
	}
	return stdin, os.NewFile(uintptr(fd), "answer"), nil
}

// add joins samples of the same case.
func (s sample) add(other sample) sample {
	return sample{each: append(s.each, other.each...), wall: s.wall + other.wall, busy: s.busy + other.busy, rates: append(s.rates, other.rates...)}
}

// quantile is the duration below which that share of the operations stayed, in milliseconds.
func (s sample) quantile(share float64) float64 {
	sorted := slices.Sorted(slices.Values(s.each))
	return float64(sorted[int(share*float64(len(sorted)-1))]) / 1e6
}

// rate is operations a second in the median round: ours are so short that one hiccup of the machine would be half of one.
func (s sample) rate() float64 { return median(s.rates) }

// busy is the time that this machine's cores have worked since it started (proc(5), stat, in ticks of 10 ms).
func busy() time.Duration {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	var user, nice, system, idle, wait, irq, softirq int64
	if _, err := fmt.Sscanf(string(data), "cpu %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &wait, &irq, &softirq); err != nil {
		return 0
	}
	return time.Duration(user+nice+system+irq+softirq) * 10 * time.Millisecond
}
