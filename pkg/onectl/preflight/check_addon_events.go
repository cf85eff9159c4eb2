package preflight

import (
	"fmt"
	"slices"
	"time"
)

// How old an event may be to count. The API server keeps events for an hour, so an older one may tell of what is mended
// by now; what still fails tells so again: a sandbox is tried every few seconds, an image at least every five minutes.
const (
	sandboxTries = 3 * time.Minute
	imageTries   = 6 * time.Minute
)

// recent is the events with one of the reasons that are not older than age, those that happened most often first.
func recent(f Facts, age time.Duration, reasons ...string) []Event {
	var found []Event
	for _, e := range f.Events.Value {
		if slices.Contains(reasons, e.Reason) && (e.Last.IsZero() || f.At.Sub(e.Last) <= age) {
			found = append(found, e)
		}
	}
	slices.SortStableFunc(found, func(a, b Event) int { return b.Count - a.Count })
	return found
}

func told(events []Event) []string {
	lines := make([]string, 0, len(events))
	for _, e := range events {
		line := fmt.Sprintf("%s %s/%s", e.Kind, e.Namespace, e.Name)
		if e.Node != "" {
			line += " on " + e.Node
		}
		lines = append(lines, fmt.Sprintf("%s: %s (%d times)", line, e.Message, max(1, e.Count)))
	}
	return capped(lines)
}

func terwayAddresses(f Facts) Finding {
	if !f.Events.Known {
		return NotKnown(f.Events.Why)
	}
	failed := recent(f, sandboxTries, "AllocIPFailed")
	if len(failed) > 0 {
		e := failed[0]
		return Fail("Terway had no address for "+count(len(failed), "pod"), fmt.Sprintf("kubectl -n %s describe %s %s", e.Namespace, kubectlKind(e.Kind), e.Name), told(failed)...)
	}
	return Pass("no pod waited for an address in the last minutes")
}

func cloudSandboxes(f Facts) Finding {
	switch {
	case !f.Events.Known:
		return NotKnown(f.Events.Why)
	case !f.Nodes.Known:
		return NotKnown(f.Nodes.Why)
	}
	onCloud := map[string]bool{}
	for _, n := range cloudNodes(f.Nodes.Value) {
		onCloud[n.Name] = true
	}
	failed := slices.DeleteFunc(recent(f, sandboxTries, "FailedCreatePodSandBox", "NetworkNotReady"), func(e Event) bool { return !onCloud[e.Node] })
	if len(failed) > 0 {
		e := failed[0]
		return Fail(count(len(failed), "pod")+" on cloud nodes did not get a network", fmt.Sprintf("kubectl -n %s describe %s %s", e.Namespace, kubectlKind(e.Kind), e.Name), told(failed)...)
	}
	return Pass("every pod on cloud nodes got its network in the last minutes")
}
