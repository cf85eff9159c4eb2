package kernel

import (
	"context"
	"errors"
	"testing"
)

// Whoever gave up is told from whoever ran out of time by the context's cause, so that must be in the error.
func TestWhatIsGivenUpSaysWhy(t *testing.T) {
	w := newWorld(t, steering["marks"])
	p, fresh := w.addedPod("a", "10.0.16.5", w.enis[0]), w.newPod("b", "10.0.16.6", w.enis[0])
	why := errors.New("the plugin has ended")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	wrong := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, why) {
			t.Errorf("%s: %v, want %v", what, err, why)
		}
	}
	for range 20 { // a free socket and an ended context: select takes either
		_, err := w.k.Add(ctx, fresh.sandbox, fresh.host, fresh.own)
		wrong("Add", err)
		_, err = w.k.Check(ctx, p.sandbox, p.host, p.own)
		wrong("Check", err)
		_, _, _, err = w.k.LinkByMAC(ctx, "00:16:3e:12:34:56")
		wrong("LinkByMAC", err)
	}
	w.k.reaper.turn <- struct{}{} // somebody is deleting
	wrong("Remove", w.k.Remove(ctx, p.host))
	<-w.k.reaper.turn

	waits, giveUp := context.WithCancelCause(t.Context())
	found := w.wait(waits, "00:16:3e:12:34:56")
	giveUp(why)
	wrong("LinkByMAC that waits", (<-found).err)
}
