package preflight

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
)

// State is how a part of the drawing is.
type State string

// The states.
const (
	StateOK      State = "ok"
	StateWarn    State = "warn" // a part of it does not work
	StateFail    State = "fail"
	StateUnknown State = "unknown"
)

// Networks is the two networks and what connects them, as the drawing shows them.
type Networks struct {
	DataCentre Side      `json:"dataCentre"`
	Links      []Link    `json:"links,omitempty"`     // the lines between the two
	LinksWhy   string    `json:"linksWhy,omitempty"`  // why Links is empty
	VPC        Side      `json:"vpc"`                 // the cloud's side
	VSwitches  []Subnet  `json:"vSwitches,omitempty"` // sorted by zone and ID
	Services   []string  `json:"services,omitempty"`  // Service CIDRs
	Nodes      []NodeDot `json:"-"`                   // data centre first; as many as the cluster has
}

// Side is one of the two networks.
type Side struct {
	Title string   `json:"title"`
	Lines []string `json:"lines,omitempty"`
	State State    `json:"state"`
}

// Link is a VBR with its BGP sessions.
type Link struct {
	Name  string   `json:"name"`
	Lines []string `json:"lines,omitempty"`
	State State    `json:"state"`
}

// Subnet is a vSwitch.
type Subnet struct {
	ID   string `json:"id"`
	Zone string `json:"zone"`
	CIDR string `json:"cidr"`
	Free int    `json:"free"`
	Use  string `json:"use"` // pods, nodes, or "" when neither is known
}

// NodeDot is a node in the drawing.
type NodeDot struct {
	Name  string `json:"name"`
	Cloud bool   `json:"cloud"`
	State State  `json:"state"`
}

func networksOf(f Facts) Networks {
	links, why := linksOf(f)
	return Networks{
		DataCentre: dataCentreOf(f), VPC: vpcOf(f), Links: links, LinksWhy: why,
		VSwitches: subnetsOf(f), Services: prefixes(f.Server.Value.ServiceCIDRs), Nodes: dotsOf(f),
	}
}

func dataCentreOf(f Facts) Side {
	side := Side{Title: "Data centre", State: StateOK}
	if !f.CNIs.Known {
		return Side{Title: side.Title, State: StateUnknown, Lines: []string{"network plugin: " + reason(f.CNIs.Why)}}
	}
	for _, c := range f.CNIs.Value {
		line := string(c.Kind)
		if c.Mode != "" {
			line += " (" + c.Mode + ")"
		}
		if cidrs := prefixes(c.PodCIDRs); len(cidrs) > 0 {
			line += ", pods " + strings.Join(cidrs, " ")
		}
		side.Lines = append(side.Lines, line)
	}
	if f.Server.Known && f.Server.Value.Version != "" {
		side.Lines = append(side.Lines, "Kubernetes "+f.Server.Value.Version)
	}
	return side
}

func vpcOf(f Facts) Side {
	side := Side{Title: "VPC", State: StateOK}
	if !f.VPC.Known {
		side.State, side.Lines = StateUnknown, []string{reason(f.VPC.Why)}
	} else {
		side.Title = strings.TrimSpace("VPC " + f.VPC.Value.ID)
		side.Lines = prefixes([]netip.Prefix{f.VPC.Value.CIDR})
	}
	switch t := f.Terway.Value; {
	case f.Terway.Known && t.Installed:
		side.Lines = append(side.Lines, fmt.Sprintf("%s, ready on %d of %d", strings.TrimSpace("Terway "+t.Version), t.Ready, t.Desired))
	case f.Terway.Known:
		side.Lines = append(side.Lines, "Terway is not installed")
	}
	return side
}

func linksOf(f Facts) (links []Link, why string) {
	if !f.VBRs.Known {
		return nil, reason(f.VBRs.Why)
	}
	for _, v := range f.VBRs.Value {
		link := Link{Name: v.ID, State: StateOK, Lines: []string{"Express Connect, VLAN " + strconv.Itoa(v.VLANID), "border router " + v.Status}}
		if v.Status != cloud.VBRActive {
			link.State = StateFail
		}
		addSessions(&link, f.BGP, v.ID)
		addRoutes(&link, f, v.ID)
		links = append(links, link)
	}
	if len(links) == 0 {
		why = "no virtual border router (VBR)"
	}
	return links, why
}

func addSessions(link *Link, peers Part[[]cloud.BGPPeer], vbr string) {
	if !peers.Known {
		link.Lines = append(link.Lines, "BGP: "+reason(peers.Why))
		if link.State == StateOK {
			link.State = StateUnknown
		}
		return
	}
	sessions, up := 0, 0
	for _, p := range peers.Value {
		if p.VBR != vbr {
			continue
		}
		sessions++
		link.Lines = append(link.Lines, "BGP session "+p.BGPStatus, fmt.Sprintf("with %s, AS %d", p.PeerIP, p.PeerASN))
		if p.BGPStatus == cloud.BGPEstablished {
			up++
		}
	}
	switch {
	case link.State == StateFail || up == sessions:
	case up > 0:
		link.State = StateWarn
	default:
		link.State = StateFail
	}
}

// addRoutes says which routes the border router learned from the data centre, and which of the VPC it announces there.
func addRoutes(link *Link, f Facts, vbr string) {
	var learned, announced []netip.Prefix
	for _, table := range f.Routes.Value {
		for _, route := range table.Entries {
			if route.Type == cloud.RouteBGP && (table.Router == vbr || route.NextHopID == vbr) && !slices.Contains(learned, route.CIDR) {
				learned = append(learned, route.CIDR)
			}
		}
	}
	for _, network := range f.BGPNetworks.Value {
		if network.VBR == vbr {
			announced = append(announced, network.CIDR)
		}
	}
	if f.Routes.Known {
		link.Lines = append(link.Lines, "learned: "+few(prefixes(learned)))
	}
	if f.BGPNetworks.Known {
		link.Lines = append(link.Lines, "announced: "+few(prefixes(announced)))
	}
}

// few is a list of which the first three are named.
func few(list []string) string {
	switch {
	case len(list) == 0:
		return "nothing"
	case len(list) > 3:
		return fmt.Sprintf("%s and %d more", strings.Join(list[:3], ", "), len(list)-3)
	}
	return strings.Join(list, ", ")
}

func subnetsOf(f Facts) []Subnet {
	var subnets []Subnet
	for _, v := range f.VSwitches.Value {
		s := Subnet{ID: v.ID, Zone: v.ZoneID, CIDR: prefix(v.CIDR), Free: v.Free}
		switch {
		case slices.Contains(slices.Concat(f.Terway.Value.Config.VSwitches[v.ZoneID], f.Cluster.Value.PodVSwitches), v.ID):
			s.Use = "pods"
		case slices.Contains(f.Cluster.Value.NodeVSwitches, v.ID):
			s.Use = "nodes"
		}
		subnets = append(subnets, s)
	}
	slices.SortFunc(subnets, func(a, b Subnet) int { return cmp.Or(cmp.Compare(a.Zone, b.Zone), cmp.Compare(a.ID, b.ID)) })
	return subnets
}

func dotsOf(f Facts) []NodeDot {
	var dots []NodeDot
	for _, n := range f.Nodes.Value {
		dot := NodeDot{Name: n.Name, Cloud: n.Cloud, State: StateOK}
		if !n.Ready {
			dot.State = StateFail
		}
		dots = append(dots, dot)
	}
	slices.SortStableFunc(dots, func(a, b NodeDot) int {
		if a.Cloud == b.Cloud {
			return cmp.Compare(a.Name, b.Name)
		}
		if b.Cloud {
			return -1
		}
		return 1
	})
	return dots
}

func reason(why string) string { return cmp.Or(why, "not known") }

func prefixes(list []netip.Prefix) []string {
	var texts []string
	for _, p := range list {
		if p.IsValid() {
			texts = append(texts, p.String())
		}
	}
	return texts
}

func prefix(p netip.Prefix) string { return strings.Join(prefixes([]netip.Prefix{p}), "") }
