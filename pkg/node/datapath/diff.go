package datapath

import "fmt"

// Diff says, a sentence each, what of want is missing from got or is otherwise there; nothing when got holds all of want.
// What got holds besides is somebody else's and is not mentioned.
func Diff(want, got NetNS) []string {
	var found []string
	for _, w := range want.Links {
		found = append(found, diffLink(w, got.Links)...)
	}
	found = append(found, missing(want.Addrs, got.Addrs, func(a Addr) string { return fmt.Sprint("address ", a.Prefix, " of ", a.Dev) })...)
	found = append(found, missing(want.Neighs, got.Neighs, func(n Neigh) string { return fmt.Sprint("neighbour ", n.IP, " of ", n.Dev) })...)
	found = append(found, missing(want.Routes, got.Routes, func(r Route) string { return fmt.Sprint("route ", r.Dst, " in table ", r.Table) })...)
	return append(found, missing(want.Rules, got.Rules, Rule.String)...)
}

func diffLink(want Link, got []Link) []string {
	for _, g := range got {
		if g.Name == want.Name {
			return diffFields(want, g)
		}
	}
	return []string{fmt.Sprintf("link %s is missing", want.Name)}
}

func diffFields(want, got Link) []string {
	var found []string
	differs := func(differs bool, what string, is, wanted any) {
		if differs {
			found = append(found, fmt.Sprintf("link %s: %s is %v, not %v", want.Name, what, is, wanted))
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
	differs(!want.IngressMark.IsZero() && want.IngressMark != got.IngressMark, "ingress mark", got.IngressMark, want.IngressMark)
	return found
}

// missing compares items as wholes; one that is there under the same name but otherwise is told with what it is.
func missing[T interface {
	comparable
	fmt.Stringer
}](want, got []T, name func(T) string) []string {
	have, named := make(map[T]bool, len(got)), make(map[string]T, len(got))
	for _, g := range got {
		have[g], named[name(g)] = true, g
	}
	var found []string
	for _, w := range want {
		if have[w] {
			continue
		}
		if other, ok := named[name(w)]; ok {
			found = append(found, fmt.Sprintf("%s is otherwise: there is %q, not %q", name(w), other, w))
			continue
		}
		found = append(found, fmt.Sprintf("missing: %s", w))
	}
	return found
}
