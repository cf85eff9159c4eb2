package fabric

import (
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/fakecloud"
)

func TestRoutesThatAreWithdrawnLeadNowhere(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	idc := l.lanNode(1, "10.244.1.0/24", "10.244.2.0/24")
	idc.AddAddr("lo", "10.244.1.7/32")
	idc.AddAddr("lo", "10.244.2.7/32")
	l.network.Routing = fakecloud.RoutingBGP
	l.network.Announced = prefixes("10.0.0.0/16")
	l.network.Routes = prefixes("10.20.0.0/24", "10.244.1.0/24")
	l.apply()
	mustPing(t, a, "", "10.20.0.11")
	mustPing(t, a, "", "10.244.1.7")
	mustNotPing(t, a, "", "10.244.2.7") // behind the LAN, and nobody told the VPC

	l.network.Routes = prefixes("10.20.0.0/24", "10.244.2.0/24")
	l.apply()
	mustNotPing(t, a, "", "10.244.1.7")
	mustPing(t, a, "", "10.244.2.7")
	mustNotPing(t, idc, "10.244.1.7", "10.0.1.5") // the answer has no way

	l.network.Announced = nil
	l.apply()
	mustNotPing(t, idc, "", "10.0.1.5")
	l.network.Announced = prefixes("10.0.1.0/24")
	l.apply()
	mustPing(t, idc, "", "10.0.1.5")
	l.logs.Reset()
	l.apply()
	if l.logs.Len() > 0 {
		t.Errorf("the same network again changed something:\n%s", l.logs)
	}
}

func TestSpeakerOwnsTheDataCentreRoutersRoutes(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	idc := l.lanNode(1, "10.244.1.0/24")
	idc.AddAddr("lo", "10.244.1.7/32")
	l.network.Routing = fakecloud.RoutingSpeaker
	l.network.Announced, l.network.Routes = prefixes("10.0.0.0/16"), prefixes("10.20.0.0/24", "10.244.1.0/24")
	l.apply()
	mustNotPing(t, a, "", "10.20.0.11")
	l.learn("10.0.0.0/16", uplinkVPC4.Addr(), uplinkDC)
	mustPing(t, a, "", "10.20.0.11")
	mustNotPing(t, a, "", "10.244.1.7")
	l.learn("10.244.1.0/24", addr("10.20.0.11"), lanBridge)
	l.apply() // leaves them alone
	mustPing(t, a, "", "10.244.1.7")
}

// learn adds a route to the data-centre router as a BGP speaker does.
func (l *lab) learn(dst string, via netip.Addr, link string) {
	l.t.Helper()
	ns, err := openNetNS(l.DCNetNS())
	if err != nil {
		l.t.Fatal(err)
	}
	defer ns.Close()
	out, err := ns.LinkByName(link)
	if err != nil {
		l.t.Fatal(err)
	}
	err = ns.RouteAdd(&netlink.Route{
		Dst: ipNet(netip.MustParsePrefix(dst)), Gw: via.AsSlice(), LinkIndex: out.Attrs().Index, Protocol: unix.RTPROT_BGP,
	})
	if err != nil {
		l.t.Fatal(err)
	}
}
