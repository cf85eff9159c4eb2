package datapath

import (
	"fmt"
	"net/netip"
)

// Difference is one thing that is not as it must be.
type Difference struct {
	Kind string // "link", "mark", "qdisc", "address", "neighbour", "route", "rule", "symmetry" or "masquerade"
	Text string // a sentence
}

// Disturbance is where somebody took or changed something that may be ours. The zero value is all of the namespace: what
// happened there was not seen.
type Disturbance struct {
	Link int        // index of the link it was on, or was about; 0 for a rule
	From netip.Addr // the pod's address of a rule that is for one pod; zero for all others
	Rule bool       // a rule; of From when that is valid, else of the host
}

// Diff says, a sentence each, what of want is missing from got or is otherwise there; nothing when got holds all of want.
// What got holds besides is somebody else's and is not mentioned.
func Diff(want, got NetNS) []string {
	var found []string
	for _, d := range Compare(want, got) {
		found = append(found, d.Text)
	}
	return found
}

// Compare is Diff with the kind of each thing.
func Compare(want, got NetNS) []Difference {
	var found []Difference
	for _, w := range want.Links {
		found = append(found, diffLink(w, got.Links)...)
	}
	found = append(found, missing("address", want.Addrs, got.Addrs, func(a Addr) string { return fmt.Sprint("address ", a.Prefix, " of ", a.Dev) })...)
	found = append(found, missing("neighbour", want.Neighs, got.Neighs, func(n Neigh) string { return fmt.Sprint("neighbour ", n.IP, " of ", n.Dev) })...)
	found = append(found, missing("route", want.Routes, got.Routes, func(r Route) string { return fmt.Sprint("route ", r.Dst, " in table ", r.Table) })...)
	found = append(found, missing("symmetry", want.Symmetry, got.Symmetry, func(Symmetry) string { return "symmetric routing" })...)
	found = append(found, missing("masquerade", want.Masquerade, got.Masquerade, func(Masquerade) string { return "masquerading" })...)
	return append(found, missing("rule", want.Rules, got.Rules, Rule.String)...)
}

func diffLink(want Link, got []Link) []Difference {
	for _, g := range got {
		if g.Name == want.Name {
			return diffFields(want, g)
		}
	}
	return []Difference{{"link", fmt.Sprintf("link %s is missing", want.Name)}}
}

func diffFields(want, got Link) []Difference {
	var found []Difference
	differs := func(differs bool, what string, is, wanted any) {
		if differs {
			kind := "link"
			switch what {
			case "ingress mark":
				kind = "mark"
			case "limit in bytes a second", "limit of what comes in, in bytes a second":
				kind = "qdisc"
			}
			found = append(found, Difference{kind, fmt.Sprintf("link %s: %s is %v, not %v", want.Name, what, is, wanted)})
		}
	}
	differs(want.MAC != "" && want.MAC != got.MAC, "MAC", got.MAC, want.MAC)
	differs(want.MTU != 0 && want.MTU != got.MTU, "MTU", got.MTU, want.MTU)
	differs(got.Down && !want.Down, "state", "down", "up")
	differs(want.Alias != "" && want.Alias != got.Alias, "alias", fmt.Sprintf("%q", got.Alias), fmt.Sprintf("%q", want.Alias))
	differs(want.Group != 0 && want.Group != got.Group, "group", got.Group, want.Group)
	differs(want.Forward && !got.Forward, "forwarding", 0, 1)
	differs(want.RPFilter != 0 && want.RPFilter != got.RPFilter, "rp_filter", got.RPFilter, want.RPFilter)
	differs(want.NoLinkLocal && !got.NoLinkLocal, "addrgenmode", "on", "none")
	differs(want.Limit != 0 && want.Limit != got.Limit, "limit in bytes a second", got.Limit, want.Limit)
	differs(want.IngressLimit != 0 && want.IngressLimit != got.IngressLimit, "limit of what comes in, in bytes a second", got.IngressLimit, want.IngressLimit)
	differs(!want.IngressMark.IsZero() && want.IngressMark != got.IngressMark, "ingress mark", got.IngressMark, want.IngressMark)
	return found
}

// missing compares items as wholes; one that is there under the same name but otherwise is told with what it is.
func missing[T interface {
	comparable
	fmt.Stringer
}](kind string, want, got []T, name func(T) string) []Difference {
	have, named := make(map[T]bool, len(got)), make(map[string]T, len(got))
	for _, g := range got {
		have[g], named[name(g)] = true, g
	}
	var found []Difference
	for _, w := range want {
		if have[w] {
			continue
		}
		if other, ok := named[name(w)]; ok {
			found = append(found, Difference{kind, fmt.Sprintf("%s is otherwise: there is %q, not %q", name(w), other, w)})
			continue
		}
		found = append(found, Difference{kind, fmt.Sprintf("missing: %s", w)})
	}
	return found
}
