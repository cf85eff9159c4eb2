package preflight

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

const (
	kubeletPort = 10250
	dnsPort     = 53
	lastPort    = 65535
)

func flowChecks() []Check {
	return []Check{
		{
			ID: "security-group-datacentre-in", Title: "Security groups let the data centre reach pods and nodes in the cloud", Category: categoryGroups, Severity: Error, Scenarios: withTerway(),
			Explain: "Pods on cloud nodes have VPC addresses, so the security groups of their ENIs filter what comes from the data centre. A basic group drops everything on the way in that no rule accepts. The rules of all groups are put in the order the cloud uses, lowest priority number first and drop before accept, and played through for every data-centre node and pod address, TCP and UDP; DNS and kubelet's port have checks of their own.",
			Fix:     "aliyun ecs AuthorizeSecurityGroup --SecurityGroupId sg-… --IpProtocol ALL --PortRange -1/-1 --SourceCidrIp CIDR", Run: datacentreIn,
		},
		{
			ID: "security-group-datacentre-out", Title: "Security groups let pods and nodes in the cloud reach the data centre", Category: categoryGroups, Severity: Error, Scenarios: withTerway(),
			Explain: "On the way out a basic security group passes what no rule drops, an enterprise group only what a rule accepts. Pods need the data centre's pods, Services and API server there. The rules are played through for every data-centre node and pod address, TCP and UDP; DNS has a check of its own.",
			Fix:     "aliyun ecs AuthorizeSecurityGroupEgress --SecurityGroupId sg-… --IpProtocol ALL --PortRange -1/-1 --DestCidrIp CIDR", Run: datacentreOut,
		},
		{
			ID: "security-group-cloud", Title: "Security groups let pods and nodes in the cloud reach one another", Category: categoryGroups, Severity: Error, Scenarios: withTerway(),
			Explain: "Pods on different cloud nodes, and nodes with pods of other nodes, talk through their ENIs. Members of one basic group reach each other unless a rule drops it; when pods and nodes have different groups, or an enterprise group, rules must accept the vSwitches' CIDRs or the other group.",
			Fix:     "aliyun ecs AuthorizeSecurityGroup --SecurityGroupId sg-… --IpProtocol ALL --PortRange -1/-1 --SourceCidrIp CIDR", Run: withinCloud,
		},
		{
			ID: "security-group-kubelet", Title: "Security groups let the API server reach kubelets on cloud nodes", Category: categoryGroups, Severity: Error,
			Explain: "kubectl logs, exec, port-forward and metrics go from the API server in the data centre to TCP port 10250 of the node. A closed port shows only there: the node stays Ready. The addresses are those of the control plane's nodes, or of all data-centre nodes when none is labelled.",
			Fix:     "aliyun ecs AuthorizeSecurityGroup --SecurityGroupId sg-… --IpProtocol TCP --PortRange 10250/10250 --SourceCidrIp CIDR", Run: kubeletIn,
		},
		{
			ID: "security-group-dns", Title: "Security groups let DNS pass between cloud and data centre", Category: categoryGroups, Severity: Error, Scenarios: withTerway(),
			Explain: "Cluster DNS usually runs in the data centre, so each lookup of a pod in the cloud goes there with UDP, large answers with TCP, port 53. When DNS pods run on cloud nodes the data centre asks them, so port 53 must be open the other way too.",
			Fix:     "aliyun ecs AuthorizeSecurityGroup --SecurityGroupId sg-… --IpProtocol UDP --PortRange 53/53 --SourceCidrIp CIDR", Run: dnsBothWays,
		},
		{
			ID: "security-group-icmp", Title: "Security groups let ICMP from the data centre in", Category: categoryGroups, Severity: Warning,
			Explain: "Routers say with ICMP that a packet is too large for the next hop. Where ICMP is dropped, connections across an MTU step hang as soon as they send something large, and ping, the first tool anybody tries, misleads.",
			Fix:     "aliyun ecs AuthorizeSecurityGroup --SecurityGroupId sg-… --IpProtocol ICMP --PortRange -1/-1 --SourceCidrIp CIDR", Run: icmpIn,
		},
		{
			ID: "security-group-overlay", Title: "Security groups let the overlay's packets pass", Category: categoryGroups, Severity: Error, Scenarios: []string{"overlay"},
			Explain: "In an overlay all pod traffic travels between node addresses: VXLAN on UDP 8472 (Flannel, Cilium) or 4789 (Calico), Geneve on UDP 6081, or IPIP, which is neither TCP nor UDP and passes only a rule for all protocols. The instances' groups must let it in from data-centre nodes, and out to them.",
			Fix:     "aliyun ecs AuthorizeSecurityGroup --SecurityGroupId sg-… --IpProtocol UDP --PortRange 8472/8472 --SourceCidrIp CIDR", Run: overlayFlows,
		},
	}
}

// member is one kind of ENI whose traffic must pass.
type member struct {
	name   string // pods, nodes
	groups []string
	at     []netip.Prefix // addresses it may have
}

// members is pods, where Terway gives them ENIs, and nodes by the groups of their instances. Before there are instances,
// nodes are taken to get the registered cluster's group.
func members(f Facts) (list []member, why string) {
	if f.Scenario != "overlay" {
		ids, why := podGroupIDs(f)
		vSwitches, also := podVSwitches(f)
		if why = cmp.Or(why, also); why != "" {
			return nil, why
		}
		pods := member{name: "pods", groups: ids}
		for _, v := range vSwitches {
			pods.at = append(pods.at, v.CIDR)
		}
		list = append(list, pods)
	}
	nodes, why := nodeMembers(f)
	return append(list, nodes...), cmp.Or(why, unread(f.SecurityGroups))
}

func nodeMembers(f Facts) (list []member, why string) {
	if why := cmp.Or(unread(f.Cluster), unread(f.Instances), unread(f.VSwitches)); why != "" {
		return nil, why
	}
	if len(f.Instances.Value) == 0 {
		return []member{{name: "nodes", groups: []string{f.Cluster.Value.SecurityGroupID}, at: cidrsOf(f, f.Cluster.Value.NodeVSwitches)}}, ""
	}
	seen := map[string]int{}
	for _, i := range f.Instances.Value {
		groups := slices.Sorted(slices.Values(i.SecurityGroups))
		key := strings.Join(groups, " ")
		if _, there := seen[key]; !there {
			seen[key] = len(list)
			list = append(list, member{name: "nodes", groups: groups})
		}
		list[seen[key]].at = append(list[seen[key]].at, hosts([]netip.Addr{i.PrimaryIP})...)
	}
	return list, ""
}

func cidrsOf(f Facts, vSwitches []string) (list []netip.Prefix) {
	for _, id := range vSwitches {
		if v, there := vSwitchByID(f, id); there {
			list = append(list, v.CIDR)
		}
	}
	return list
}

// beyond is the addresses in the data centre that pods in the cloud talk to: nodes, and pods where they have routed
// addresses of their own.
func beyond(f Facts) (list []netip.Prefix, why string) {
	nodes, why := datacentreNodeAddresses(f)
	if why != "" {
		return nil, why
	}
	if f.Scenario != "bgp" {
		return merged(nodes), ""
	}
	pods, why := datacentrePodCIDRs(f)
	return merged(append(nodes, pods...)), why
}

// wanted is one thing that must pass: which members, which way, which protocols and ports, from or to where.
type wanted struct {
	members   []member
	direction cloud.Direction
	flows     []flow // protocol and ports only
	peers     []netip.Prefix
	groups    []string // of the peers
}

// obstacle is a barrier at one member.
type obstacle struct {
	member  member
	barrier barrier
	shut    []netip.Prefix // the peer's addresses from which, or to which, nothing wanted passes
}

// obstacles plays what is wanted through the rules.
func obstacles(f Facts, w wanted) (found []obstacle) {
	for _, m := range w.members {
		groups, missing := groupsByID(f, m.groups)
		if len(missing) > 0 || len(groups) == 0 {
			continue // security-group-exists tells
		}
		for _, peer := range w.peers {
			var here []obstacle
			shut := []netip.Prefix{peer}
			for _, part := range w.flows {
				part.direction, part.peer, part.groups = w.direction, peer, w.groups
				stops := barriers(groups, part)
				shut = shutBy(shut, stops, part)
				for _, b := range stops {
					here = append(here, obstacle{member: m, barrier: b})
				}
			}
			for i := range here {
				here[i].shut = shut
			}
			found = append(found, here...)
		}
	}
	return found
}

// shutBy is the addresses of at that barriers stop on every port of a flow. Where the answer changes, a barrier ends.
func shutBy(at []netip.Prefix, stops []barrier, f flow) []netip.Prefix {
	ports := []int{f.from}
	for _, b := range stops {
		if b.flow.to < f.to {
			ports = append(ports, b.flow.to+1)
		}
	}
	for _, port := range ports {
		var here []netip.Prefix
		for _, b := range stops {
			if b.flow.from <= port && port <= b.flow.to {
				here = append(here, b.flow.peer)
			}
		}
		at = common(at, here)
	}
	return at
}

// common is the addresses that are in both lists.
func common(a, b []netip.Prefix) (list []netip.Prefix) {
	for _, p := range a {
		for _, q := range b {
			switch {
			case inside(p, q):
				list = append(list, p)
			case inside(q, p):
				list = append(list, q)
			}
		}
	}
	return merged(list)
}

func tcpAndUDP(from, to int) []flow {
	return []flow{{protocol: "tcp", from: from, to: to}, {protocol: "udp", from: from, to: to}}
}

// anyPort is TCP and UDP without the ports that have checks of their own.
func anyPort() []flow {
	return slices.Concat(tcpAndUDP(1, dnsPort-1), tcpAndUDP(dnsPort+1, kubeletPort-1), tcpAndUDP(kubeletPort+1, lastPort))
}

// passage is the finding for some obstacles: where nothing passes it fails, where only some ports are closed it warns.
func passage(f Facts, good string, found []obstacle) Finding {
	if len(found) == 0 {
		return Pass(good)
	}
	var evidence []string
	for _, o := range found {
		evidence = append(evidence, fmt.Sprintf("%s (%s): %s %s", o.member.name, strings.Join(o.member.groups, ", "), o.barrier.flow.direction, o.barrier))
	}
	if at := slices.IndexFunc(found, func(o obstacle) bool { return len(o.shut) > 0 }); at >= 0 {
		return Fail(fmt.Sprintf("closed for %s: %s", found[at].member.name, found[at].shut[0]), openFix(f, found[at]), capped(evidence)...)
	}
	return Warn("some ports are closed for "+found[0].member.name, openFix(f, found[0]), capped(evidence)...)
}

// openFix is the command that opens what an obstacle closes.
func openFix(f Facts, o obstacle) string {
	suffix, side := "", "SourceCidrIp"
	if o.barrier.flow.direction == cloud.Egress {
		suffix, side = "Egress", "DestCidrIp"
	}
	group := firstOf(o.member.groups)
	if r := o.barrier.rule; r != nil {
		return fmt.Sprintf("aliyun ecs RevokeSecurityGroup%s --RegionId %s --SecurityGroupId %s --SecurityGroupRuleId.1 %s", suffix, f.Cluster.Value.RegionID, groupOfRule(f, r, group), r.ID)
	}
	protocol, ports := "ALL", cloud.AnyPort
	if fl := o.barrier.flow; fl.from == fl.to && fl.from > 0 {
		protocol, ports = strings.ToUpper(fl.protocol), fmt.Sprintf("%d/%d", fl.from, fl.to)
	} else if fl.protocol == "icmp" {
		protocol = "ICMP"
	}
	return fmt.Sprintf("aliyun ecs AuthorizeSecurityGroup%s --RegionId %s --SecurityGroupId %s --IpProtocol %s --PortRange %s --%s %s --Priority 1", suffix, f.Cluster.Value.RegionID, group, protocol, ports, side, o.barrier.flow.peer)
}

func groupOfRule(f Facts, rule *cloud.SecurityRule, otherwise string) string {
	for _, g := range f.SecurityGroups.Value {
		if slices.ContainsFunc(g.Rules, func(r cloud.SecurityRule) bool { return r.ID == rule.ID && r.ID != "" }) {
			return g.ID
		}
	}
	return otherwise
}

func firstOf(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// overlayPackets is how an overlay's packets look between nodes, by plugin and mode.
func overlayPackets(c datacentre.CNI) []flow {
	switch {
	case c.Mode == datacentre.VXLAN && c.Kind == datacentre.Calico:
		return []flow{{protocol: "udp", from: 4789, to: 4789}}
	case c.Mode == datacentre.VXLAN:
		return []flow{{protocol: "udp", from: 8472, to: 8472}}
	case c.Mode == datacentre.Geneve:
		return []flow{{protocol: "udp", from: 6081, to: 6081}}
	case c.Mode == datacentre.IPIP || c.Mode == datacentre.Tunnel:
		return []flow{{protocol: "ipip"}}
	}
	return nil
}
