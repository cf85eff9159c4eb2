package fabric

import (
	"net/netip"
	"testing"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/testkit"
)

func TestPrefixIsRoutedToItsENIAndAcceptedAsSource(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	b := l.instance(2, "vsw-nodes-j", "10.0.2.5")
	port := l.secondary(1, a, "10.0.16.5")
	port.Prefixes = prefixes("10.0.16.32/28")
	l.apply()
	a.AddRoute(netip.MustParsePrefix("10.0.2.5/32"), addr("10.0.16.253"), "eth1")
	for _, inside := range []string{"10.0.16.32", "10.0.16.47"} {
		a.AddAddr("lo", inside+"/32")
		mustPing(t, b, "", inside)
		mustPing(t, a, inside, "10.0.2.5")
	}
	for _, outside := range []string{"10.0.16.31", "10.0.16.48"} {
		a.AddAddr("lo", outside+"/32")
		mustNotPing(t, b, "", outside)
		mustNotPing(t, a, outside, "10.0.2.5")
	}
	l.apply() // nothing changes when nothing shall
	mustPing(t, b, "", "10.0.16.47")
	port = &l.network.Ports[2]
	port.Prefixes = nil
	l.apply()
	mustNotPing(t, b, "", "10.0.16.32")
	mustNotPing(t, a, "10.0.16.47", "10.0.2.5")
}

// dual adds an instance whose secondary ENI has IPv6, and gives the instance the address and a route by that ENI.
func (l *lab) dual(number int, primary, v4, v6 string) *testkit.NetNS {
	ns := l.instance(number, "vsw-nodes-i", primary)
	port := l.secondary(number, ns, v4)
	port.IPv6, port.VSwitch = []netip.Addr{addr(v6)}, "vsw-dual"
	return ns
}

func TestIPv6IsRoutedToItsENIAndItsSourceChecked(t *testing.T) {
	l := newLab(t)
	l.network.VSwitches = append(l.network.VSwitches, cloud.VSwitch{
		ID: "vsw-dual", CIDR: netip.MustParsePrefix("10.0.32.0/24"), IPv6CIDR: netip.MustParsePrefix("2001:db8:32::/64"),
	})
	a := l.dual(1, "10.0.1.5", "10.0.32.5", "2001:db8:32::15")
	b := l.dual(2, "10.0.1.6", "10.0.32.6", "2001:db8:32::16")
	l.apply()
	for ns, own := range map[*testkit.NetNS]string{a: "2001:db8:32::15/128", b: "2001:db8:32::16/128"} {
		ns.AddAddr("eth1", own)
		ns.AddRoute(netip.MustParsePrefix("2001:db8::/32"), addr("2001:db8:32:0:ffff:ffff:ffff:fffd"), "eth1")
	}
	b.EchoTCP("[2001:db8:32::16]:7000")
	if seen, err := a.ExchangeTCP(netip.Addr{}, "[2001:db8:32::16]:7000", soon); err != nil || seen != addr("2001:db8:32::15") {
		t.Errorf("the other instance saw %s, %v", seen, err)
	}
	a.AddAddr("eth1", "2001:db8:32::99/128")
	before := l.drops("eni-secondary-1")
	if _, err := a.ExchangeTCP(addr("2001:db8:32::99"), "[2001:db8:32::16]:7000", never); err == nil {
		t.Error("an address that is not assigned got an answer")
	}
	if after := l.drops("eni-secondary-1"); after == before {
		t.Error("no drop was counted for the address that is not assigned")
	}
	l.network.Ports[1].IPv6 = append(l.network.Ports[1].IPv6, addr("2001:db8:32::99"))
	l.apply()
	if _, err := a.ExchangeTCP(addr("2001:db8:32::99"), "[2001:db8:32::16]:7000", soon); err != nil {
		t.Errorf("once it is assigned: %v", err)
	}
}

// TestSecurityGroupsHoldForIPv6: members of a group reach one another in both families, and nobody else reaches them in either.
func TestSecurityGroupsHoldForIPv6(t *testing.T) {
	l := newLab(t)
	l.network.VSwitches = append(l.network.VSwitches, cloud.VSwitch{
		ID: "vsw-dual", CIDR: netip.MustParsePrefix("10.0.32.0/24"), IPv6CIDR: netip.MustParsePrefix("2001:db8:32::/64"),
	})
	var machines []*testkit.NetNS
	for i, last := range []string{"15", "16", "17"} {
		machines = append(machines, l.dual(i+1, "10.0.1."+last, "10.0.32."+last, "2001:db8:32::"+last))
		group := "sg-pods"
		if last == "17" {
			group = "sg-other"
		}
		l.network.Ports[len(l.network.Ports)-1].SecurityGroups = []string{group}
	}
	inside := cloud.SecurityRule{Direction: cloud.Ingress, Policy: cloud.RuleAccept, Protocol: "all", Ports: cloud.AnyPort, SourceGroup: "sg-pods", Priority: 1}
	l.group("sg-pods", inside)
	l.group("sg-other")
	l.apply()
	for i, last := range []string{"15", "16", "17"} {
		machines[i].AddAddr("eth1", "2001:db8:32::"+last+"/128")
		machines[i].AddRoute(netip.MustParsePrefix("2001:db8::/32"), addr("2001:db8:32:0:ffff:ffff:ffff:fffd"), "eth1")
	}
	machines[1].EchoTCP("[2001:db8:32::16]:7000")
	if _, err := machines[0].ExchangeTCP(netip.Addr{}, "[2001:db8:32::16]:7000", soon); err != nil {
		t.Errorf("between members: %v", err)
	}
	if _, err := machines[2].ExchangeTCP(netip.Addr{}, "[2001:db8:32::16]:7000", never); err == nil {
		t.Error("an ENI of another group was let in")
	}
	from := netip.MustParsePrefix("2001:db8:32::17/128")
	l.group("sg-pods", inside, cloud.SecurityRule{Direction: cloud.Ingress, Policy: cloud.RuleAccept, Protocol: "tcp", Ports: "7000/7000", CIDR: from, Priority: 1})
	l.apply()
	if _, err := machines[2].ExchangeTCP(netip.Addr{}, "[2001:db8:32::16]:7000", soon); err != nil {
		t.Errorf("with a rule for its address: %v", err)
	}
}
