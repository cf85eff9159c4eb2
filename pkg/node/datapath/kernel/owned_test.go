package kernel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/node/datapath"
)

var sameAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// dualPod is a pod with both families on the world's first ENI, and what Owned must say of it.
func (w *world) dualPod(content func(datapath.Pod, datapath.Options) (host, pod datapath.NetNS)) (*pod, []Owned) {
	w.t.Helper()
	p := w.newPod("a", "10.0.16.5", w.enis[0])
	p.IPv6 = netip.MustParseAddr("2001:db8:16::5")
	p.host, p.own = content(p.Pod, w.opts)
	if _, err := w.k.Add(w.t.Context(), p.sandbox, p.host, p.own); err != nil {
		w.t.Fatal(err)
	}
	veth := p.host.Links[0]
	return p, []Owned{{HostIf: veth.Name, ContainerID: p.ContainerID, IfName: "eth0", IPv4: p.IPv4, IPv6: p.IPv6, Exclusive: veth.Group == datapath.GroupExclusive}}
}

// TestOwnedTellsBothAddressesWhateverIsFlushed, also when the pod has given its end more addresses.
func TestOwnedTellsBothAddressesWhateverIsFlushed(t *testing.T) {
	for name, content := range map[string]func(datapath.Pod, datapath.Options) (host, pod datapath.NetNS){
		"shared": datapath.SharedENI, "exclusive": datapath.ExclusiveENI,
	} {
		for _, flushed := range []string{"", "-4", "-6", "-4 -6"} {
			t.Run(fmt.Sprint(name, " ", flushed), func(t *testing.T) {
				w := newWorld(t, steering["rules"])
				w.dualStack()
				p, want := w.dualPod(content)
				end := p.host.Links[0].Peer
				for _, cidr := range []string{"10.9.9.9/32", "10.9.8.1/24", "2001:db8:9::9/128", "2001:db8:9::1/64"} {
					p.AddAddr(end, cidr)
				}
				for _, family := range []string{"-4", "-6"} {
					if flushed == family || flushed == "-4 -6" {
						w.shell("host", "ip "+family+" route flush table 999")
					}
				}
				owned, err := w.k.Owned(t.Context())
				if diff := cmp.Diff(want, owned, sameAddr); diff != "" || err != nil {
					t.Errorf("Owned %v, -want +got:\n%s", err, diff)
				}
			})
		}
	}
}

// countdown is a context that ends at its left-th look.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return errAsked
	}
	return nil
}

var errAsked = errors.New("not now")

// TestOwnedDoesNotTakeAPodThatDoesNotAnswerForOneWithoutAddress: its address would be granted again.
func TestOwnedDoesNotTakeAPodThatDoesNotAnswerForOneWithoutAddress(t *testing.T) {
	w := newWorld(t, steering["rules"])
	w.dualStack()
	_, want := w.dualPod(datapath.SharedENI)
	w.shell("host", "ip -4 route flush table 999; ip -6 route flush table 999")
	for left := range 10 {
		owned, err := w.k.Owned(&countdown{t.Context(), left})
		if err == nil {
			if diff := cmp.Diff(want, owned, sameAddr); diff != "" {
				t.Errorf("cut short after %d requests: no error, -want +got:\n%s", left, diff)
			}
			return
		}
		if !errors.Is(err, errAsked) {
			t.Fatal(err)
		}
	}
	t.Error("Owned never comes to an end")
}

// TestOwnedGoesOnPastAPodWhoseNamespaceHasEnded, which the kernel knows by no number any more.
func TestOwnedGoesOnPastAPodWhoseNamespaceHasEnded(t *testing.T) {
	w := newWorld(t, steering["rules"])
	s, giveBack, err := w.k.host(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer giveBack()
	o := Owned{HostIf: "cali0"}
	if err := o.complete(t.Context(), s, &link{Link: datapath.Link{Name: "cali0"}, peer: 2, peerNS: 1 << 20}); err != nil || o != (Owned{HostIf: "cali0"}) {
		t.Errorf("%+v, %v", o, err)
	}
}
