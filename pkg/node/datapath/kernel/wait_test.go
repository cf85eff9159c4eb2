package kernel

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/onectl/onectl/pkg/testkit"
)

type seen struct {
	name       string
	index, mtu int
	err        error
}

func (w *world) wait(ctx context.Context, mac string) <-chan seen {
	found := make(chan seen, 1)
	go func() {
		var s seen
		s.name, s.index, s.mtu, s.err = w.k.LinkByMAC(ctx, mac)
		found <- s
	}()
	return found
}

func TestLinkByMACFindsALinkThatIsThere(t *testing.T) {
	w := newWorld(t, steering["rules"])
	eni := w.enis[1]
	got := <-w.wait(t.Context(), eni.MAC)
	if want := (seen{name: "eth2", index: eni.Index, mtu: 1500}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for mac, want := range map[string]bool{eni.MAC: true, "02:00:00:00:00:99": false} {
		if there, err := w.k.HasLink(t.Context(), mac); err != nil || there != want {
			t.Errorf("HasLink(%s) = %t, %v", mac, there, err)
		}
	}
}

// TestLinkByMACWaitsForALink lets links come while it waits: one with another MAC, then one that gets the MAC only after it
// was made, as a hot-plugged one may.
func TestLinkByMACWaitsForALink(t *testing.T) {
	w := newWorld(t, steering["rules"])
	const mac = "00:16:3e:12:34:56"
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	found := w.wait(ctx, mac)
	peer := testkit.NewNetNS(t)
	testkit.Veth(w.host, "eth8", peer, "other")
	testkit.Veth(w.host, "eth9", peer, "port9")
	select {
	case got := <-found:
		t.Fatalf("found %+v before there was one", got)
	default:
	}
	if err := w.host.Netlink().LinkSetHardwareAddr(w.host.Link("eth9"), []byte{0, 0x16, 0x3e, 0x12, 0x34, 0x56}); err != nil {
		t.Fatal(err)
	}
	got := <-found
	if want := (seen{name: "eth9", index: w.host.Link("eth9").Attrs().Index, mtu: 1500}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestLinkByMACEndsWithItsContext(t *testing.T) {
	w := newWorld(t, steering["rules"])
	ctx, cancel := context.WithCancel(t.Context())
	found := w.wait(ctx, "00:16:3e:12:34:56")
	cancel()
	if got := <-found; !errors.Is(got.err, context.Canceled) {
		t.Errorf("error %v, want canceled", got.err)
	}
}

func TestLinkByMACNeverTakesAVethOfOurs(t *testing.T) {
	w := newWorld(t, steering["rules"])
	p := w.addedPod("a", "10.0.16.5", w.enis[0])
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got := <-w.wait(ctx, p.host.Links[0].MAC); got.err == nil {
		t.Errorf("found %+v", got)
	}
}

func TestLinkByMACTakesTheDeviceBelow(t *testing.T) {
	w := newWorld(t, steering["rules"])
	eni := w.enis[0]
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex, attrs.HardwareAddr = "above", eni.Index, w.host.Link("eth1").Attrs().HardwareAddr
	if err := w.host.Netlink().LinkAdd(&netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_PASSTHRU}); err != nil {
		t.Skipf("no macvlan here: %v", err)
	}
	if got := <-w.wait(t.Context(), eni.MAC); got.name != "eth1" || got.err != nil {
		t.Errorf("found %+v, want eth1", got)
	}
}
