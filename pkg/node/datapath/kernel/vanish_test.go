package kernel

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRemoveWorksWithoutLinkEvents(t *testing.T) {
	w := newWorld(t, steering["marks"])
	before := w.state()
	p := w.addedPod("a", "10.0.16.5", w.enis[0])
	w.k.reaper.subscribe = func() (*os.File, error) { return nil, unix.EMFILE }
	if err := w.k.Remove(t.Context(), p.host); err != nil {
		t.Error(err)
	}
	same(t, before, w.state())
}

// TestVanishDoesNotWaitForEventsThatNeverCome deletes a link that somebody else deleted before the events were listened to.
func TestVanishDoesNotWaitForEventsThatNeverCome(t *testing.T) {
	w := newWorld(t, steering["marks"])
	const absent = 1 << 29
	deletion := []message{setGroup(absent, doomed), deleteGroup(doomed)}
	if err := w.k.reaper.vanish(t.Context(), []int{absent}, deletion); err != nil && !errors.Is(err, unix.ENODEV) {
		t.Error(err)
	}
}

func TestVanishTellsWhyTheKernelRefused(t *testing.T) {
	w := newWorld(t, steering["marks"])
	refused := deleteGroup(doomed)
	refused.fine = nil // of no link at all the kernel says ENODEV
	if err := w.k.reaper.vanish(t.Context(), []int{1 << 29}, []message{refused}); !errors.Is(err, unix.ENODEV) {
		t.Errorf("error %v, want %v", err, unix.ENODEV)
	}
}

// TestMoreRemovalsThanTheKernelIsGivenAtATime comes to an end, and gives every socket back.
func TestMoreRemovalsThanTheKernelIsGivenAtATime(t *testing.T) {
	w := newWorld(t, steering["marks"])
	before := w.state()
	p := w.newPod("a", "10.0.16.5", w.enis[0])
	for range 2 * vanishing {
		w.add(p)
		if err := w.k.Remove(t.Context(), p.host); err != nil {
			t.Fatal(err)
		}
		same(t, before, w.state())
	}
	w.k.reaper.pending.Wait()
	if got := len(w.k.reaper.spare); got != vanishing {
		t.Errorf("%d sockets are free when nothing is under way, want %d", got, vanishing)
	}
}
