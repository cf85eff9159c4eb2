package daemon

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/datapath"
)

const (
	podEvents = 10 // of one pass; of more pods than that the Node tells
	saidMost  = 5  // things named in one event
)

// repairs is what one pass made again, by subject.
type repairs map[string]repair

type repair struct {
	lost  []datapath.Difference
	pause time.Duration // until the next repair, 0: none
	err   error
}

// report tells of a pass in metrics, log and events: at the Pod whose network it was, at the Node what was the host's, and at
// the Node alone when many pods lost something at once.
func (d *Daemon) report(done repairs) {
	many := len(done) > podEvents
	for _, subject := range slices.Sorted(maps.Keys(done)) {
		r := done[subject]
		for _, lost := range r.lost {
			d.opts.Metrics.repairs.WithLabelValues("host", lost.Kind).Inc()
		}
		if r.err == nil {
			d.opts.Logger.Info("made again what others removed", "cause", r.cause(), "netns", "host", "owner", subject, "lost", texts(r.lost), "pause", r.pause)
		}
		if !many || subject == hostSubject {
			d.tellRepair(subject, r)
		}
	}
	if many {
		var lost []datapath.Difference
		for _, subject := range slices.Sorted(maps.Keys(done)) {
			lost = append(lost, done[subject].lost...)
		}
		d.tellNode(cause.NetworkRepaired, fmt.Sprintf("network of %d pods: %s", len(done), repair{lost: lost}))
	}
}

func (d *Daemon) tellRepair(subject string, r repair) {
	if subject == hostSubject {
		d.tellNode(r.cause(), "network of the node's ENIs: "+r.String())
		return
	}
	if pod, found := d.record(subject); found {
		d.opts.Events.Pod(pod.PodNamespace, pod.PodName, pod.PodUID, string(r.cause()), cause.Mark(r.cause(), r.String()))
	}
}

// tellNode shows at the Node what has no name of upstream's: the cause is the Event's reason, too.
func (d *Daemon) tellNode(why cause.Code, text string) {
	d.opts.Events.Node(string(why), cause.Mark(why, text))
}

func (r repair) cause() cause.Code {
	switch {
	case r.err != nil:
		return cause.NetworkNotRepaired
	case r.pause > 0:
		return cause.NetworkContested
	}
	return cause.NetworkRepaired
}

// String is the repair as an event tells it. The same loss gives the same text, so that the API server counts it.
func (r repair) String() string {
	said := texts(r.lost)
	if more := len(said) - saidMost; more > 0 {
		said = append(said[:saidMost:saidMost], fmt.Sprintf("and %d more", more))
	}
	text := "another program removed from the host's network namespace what was there for pods; terwayd made it again: " + strings.Join(said, "; ")
	if r.err != nil {
		text = "another program removed from the host's network namespace what was there for pods, and it could not be made again: " +
			r.err.Error() + ": " + strings.Join(said, "; ")
	}
	if r.pause > 0 {
		text += fmt.Sprintf(". This happens again and again: the next repair is in %v at the earliest. Find the program (systemd-networkd, "+
			"NetworkManager, another CNI plugin's agent; `ip monitor` shows when it happens) and keep it off these rules and links", r.pause)
	}
	return text
}

func texts(differences []datapath.Difference) (all []string) {
	for _, d := range differences {
		all = append(all, d.Text)
	}
	return all
}
