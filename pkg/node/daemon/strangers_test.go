package daemon

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/pool"
)

func (k *fakeKernel) HasLink(context.Context, string) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.detached, k.fail["kernel.HasLink"]
}

// reading is a reading of the cloud that showed the pool these ENIs.
func (b *bench) reading(ids ...string) {
	status := pool.Status{Ready: true, SyncedAt: b.opts.Clock.Now()}
	for _, id := range ids {
		status.ENIs = append(status.ENIs, pool.ENIStatus{ID: id})
	}
	b.pool.status = status
}

// tookDown reports whether a sweep took eni-1 down.
func (b *bench) tookDown(t *testing.T) bool {
	t.Helper()
	b.sweep(t)
	return slices.Contains(b.script.taken(), "kernel.RemoveENI eni-1")
}

// An ENI that somebody deletes in the cloud is taken down on the node, too; its slot serves another one.
func TestSweepTakesDownENIsThatTwoReadingsDoNotShow(t *testing.T) {
	b := newBench(t) // eni-1 is set up
	for range 2 {
		b.reading("eni-1")
		if b.tookDown(t) {
			t.Fatal("an ENI that the pool has was taken down")
		}
	}
	b.reading()
	for range 3 {
		if b.tookDown(t) {
			t.Fatal("taken down after a single reading of the cloud")
		}
	}
	b.reading("eni-1")
	if b.tookDown(t) {
		t.Error("taken down though it was seen again")
	}
	for range 2 {
		b.reading()
		b.pool.status.Ready = false
		if b.tookDown(t) {
			t.Error("taken down before the pool has read the cloud")
		}
	}
	b.reading()
	first := b.tookDown(t)
	b.reading()
	if first || !b.tookDown(t) {
		t.Error("not taken down at the second reading")
	}
	if err := b.opts.ENIs.ENIReady(t.Context(), cloud.ENI{ID: "eni-2", MAC: "00:16:3e:00:00:02"}, podVSwitch()); err != nil {
		t.Fatal(err)
	}
	if next, _ := b.opts.ENIs.known("eni-2"); next.Slot != 1 {
		t.Errorf("slot %d, want the one that was freed", next.Slot)
	}
}

// A tag, or another eni_tag_filter, takes an ENI out of the pool's hands, and pods that are on it go on.
func TestSweepLeavesAnENIUpThatCarriesPods(t *testing.T) {
	b := newBench(t)
	b.ask(t, request(cni.Add, "c1"))
	for range 3 {
		b.reading()
		if b.tookDown(t) {
			t.Fatal("the ENI of a running pod was taken down")
		}
	}
	b.script.breaks("kernel.HasLink", errBroken)
	b.reading()
	if err := b.sweepOnce(t.Context()); !errors.Is(err, errBroken) || !b.opts.ENIs.SetUpBefore("eni-1") {
		t.Errorf("a kernel that does not say whether the link is there: %v, still set up: %t", err, b.opts.ENIs.SetUpBefore("eni-1"))
	}
	b.script.breaks("kernel.HasLink", nil)
	b.ask(t, request(cni.Del, "c1"))
	if !b.tookDown(t) {
		t.Error("not taken down after its last pod")
	}
}

// The pod of an ENI that is detached has no network whatever the host holds for it.
func TestSweepTakesDownADetachedENIThatAPodHad(t *testing.T) {
	b := newBench(t)
	b.ask(t, request(cni.Add, "c1"))
	b.kernel.detached = true
	b.reading()
	first := b.tookDown(t)
	b.reading()
	if first || !b.tookDown(t) {
		t.Error("not taken down at the second reading")
	}
}
