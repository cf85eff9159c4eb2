package daemon

import (
	"slices"
	"testing"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/pool"
)

// An ENI that somebody deletes in the cloud is taken down on the node, too; its slot serves another one.
func TestSweepTakesDownENIsThatThePoolDoesNotKnow(t *testing.T) {
	b := newBench(t) // eni-1 is set up
	status := func(ids ...string) {
		b.pool.status = pool.Status{Ready: true}
		for _, id := range ids {
			b.pool.status.ENIs = append(b.pool.status.ENIs, pool.ENIStatus{ID: id})
		}
	}
	took := func() bool {
		b.sweep(t)
		return slices.Contains(b.script.taken(), "kernel.RemoveENI eni-1")
	}
	status("eni-1")
	for range 2 {
		if took() {
			t.Fatal("an ENI that the pool has was taken down")
		}
	}
	status()
	if took() {
		t.Error("taken down after one look")
	}
	status("eni-1")
	if took() {
		t.Error("taken down though it was seen again")
	}
	status()
	b.pool.status.Ready = false
	for range 2 {
		if took() {
			t.Error("taken down before the pool has read the cloud")
		}
	}
	status()
	if took() || !took() {
		t.Error("not taken down at the second look")
	}
	if err := b.opts.ENIs.ENIReady(t.Context(), cloud.ENI{ID: "eni-2", MAC: "00:16:3e:00:00:02"}, podVSwitch()); err != nil {
		t.Fatal(err)
	}
	if next, _ := b.opts.ENIs.known("eni-2"); next.Slot != 1 {
		t.Errorf("slot %d, want the one that was freed", next.Slot)
	}
}
