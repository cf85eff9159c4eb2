package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/e2e/rig"
	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/ledger"
)

// settleTime is how long books may take to become equal after the last trouble: the daemon believes that something is gone
// after two looks a minute apart, and addresses cool down before they go back.
const settleTime = 6 * time.Minute

// settle waits until the books are equal, with at least half of the pods running, and once more after they have ended.
func (s *story) settle(ctx context.Context) error {
	for _, p := range s.pods[:len(s.pods)/2] {
		s.start(ctx, p)
	}
	if err := s.await(ctx, "with the pods that run"); err != nil {
		return err
	}
	for _, p := range s.pods {
		if p.box != nil {
			s.drop(p.box)
			p.box = nil
		}
	}
	return s.await(ctx, "after the last pod")
}

// await waits until nothing differs while the daemon runs, then stops it and opens its ledger.
func (s *story) await(ctx context.Context, when string) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for {
		differences := append(s.tally.violations(), s.compare(ctx)...)
		if len(differences) == 0 {
			break
		}
		pause(ctx, time.Second)
		if ctx.Err() != nil || len(s.tally.violations()) > 0 {
			s.node.KillDaemon() // so that its ledger can be opened
			differences = append(differences, s.readLedger()...)
			return fmt.Errorf("%s, the books differ:\n  %s\n%s", when, strings.Join(differences, "\n  "), s.node.Logs())
		}
	}
	fmt.Printf("%s, the books are equal after %v: %d pods\n", when, time.Since(began).Round(time.Second), len(s.running()))
	s.node.KillDaemon()
	if differences := s.readLedger(); len(differences) > 0 {
		return fmt.Errorf("%s, the ledger differs:\n  %s", when, strings.Join(differences, "\n  "))
	}
	return s.node.StartDaemon(ctx)
}

// compare is what differs between the pods that run, the simulator, the daemon's figures, the kernel and the packets.
func (s *story) compare(ctx context.Context) []string {
	sum, err := s.node.Cloud.Summary(ctx)
	if err != nil {
		return []string{err.Error()}
	}
	figures, err := s.node.Figures(ctx)
	if err != nil {
		return []string{err.Error()}
	}
	var found differences
	assigned, assigned6, enis := map[netip.Addr]string{}, map[netip.Addr]string{}, []cloud.ENI{}
	for _, e := range sum.ENIs {
		if e.Tags["creator"] != "terway" {
			continue
		}
		enis = append(enis, e.ENI)
		found.unless(e.Status == cloud.ENIInUse && e.Instance == s.node.Instance.ID, "the simulator has ENI %s, %s on %q", e.ID, e.Status, e.Instance)
		for _, ip := range e.IPv4 {
			assigned[ip] = e.ID
		}
		for _, ip := range e.IPv6 {
			assigned6[ip] = e.ID
		}
		for _, block := range e.Prefixes {
			for ip := block.Addr(); block.Contains(ip); ip = ip.Next() {
				assigned[ip] = e.ID
			}
		}
	}
	running := s.running()
	for id, ips := range running {
		eni := assigned[ips[0]]
		found.unless(eni != "", "%s runs with %s, which no ENI in the simulator has", id, ips)
		found.unless(!s.dual || assigned6[ips[len(ips)-1]] == eni, "%s runs with %s, which are not on one ENI in the simulator", id, ips)
	}
	for name, want := range map[string]int{
		"terway_resource_pool_total_count": len(assigned), "terway_eni_count": len(enis), "terway_resource_pool_used_count": len(running),
		"terway_resource_pool_coming_count": 0, "terway_resource_pool_waiting_count": 0, "terway_resource_pool_vanished_count": 0,
	} {
		found.unless(int(figures[name]) == want, "the daemon says %s is %v, it must be %d", name, figures[name], want)
	}
	found = append(found, s.kernelDifferences(running, enis)...)
	if len(found) > 0 {
		return found
	}
	for _, p := range s.pods {
		if p.box != nil {
			if err := s.reach(p.box, 5*time.Second); err != nil {
				found = append(found, fmt.Sprintf("%s: %v", p.box.id, err))
			}
		}
	}
	return found
}

type differences []string

func (d *differences) unless(holds bool, format string, args ...any) {
	if !holds {
		*d = append(*d, fmt.Sprintf(format, args...))
	}
}

// kernelDifferences is what the node's namespace has and should not, or lacks.
func (s *story) kernelDifferences(running map[string][]netip.Addr, enis []cloud.ENI) (found differences) {
	err := rig.In(s.node.Host, func() error {
		links, err := netlink.LinkList()
		if err != nil {
			return err
		}
		var veths []string
		for _, l := range links {
			if sandbox, ours := strings.CutPrefix(l.Attrs().Alias, datapath.AliasPrefix); ours {
				veths = append(veths, sandbox)
			}
		}
		found = append(found, unequal("host veths", sandboxes(running), veths)...)
		routes, errRoutes := netlink.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Table: datapath.PodsTable}, netlink.RT_FILTER_TABLE)
		var routed []string
		for _, r := range routes {
			routed = append(routed, r.Dst.IP.String())
		}
		found = append(found, unequal("host routes", addresses(running), routed)...)
		rules, errRules := netlink.RuleList(netlink.FAMILY_V4)
		perPriority := map[int]int{}
		tables := map[int]bool{unix.RT_TABLE_MAIN: true, unix.RT_TABLE_LOCAL: true, datapath.PodsTable: true}
		for _, r := range rules {
			perPriority[r.Priority]++
			tables[r.Table] = true
		}
		if len(enis) > 0 {
			found.unless(perPriority[datapath.PriorityPods] == 1, "%d rules of priority %d, want 1", perPriority[datapath.PriorityPods], datapath.PriorityPods)
		}
		shared, idle := len(enis), 0 // ENIs with a rule, and those whose link waits on the host for a pod
		if s.exclusive {
			shared, idle = 0, len(enis)-len(running)
		}
		found.unless(perPriority[datapath.PriorityENI] == shared, "%d rules of priority %d for %d ENIs", perPriority[datapath.PriorityENI], datapath.PriorityENI, shared)
		waiting := 0
		for _, l := range links {
			if slices.ContainsFunc(enis, func(e cloud.ENI) bool { return l.Attrs().Name == datapath.ExclusiveName(e.MAC) }) {
				waiting++
			}
		}
		found.unless(waiting == idle, "%d links of whole ENIs without a pod, want %d", waiting, idle)
		all, errAll := netlink.RouteListFiltered(netlink.FAMILY_V4, &netlink.Route{Table: unix.RT_TABLE_UNSPEC, Protocol: datapath.Protocol}, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_PROTOCOL)
		for _, r := range all {
			found.unless(tables[r.Table], "a route of ours is left in table %d, which no rule names", r.Table)
		}
		return errors.Join(errRoutes, errRules, errAll)
	})
	if err != nil {
		found = append(found, "look at the node's namespace: "+err.Error())
	}
	return found
}

// readLedger opens the ledger of a daemon that was killed.
func (s *story) readLedger() []string {
	book, err := ledger.Open(filepath.Join(s.node.StateDir(), "ledger.db"))
	if err != nil {
		return []string{err.Error()}
	}
	defer book.Close()
	records, err := book.All()
	intents, errIntents := book.Intents()
	if err := errors.Join(err, errIntents); err != nil {
		return []string{err.Error()}
	}
	running := s.running()
	var held, want []string
	for _, r := range records {
		ips := []netip.Addr{r.IPv4}
		if r.IPv6.IsValid() {
			ips = append(ips, r.IPv6)
		}
		held = append(held, fmt.Sprintf("%s %s on an ENI: %t", r.Owner(), ips, r.ENI != ""))
	}
	for id, ips := range running {
		want = append(want, fmt.Sprintf("%s/eth0 %s on an ENI: true", id, ips))
	}
	found := differences(unequal("records", want, held))
	found.unless(len(intents) == 0, "intents are left: %v", intents)
	return found
}

func sandboxes(running map[string][]netip.Addr) (all []string) {
	for id := range running {
		all = append(all, id+"/eth0")
	}
	return all
}

func addresses(running map[string][]netip.Addr) (all []string) {
	for _, ips := range running {
		for _, ip := range ips {
			all = append(all, ip.String())
		}
	}
	return all
}

// unequal says what one list has more than the other.
func unequal(what string, want, got []string) (found []string) {
	for _, one := range want {
		if !slices.Contains(got, one) {
			found = append(found, what+": "+one+" lacks")
		}
	}
	for _, one := range got {
		if !slices.Contains(want, one) {
			found = append(found, what+": "+one+" is there and must not")
		}
	}
	return found
}
