package fabric

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
	"github.com/onectl/onectl/pkg/testkit"
)

// group replaces a security group's rules.
func (l *lab) group(id string, rules ...cloud.SecurityRule) {
	g := fakecloud.SecurityGroup{ID: id, Rules: rules}
	for _, port := range l.network.Ports {
		for _, name := range port.SecurityGroups {
			if name == id {
				for _, a := range slices.Concat(port.IPv4, port.IPv6) {
					g.Members = append(g.Members, host(a))
				}
				g.Members = append(g.Members, port.Prefixes...)
			}
		}
	}
	for at, old := range l.network.SecurityGroups {
		if old.ID == id {
			l.network.SecurityGroups[at] = g
			return
		}
	}
	l.network.SecurityGroups = append(l.network.SecurityGroups, g)
}

// join puts the ports of the network into groups, the first port first.
func (l *lab) join(groups ...string) {
	for at := range l.network.Ports {
		l.network.Ports[at].SecurityGroups = strings.Split(groups[at], " ")
	}
}

func rule(direction cloud.Direction, policy cloud.RulePolicy, protocol, ports, end string) cloud.SecurityRule {
	r := cloud.SecurityRule{Direction: direction, Policy: policy, Protocol: protocol, Ports: ports, Priority: 50}
	if p, err := netip.ParsePrefix(end); err == nil {
		r.CIDR = p
	} else {
		r.SourceGroup = end
	}
	return r
}

func allow(protocol, ports, source string) cloud.SecurityRule {
	return rule(cloud.Ingress, cloud.RuleAccept, protocol, ports, source)
}

func mustConnect(t *testing.T, from *testkit.NetNS, address string) {
	t.Helper()
	if _, err := from.ExchangeTCP(netip.Addr{}, address, soon); err != nil {
		t.Error(err)
	}
}

// mustTimeOut checks that a connection is dropped, not refused.
func mustTimeOut(t *testing.T, from *testkit.NetNS, address string) {
	t.Helper()
	conn, err := from.DialTCP(netip.Addr{}, address, never)
	if err == nil {
		_ = conn.Close()
		t.Errorf("%s was reached", address)
		return
	}
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("connect to %s: %v, want a timeout", address, err)
	}
}

func TestPortOpensAndCloses(t *testing.T) {
	l := newLab(t)
	client := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	server := l.instance(2, "vsw-nodes-j", "10.0.2.5")
	l.join("sg-client", "sg-server")
	l.group("sg-client")
	l.group("sg-server", allow("tcp", "7000/7001", "10.0.1.0/24"))
	l.apply()
	for _, port := range []string{"7000", "7001", "7002"} {
		server.EchoTCP("10.0.2.5:" + port)
	}
	server.EchoUDP("10.0.2.5:7000")
	mustConnect(t, client, "10.0.2.5:7000") // the answers pass a group that lets nothing in
	mustConnect(t, client, "10.0.2.5:7001")
	mustTimeOut(t, client, "10.0.2.5:7002")
	mustNotPing(t, client, "", "10.0.2.5")
	if err := client.ExchangeUDP("10.0.2.5:7000", never); err == nil {
		t.Error("a rule for TCP let UDP in")
	}
	mustPing(t, client, "", "10.0.1.253") // what the router answers itself passes no rules

	l.group("sg-server", allow("udp", "7000/7000", "10.0.0.0/16"), allow("icmp", cloud.AnyPort, "0.0.0.0/0"))
	l.apply()
	mustTimeOut(t, client, "10.0.2.5:7000")
	mustPing(t, client, "", "10.0.2.5")
	if err := client.ExchangeUDP("10.0.2.5:7000", soon); err != nil {
		t.Error(err)
	}

	l.group("sg-server", allow("all", cloud.AnyPort, "10.0.1.5/32"))
	l.apply()
	mustConnect(t, client, "10.0.2.5:7002")
}

func TestConnectionOutlivesOtherRulesAndEndsWithItsOwn(t *testing.T) {
	l := newLab(t)
	client := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	server := l.instance(2, "vsw-nodes-j", "10.0.2.5")
	l.join("sg-client", "sg-server")
	l.group("sg-server", allow("tcp", "7000/7000", "10.0.1.0/24"))
	l.apply()
	server.EchoTCP("10.0.2.5:7000")
	conn, err := client.DialTCP(netip.Addr{}, "10.0.2.5:7000", soon)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	exchange := func(within time.Duration) error {
		_ = conn.SetDeadline(time.Now().Add(within))
		_, _ = fmt.Fprintln(conn, "ping")
		_, err := answers.ReadString('\n')
		return err
	}
	if _, err := answers.ReadString('\n'); err != nil { // the greeting
		t.Fatal(err)
	}
	if err := exchange(soon); err != nil {
		t.Fatal(err)
	}
	l.group("sg-server", allow("tcp", "7000/7000", "10.0.1.5/32"), allow("tcp", "80/80", "0.0.0.0/0"))
	l.apply()
	if err := exchange(soon); err != nil {
		t.Errorf("another rule that still lets it in: %v", err)
	}
	l.group("sg-server", allow("tcp", "80/80", "0.0.0.0/0"))
	l.apply()
	if err := exchange(never); err == nil {
		t.Error("the connection went on without a rule")
	}
}

func TestMembersReachOneAnotherWhateverElseIsClosed(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	b := l.instance(2, "vsw-nodes-j", "10.0.2.5")
	outsider := l.instance(3, "vsw-nodes-i", "10.0.1.7")
	l.join("sg-1", "sg-1 sg-2", "sg-3")
	inner := cloud.SecurityRule{Direction: cloud.Ingress, Policy: cloud.RuleAccept, Protocol: "all", Ports: cloud.AnyPort, SourceGroup: "sg-1"}
	deny := rule(cloud.Ingress, cloud.RuleDrop, "all", cloud.AnyPort, "0.0.0.0/0")
	l.group("sg-1", inner, deny)
	l.group("sg-2", allow("icmp", cloud.AnyPort, "sg-4"))
	l.group("sg-3")
	l.apply()
	mustPing(t, a, "", "10.0.2.5")
	mustPing(t, b, "", "10.0.1.5")
	mustNotPing(t, outsider, "", "10.0.2.5")
	mustPing(t, a, "", "10.0.1.253")

	l.group("sg-1", inner)
	l.group("sg-2", allow("icmp", cloud.AnyPort, "sg-3"))
	l.apply()
	mustPing(t, outsider, "", "10.0.2.5") // by the rule of b's other group
	mustNotPing(t, outsider, "", "10.0.1.5")
}

func TestPriorityDecidesAndEgressIsOpenUntilARuleDropsIt(t *testing.T) {
	l := newLab(t)
	client := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	server := l.instance(2, "vsw-nodes-j", "10.0.2.5")
	l.join("sg-client", "sg-server")
	everything := allow("all", cloud.AnyPort, "0.0.0.0/0")
	drop := rule(cloud.Ingress, cloud.RuleDrop, "icmp", cloud.AnyPort, "10.0.1.5/32")
	l.group("sg-server", everything, drop)
	l.apply()
	mustNotPing(t, client, "", "10.0.2.5") // the same priority: the drop goes first
	drop.Priority = 51
	l.group("sg-server", everything, drop)
	l.apply()
	mustPing(t, client, "", "10.0.2.5")

	l.group("sg-client", everything, rule(cloud.Egress, cloud.RuleDrop, "tcp", "7000/7000", "10.0.2.0/24"))
	l.apply()
	server.EchoTCP("10.0.2.5:7000")
	server.EchoTCP("10.0.2.5:7001")
	mustTimeOut(t, client, "10.0.2.5:7000")
	mustConnect(t, client, "10.0.2.5:7001")
	client.EchoTCP("10.0.1.5:7000")
	mustConnect(t, server, "10.0.1.5:7000")
}

func TestDataCentreIsSubjectToRulesAndSourcesStayBound(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	idc := l.lanNode(1, "10.244.1.0/24")
	l.join("sg-1")
	l.group("sg-1", allow("tcp", "7000/7000", "10.20.0.0/24"))
	l.apply()
	a.EchoTCP("10.0.1.5:7000")
	idc.EchoTCP("10.20.0.11:7000")
	idc.AddAddr("lo", "10.244.1.7/32")
	mustConnect(t, idc, "10.0.1.5:7000")
	mustConnect(t, a, "10.20.0.11:7000")
	mustPing(t, a, "", "10.244.1.7")
	mustNotPing(t, idc, "10.244.1.7", "10.0.1.5")
	a.AddAddr("lo", "10.0.1.9/32")
	mustNotPing(t, a, "10.0.1.9", "10.20.0.11") // not assigned, whatever the rules say
	if l.drops("eni-primary-1") == 0 {
		t.Error("the spoofed packet was not counted")
	}
}

func TestRulesStayUntilTheyChangeAndGoWithTheGroups(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	l.instance(2, "vsw-nodes-j", "10.0.2.5")
	l.join("sg-1", "sg-1")
	l.group("sg-1", rule(cloud.Ingress, cloud.RuleAccept, "tcp", "80/80", "2408:4005::/64"))
	l.apply()
	mustNotPing(t, a, "", "10.0.2.5")
	l.logs.Reset()
	l.apply()
	if err := l.reopen(l.name).Apply(t.Context(), l.network); err != nil {
		t.Fatal(err)
	}
	if l.logs.Len() > 0 {
		t.Errorf("the same network again changed something:\n%s", l.logs)
	}
	l.nft("delete", "table", "inet", rulesTable)
	mustPing(t, a, "", "10.0.2.5")
	l.apply()
	mustNotPing(t, a, "", "10.0.2.5")
	l.join("", "")
	l.network.Ports[0].SecurityGroups, l.network.Ports[1].SecurityGroups = nil, nil
	l.apply()
	mustPing(t, a, "", "10.0.2.5")
	if listed := l.nft("list", "tables"); strings.Contains(listed, rulesTable) {
		t.Errorf("the table stayed: %s", listed)
	}
}

// nft runs nft in the VPC router.
func (l *lab) nft(args ...string) string {
	l.t.Helper()
	ns, err := openNetNS(l.VPCNetNS())
	if err != nil {
		l.t.Fatal(err)
	}
	defer ns.Close()
	var out []byte
	err = inNetNS(int(ns.file.Fd()), func() (err error) {
		out, err = exec.CommandContext(context.WithoutCancel(l.t.Context()), "nft", args...).CombinedOutput()
		return err
	})
	if err != nil {
		l.t.Fatalf("nft %v: %v: %s", args, err, out)
	}
	return string(out)
}

func TestAnEnterpriseGroupLetsOutOnlyWhatARuleAccepts(t *testing.T) {
	l := newLab(t)
	client := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	server := l.instance(2, "vsw-nodes-j", "10.0.2.5")
	l.join("sg-big", "sg-server")
	l.group("sg-server", allow("all", cloud.AnyPort, "10.0.1.0/24"))
	l.group("sg-big")
	enterprise := func() {
		for at := range l.network.SecurityGroups {
			if l.network.SecurityGroups[at].ID == "sg-big" {
				l.network.SecurityGroups[at].Type = cloud.SecurityGroupEnterprise
			}
		}
		l.apply()
	}
	enterprise()
	server.EchoTCP("10.0.2.5:7000")
	mustTimeOut(t, client, "10.0.2.5:7000")
	l.group("sg-big", rule(cloud.Egress, cloud.RuleAccept, "tcp", "7000/7000", "10.0.2.0/24"))
	enterprise()
	mustConnect(t, client, "10.0.2.5:7000")
	mustNotPing(t, client, "", "10.0.2.5")
}
