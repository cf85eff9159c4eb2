package kernel

import (
	"fmt"
	"testing"
)

// TestHealTellsOnlyWhatItMadeAgain: one ENI was detached, and somebody flushes the table of another.
func TestHealTellsOnlyWhatItMadeAgain(t *testing.T) {
	w := newWorld(t, steering["rules"])
	if err := w.host.Netlink().LinkDel(w.host.Link(w.enis[0].Name)); err != nil {
		t.Fatal(err)
	}
	if lost, err := w.k.Heal(t.Context(), w.hostContent()); err != nil || len(lost) > 0 {
		t.Errorf("with a link that is gone: made again %q, %v", lost, err)
	}
	w.shell("host", fmt.Sprint("ip route flush table ", w.enis[1].Table()))
	if lost, err := w.k.Heal(t.Context(), w.hostContent()); err != nil || len(lost) != 1 || lost[0].Kind != "route" {
		t.Errorf("after a flush: made again %q, %v", lost, err)
	}
	if lost, err := w.k.Heal(t.Context(), w.hostContent()); err != nil || len(lost) > 0 {
		t.Errorf("when all is well: made again %q, %v", lost, err)
	}
}
