package fabric

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
)

// Security groups are a table of nftables in the VPC router, where every packet between ports, and between a port and
// the data centre, is forwarded. What the router itself answers (gateways, the cloud's API) passes no rules.
//
// Only the first direction of a connection meets the rules, and each of its packets does: a rule that is taken away
// ends the connections it let in, as in ECS, and answers need no rule of their own.

// rulesTable is the table's name.
const rulesTable = "security_groups"

// ruleset is the table as text for nft, "" when no port has a security group.
func ruleset(network fakecloud.Network) string {
	w := &rulesetWriter{groups: map[string]fakecloud.SecurityGroup{}, chains: map[string]bool{}}
	for _, g := range network.SecurityGroups {
		w.groups[g.ID] = g
	}
	for _, port := range network.Ports {
		w.port(port)
	}
	if len(w.chains) == 0 {
		return ""
	}
	for _, id := range slices.Sorted(slices.Values(w.referred)) {
		w.set(id)
	}
	return w.text()
}

// rulesetWriter collects the parts of the table. Ports with the same groups share their chains.
type rulesetWriter struct {
	groups   map[string]fakecloud.SecurityGroup
	chains   map[string]bool
	referred []string // groups that rules name
	sets     strings.Builder
	bodies   strings.Builder
	ports    []string // all links of ports
	from, to []string // elements of the verdict maps
}

func (w *rulesetWriter) port(port fakecloud.Port) {
	link := linkName(portPrefix, port.ENI)
	w.ports = append(w.ports, link)
	if len(port.SecurityGroups) == 0 {
		return
	}
	ids := slices.Compact(slices.Sorted(slices.Values(port.SecurityGroups)))
	name := fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(ids, " "))))[:12]
	if !w.chains[name] {
		w.chains[name] = true
		w.chain("from_"+name, ids, cloud.Egress, "return", w.undecided(ids))
		w.chain("to_"+name, ids, cloud.Ingress, "accept", "drop")
	}
	w.from = append(w.from, link+" : jump from_"+name)
	w.to = append(w.to, link+" : jump to_"+name)
}

// undecided is what happens on the way out to a packet that no rule of the groups decides.
func (w *rulesetWriter) undecided(ids []string) string {
	if slices.ContainsFunc(ids, func(id string) bool { return w.groups[id].Type == cloud.SecurityGroupEnterprise }) {
		return "drop"
	}
	return "return"
}

// chain writes the rules of several groups, in the order they decide, and what happens to the rest.
func (w *rulesetWriter) chain(name string, ids []string, direction cloud.Direction, accept, rest string) {
	var rules []cloud.SecurityRule
	for _, id := range ids {
		for _, r := range w.groups[id].Rules {
			if r.Direction == direction {
				rules = append(rules, r)
			}
		}
	}
	slices.SortStableFunc(rules, func(a, b cloud.SecurityRule) int {
		if a.Priority != b.Priority {
			return a.Priority - b.Priority
		}
		return -strings.Compare(string(a.Policy), string(b.Policy)) // "drop" before "accept"
	})
	fmt.Fprintf(&w.bodies, "\tchain %s {\n", name)
	for _, r := range rules {
		verdict := accept
		if r.Policy == cloud.RuleDrop {
			verdict = "drop"
		}
		for _, match := range w.matches(r) {
			fmt.Fprintf(&w.bodies, "\t\t%s%s\n", match, verdict)
		}
	}
	fmt.Fprintf(&w.bodies, "\t\t%s\n\t}\n", rest)
}

// matches are a rule's conditions, each with a space behind it: one, but two for a group, which has addresses of both
// families. One that names every IPv4 address says nothing of IPv6, and the other way round.
func (w *rulesetWriter) matches(r cloud.SecurityRule) (texts []string) {
	end := "saddr"
	if r.Direction == cloud.Egress {
		end = "daddr"
	}
	switch {
	case r.SourceGroup != "":
		if !slices.Contains(w.referred, r.SourceGroup) {
			w.referred = append(w.referred, r.SourceGroup)
		}
		texts = []string{fmt.Sprintf("ip %s @%s ", end, setName(r.SourceGroup)), fmt.Sprintf("ip6 %s @%s_6 ", end, setName(r.SourceGroup))}
	case !r.CIDR.IsValid():
		return nil
	case r.CIDR.Bits() == 0 && r.CIDR.Addr().Is4():
		texts = []string{"meta nfproto ipv4 "}
	case r.CIDR.Bits() == 0:
		texts = []string{"meta nfproto ipv6 "}
	case r.CIDR.Addr().Is4():
		texts = []string{fmt.Sprintf("ip %s %s ", end, r.CIDR.Masked())}
	default:
		texts = []string{fmt.Sprintf("ip6 %s %s ", end, r.CIDR.Masked())}
	}
	for i := range texts {
		texts[i] += protocol(r, strings.Contains(texts[i], "6 "))
	}
	return texts
}

// protocol is the part of a condition that says what is carried.
func protocol(r cloud.SecurityRule, ipv6 bool) string {
	switch {
	case r.Protocol == "" || r.Protocol == "all":
		return ""
	case r.Protocol == "icmp" && ipv6:
		return "meta l4proto icmpv6 "
	case r.Ports == "" || r.Ports == cloud.AnyPort:
		return "meta l4proto " + r.Protocol + " "
	}
	return fmt.Sprintf("%s dport %s ", r.Protocol, strings.ReplaceAll(r.Ports, "/", "-"))
}

func setName(group string) string { return fmt.Sprintf("g_%x", sha256.Sum256([]byte(group)))[:14] }

// set writes the addresses of a group. A group that does not exist has none.
func (w *rulesetWriter) set(group string) {
	var v4, v6 []string
	for _, m := range slices.SortedFunc(slices.Values(w.groups[group].Members), netip.Prefix.Compare) {
		if m.Addr().Is4() {
			v4 = append(v4, m.String())
			continue
		}
		v6 = append(v6, m.String())
	}
	w.family(setName(group), "ipv4_addr", v4)
	w.family(setName(group)+"_6", "ipv6_addr", v6)
}

func (w *rulesetWriter) family(name, kind string, members []string) {
	fmt.Fprintf(&w.sets, "\tset %s {\n\t\ttype %s\n\t\tflags interval\n", name, kind)
	if len(members) > 0 {
		fmt.Fprintf(&w.sets, "\t\telements = { %s }\n", strings.Join(slices.Compact(members), ", "))
	}
	w.sets.WriteString("\t}\n")
}

// text is the whole table. A port that is not in it yet, or no longer, is closed.
func (w *rulesetWriter) text() string {
	for _, list := range [][]string{w.ports, w.from, w.to} {
		slices.Sort(list)
	}
	return fmt.Sprintf(`	set ports {
		type ifname
		elements = { %s }
	}
%s%s	chain forward {
		type filter hook forward priority filter; policy accept;
		ct state related accept
		ct state established ct direction reply accept
		iifname vmap { %s }
		iifname "%s*" iifname != @ports drop
		oifname vmap { %s }
		oifname "%s*" oifname != @ports drop
	}
`, strings.Join(w.ports, ", "), w.sets.String(), w.bodies.String(), strings.Join(w.from, ", "), portPrefix, strings.Join(w.to, ", "), portPrefix)
}
