package daemon

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// fakeRuntime lists what a test says.
type fakeRuntime struct {
	listed map[string]bool
	err    error
}

func (r *fakeRuntime) Sandboxes(context.Context) (map[string]bool, error) { return r.listed, r.err }

// withRuntime is a daemon with one record, whose veth is there if shown, and a runtime.
func withRuntime(t *testing.T, shown bool, r *fakeRuntime) *bench {
	t.Helper()
	record := recordAt("/absent")
	b := newBench(t, record)
	if shown {
		b.kernel.links[record.HostIf] = datapath.Alias(record.ContainerID, record.IfName)
	}
	opts := b.opts
	opts.Runtime = r
	b.Daemon = New(opts)
	return b
}

func TestASandboxIsReleasedWhenNodeAndRuntimeAgree(t *testing.T) {
	ours, other := "c1", "other"
	tests := map[string]struct {
		shown  bool
		listed map[string]bool
		looks  int // a minute apart, at the last of which it is released; 0: never
	}{
		"nothing shown, not listed":    {false, map[string]bool{other: true}, 2},
		"nothing shown, listed dead":   {false, map[string]bool{ours: false}, 2}, // as after a reboot
		"nothing shown, listed ready":  {false, map[string]bool{ours: true}, 0},
		"veth there, listed ready":     {true, map[string]bool{ours: true}, 0},
		"veth there, listed dead":      {true, map[string]bool{ours: false, other: true}, 0}, // its DEL will come
		"veth there, not listed":       {true, map[string]bool{other: true}, 12},             // a namespace that the runtime lost
		"nothing shown, an empty list": {false, map[string]bool{}, 0},                        // of another runtime
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := withRuntime(t, test.shown, &fakeRuntime{listed: test.listed})
			for look := 1; look <= 20; look++ {
				err := b.sweepOnce(t.Context())
				if (err != nil) != (len(test.listed) == 0) {
					t.Fatal(err)
				}
				b.pass(sweepEvery)
				if released, want := len(b.ledger.records) == 0, test.looks > 0 && look >= test.looks; released != want {
					t.Fatalf("at look %d released is %v, want %v", look, released, want)
				}
			}
			if test.looks > 0 && b.state() != nothing {
				t.Errorf("left: %s", b.state())
			}
		})
	}
}

func TestARuntimeThatDoesNotAnswerKeepsEverything(t *testing.T) {
	r := &fakeRuntime{err: errBroken}
	b := withRuntime(t, false, r)
	b.kernel.links["cali0"] = datapath.Alias("lost", "eth0")
	for range 5 {
		if err := b.sweepOnce(t.Context()); err == nil || !strings.Contains(err.Error(), "container runtime") {
			t.Errorf("sweep: %v", err)
		}
		b.pass(sweepEvery)
	}
	if len(b.ledger.records) != 1 || len(b.kernel.links) != 1 {
		t.Errorf("something was released: %s", b.state())
	}
	r.err, r.listed = nil, map[string]bool{"lost": true, "other": true}
	for range 3 {
		if err := b.sweepOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.pass(sweepEvery)
	}
	if len(b.ledger.records) != 0 || len(b.kernel.links) != 1 {
		t.Errorf("want the record gone and the link of a sandbox that runs left: %s", b.state())
	}
}

// A sandbox that comes and goes from the list is not disowned: its time begins anew.
func TestASandboxThatIsListedAgainIsNotDisowned(t *testing.T) {
	r := &fakeRuntime{}
	b := withRuntime(t, true, r)
	for look := range 40 {
		r.listed = map[string]bool{"other": true, "c1": look%8 == 0}
		if look%8 != 0 {
			delete(r.listed, "c1")
		}
		if err := b.sweepOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.pass(time.Minute)
	}
	if len(b.ledger.records) != 1 {
		t.Error("a sandbox that was listed at every eighth look was released")
	}
}
