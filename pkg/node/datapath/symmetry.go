package datapath

import "fmt"

// What symmetric routing has, as upstream's has it: operators look for these. The mark is clear of kube-proxy's 0x4000 and
// 0x8000, of AWS's 0x80 and of the ENI's slot.
const (
	PrioritySymmetry = 600                // before PriorityENI
	SymmetryTable    = "terway_symmetric" // a table of nftables, family inet
	MainTable        = 254                // RT_TABLE_MAIN
)

// DefaultReplyMark is the mark of replies, and of the connections that they belong to.
func DefaultReplyMark() Mark { return Mark{Value: 0x10, Mask: 0x10} }

// Symmetry is symmetric routing: a reply of a pod to a connection that entered the node by Dev leaves by the node's own routes,
// though the pod's address is on another ENI. Such connections are those to NodePorts and hostPorts: their reply gets
// the node's address as its source only after routing, and would leave by the pod's ENI, where the VPC drops it.
//
// The connection is remembered by its conntrack mark, and its replies get the same mark before routing. A rule with
// PrioritySymmetry sends them to the main table.
type Symmetry struct {
	Dev   string // the node's own link, that of main's default route
	Index int
	Mark  Mark
}

// IsZero reports whether s is none.
func (s Symmetry) IsZero() bool { return s == Symmetry{} }

// String is the command that makes s, or makes it anew.
func (s Symmetry) String() string {
	return fmt.Sprintf(`nft -f - <<'END'
table inet %[1]s
delete table inet %[1]s
table inet %[1]s {
	chain prerouting {
		type filter hook prerouting priority mangle
		iif "%[2]s" ct state new ct mark set ct mark and 0x%[5]x or 0x%[3]x comment "%[7]s"
		iifgroup %[6]d ct direction reply ct mark and 0x%[4]x == 0x%[3]x meta mark set meta mark and 0x%[5]x or 0x%[3]x comment "%[7]s"
	}
}
END`, SymmetryTable, s.Dev, s.Mark.Value, s.Mark.Mask, ^s.Mark.Mask, Group, s.Comment())
}

// Comment is what each rule of s carries, by which Check knows them.
func (s Symmetry) Comment() string { return fmt.Sprintf("entered by link %d: %s", s.Index, s.Mark) }

// Content is s and the rule for the marked, of IPv6 as well where there is some; nothing of the zero Symmetry.
func (s Symmetry) Content(ipv6 bool) NetNS {
	if s.IsZero() {
		return NetNS{}
	}
	n := NetNS{Symmetry: []Symmetry{s}, Rules: []Rule{{Priority: PrioritySymmetry, Mark: s.Mark, Table: MainTable}}}
	if ipv6 {
		n.Rules = append(n.Rules, Rule{Priority: PrioritySymmetry, IPv6: true, Mark: s.Mark, Table: MainTable})
	}
	return n
}

func anyIPv6(enis []ENI) bool {
	for _, e := range enis {
		if e.Gateway6.IsValid() {
			return true
		}
	}
	return false
}
