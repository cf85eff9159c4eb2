package gather

import (
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/onectl/onectl/pkg/onectl/preflight"
)

// Limits of what is kept: older events tell of what may be mended, and more of them tell nothing new.
const (
	eventAge  = time.Hour
	mostEvent = 200
)

// events keeps recent warnings that tell of the network: images that do not come, sandboxes and addresses that fail, and
// pods that find no place.
func (r *round) events(ctx context.Context) preflight.Part[[]preflight.Event] {
	return askKube(ctx, r, "events", func(ctx context.Context, k Kube) ([]preflight.Event, error) {
		since := r.Now().Add(-eventAge)
		var kept []preflight.Event
		err := k.EachWarning(ctx, func(e *corev1.Event) {
			if one := event(e); e.Type == corev1.EventTypeWarning && tells(e) && one.Last.After(since) {
				kept = append(kept, one)
			}
		})
		slices.SortFunc(kept, func(a, b preflight.Event) int { return b.Last.Compare(a.Last) })
		return kept[:min(len(kept), mostEvent)], err
	})
}

func tells(e *corev1.Event) bool {
	switch e.Reason {
	case "AllocIPFailed", "FailedCreatePodSandBox", "FailedScheduling", "NetworkNotReady", "CIDRNotAvailable", "CIDRAssignmentFailed", "ErrImagePull", "ImagePullBackOff", "InspectFailed":
		return true
	case "Failed", "BackOff":
		return strings.Contains(e.Message, "image")
	}
	return strings.Contains(strings.ToLower(e.ReportingController+e.Source.Component), "terway") || strings.HasPrefix(e.InvolvedObject.Name, "terway")
}

// event takes the time from whichever of its three fields the reporter filled in.
func event(e *corev1.Event) preflight.Event {
	one := preflight.Event{
		Namespace: e.InvolvedObject.Namespace, Kind: e.InvolvedObject.Kind, Name: e.InvolvedObject.Name, Node: e.Source.Host,
		Reason: e.Reason, Message: e.Message, Count: int(max(e.Count, 1)), Last: e.LastTimestamp.Time,
	}
	if e.InvolvedObject.Kind == "Node" {
		one.Node = e.InvolvedObject.Name
	}
	if e.Series != nil {
		one.Count, one.Last = int(e.Series.Count), e.Series.LastObservedTime.Time
	}
	if one.Last.IsZero() {
		one.Last = e.EventTime.Time
	}
	if one.Last.IsZero() {
		one.Last = e.CreationTimestamp.Time
	}
	return one
}
