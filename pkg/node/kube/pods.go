package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/onectl/onectl/pkg/node/cause"
)

// How pods are watched. A list comes in pages, so that the memory it takes for a moment is that of one page.
const (
	podPage      = 50
	podWatchTime = 5 * time.Minute // then the server ends a watch and another one goes on
	podPause     = time.Second     // after a failure, doubling
	podMostPause = time.Minute
	podSettled   = time.Minute // a pod whose sandbox is older than this was known to the API server for sure
)

// pod is as much of a Pod as is kept.
type pod struct {
	Metadata struct {
		UID             string `json:"uid"`
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
	Status struct {
		Phase string `json:"phase"`
	} `json:"status"`
}

func (p pod) ended() bool { return p.Status.Phase == "Succeeded" || p.Status.Phase == "Failed" }

// Pods is which pods the API server has on one node. It never asks on behalf of a caller; while the API server is away it
// knows what it knew.
type Pods struct {
	node   string
	rest   *rest.RESTClient // without a time limit: a watch lasts
	logger *slog.Logger

	mu    sync.Mutex
	live  map[string]bool // by UID
	until time.Time       // everything until then has been seen; the zero Time: nothing yet
}

// Gone reports whether the API server has no pod with this UID on the node any more, or only one that has ended, for a pod
// whose sandbox was made at a time. It is false whenever that is not certain: before the first list, for a sandbox that is
// younger than what was seen, and without a UID.
func (p *Pods) Gone(uid string, made time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return uid != "" && !p.live[uid] && made.Add(podSettled).Before(p.until)
}

// Watch keeps p up to date until ctx ends: this node's pods, by a list and what changes since. It tells the log once when the API
// server goes away.
func (p *Pods) Watch(ctx context.Context) {
	pause := podPause
	for ctx.Err() == nil {
		version, err := p.list(ctx)
		for err == nil && ctx.Err() == nil {
			pause = podPause
			version, err = p.follow(ctx, version)
		}
		if ctx.Err() != nil {
			return
		}
		if pause == podPause && !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
			p.logger.Warn("this node's pods cannot be watched; it is tried again and again", "cause", cause.APIServerUnavailable, "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, podMostPause)
	}
}

func (p *Pods) request() *rest.Request {
	return p.rest.Get().Resource("pods").Param("fieldSelector", "spec.nodeName="+p.node)
}

// list reads all pods of the node and returns the version that a watch goes on from.
func (p *Pods) list(ctx context.Context) (version string, err error) {
	live, next, began := map[string]bool{}, "", time.Now()
	for {
		var page struct {
			Metadata metav1.ListMeta `json:"metadata"`
			Items    []pod           `json:"items"`
		}
		bounded, cancel := context.WithTimeout(ctx, timeout)
		err := read(bounded, p.request().Param("limit", strconv.Itoa(podPage)).Param("continue", next), &page)
		cancel()
		if err != nil {
			return "", fmt.Errorf("list pods of node %s: %w", p.node, err)
		}
		for _, one := range page.Items {
			live[one.Metadata.UID] = !one.ended()
		}
		if next = page.Metadata.Continue; next == "" {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.live, p.until = live, began
			return page.Metadata.ResourceVersion, nil
		}
	}
}

// follow takes up what changes from a version on, until the server ends the watch, and returns the version that it came to.
func (p *Pods) follow(ctx context.Context, version string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, podWatchTime+timeout)
	defer cancel()
	stream, err := p.request().Param("watch", "true").Param("allowWatchBookmarks", "true").Param("resourceVersion", version).
		Param("timeoutSeconds", strconv.Itoa(int(podWatchTime.Seconds()))).Stream(ctx)
	if err != nil {
		return version, fmt.Errorf("watch pods of node %s: %w", p.node, err)
	}
	defer stream.Close()
	for decoder := json.NewDecoder(stream); ; {
		var event struct {
			Type   string          `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		if err := decoder.Decode(&event); errors.Is(err, io.EOF) {
			return version, nil
		} else if err != nil {
			return version, fmt.Errorf("watch pods of node %s: %w", p.node, err)
		}
		if event.Type == "ERROR" {
			var status metav1.Status
			if err := json.Unmarshal(event.Object, &status); err != nil {
				return version, fmt.Errorf("watch pods of node %s: %w", p.node, err)
			}
			return version, &apierrors.StatusError{ErrStatus: status}
		}
		var one pod
		if err := json.Unmarshal(event.Object, &one); err != nil {
			return version, fmt.Errorf("watch pods of node %s: %w", p.node, err)
		}
		version = one.Metadata.ResourceVersion
		p.take(event.Type, one)
	}
}

// take notes one event. A bookmark only says that nothing was missed.
func (p *Pods) take(kind string, one pod) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until = time.Now()
	switch {
	case kind == "DELETED" || kind != "BOOKMARK" && one.ended():
		delete(p.live, one.Metadata.UID)
	case kind != "BOOKMARK":
		p.live[one.Metadata.UID] = true
	}
}
