package fakecloud

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// ENIRequest is what CreateNetworkInterface takes beyond an ENISpec.
type ENIRequest struct {
	cloud.ENISpec
	PrimaryIPv4   netip.Addr   // the zero Addr lets the service choose
	SecondaryIPs  []netip.Addr // in place of SecondaryIPv4
	IPv6Addresses []netip.Addr // in place of IPv6
}

// ENIView is an ENI with what the API shows of its attachment.
type ENIView struct {
	cloud.ENI
	Trunk    string    // the trunk ENI above a member
	VLAN     int       // of a member
	Members  []string  // of a trunk, sorted
	Attached time.Time // the zero Time when it is not
}

func (s *state) viewENI(e *eniRecord) ENIView {
	v := s.VSwitches[e.VSwitchID]
	view := ENIView{Trunk: e.Trunk, VLAN: e.VLAN, Attached: e.Attached, ENI: cloud.ENI{
		ID: e.ID, Name: e.Name, Description: e.Description, Status: e.Status, Type: e.Type, MAC: e.MAC,
		ZoneID: v.ZoneID, VPCID: v.VPCID, VSwitchID: e.VSwitchID, SecurityGroups: slices.Clone(e.SecurityGroups), Instance: e.Instance,
		IPv4: addresses(e.IPv4), IPv6: addresses(e.IPv6), Prefixes: slices.Clone(e.Prefixes), Tags: maps.Clone(e.Tags), CreatedAt: e.Created, DeleteOnRelease: e.DeleteOnRelease,
	}}
	if e.Type != cloud.ENITrunk {
		return view
	}
	for _, id := range sorted(s.ENIs) {
		if s.ENIs[id].Trunk == e.ID {
			view.Members = append(view.Members, id)
		}
	}
	return view
}

// CreateENI makes an ENI, Available at once.
func (s *Session) CreateENI(ctx context.Context, spec cloud.ENISpec) (cloud.ENI, error) {
	view, err := s.CreateENIFrom(ctx, ENIRequest{ENISpec: spec})
	return view.ENI, err
}

// CreateENIFrom is CreateENI with addresses of the caller's choice.
func (s *Session) CreateENIFrom(ctx context.Context, r ENIRequest) (ENIView, error) {
	c := call{action: "ecs:CreateNetworkInterface", subject: "in " + r.VSwitchID, write: true, resources: []string{"eni/*", "acs:vpc:%s:%s:vswitch/" + r.VSwitchID}}
	for _, id := range r.SecurityGroups {
		c.resources = append(c.resources, "securitygroup/"+id)
	}
	var view ENIView
	err := s.do(ctx, c, func(t *tx) error {
		return t.once(c.action, r.ClientToken, r, &view, func() error {
			e, err := t.createENI(r)
			if err != nil {
				return err
			}
			view = t.viewENI(e)
			return nil
		})
	})
	return view, err
}

func (t *tx) createENI(r ENIRequest) (*eniRecord, error) {
	v, err := t.checkENIRequest(r)
	if err != nil {
		return nil, err
	}
	v4, err := t.chooseIPv4(v, r)
	if err != nil {
		return nil, err
	}
	blocks, err := t.pickPrefixes(v, r.Prefixes, v4)
	if err != nil {
		return nil, err
	}
	v6 := r.IPv6Addresses
	if len(v6) == 0 {
		if v6, err = t.pickIPv6(v, r.IPv6); err != nil {
			return nil, err
		}
	}
	if err := t.checkRoom(r.SecurityGroups, 1, len(v4)+len(blocks)+len(v6)); err != nil {
		return nil, err
	}
	e := &eniRecord{
		ID: t.newID("eni"), Name: r.Name, Description: r.Description, Status: cloud.ENIAvailable, Type: cloud.ENISecondary, MAC: t.newMAC(),
		VSwitchID: v.ID, SecurityGroups: slices.Clone(r.SecurityGroups), IPv4: stamped(v4, t.now), IPv6: stamped(v6, t.now), Prefixes: blocks,
		Tags: maps.Clone(r.Tags), DeleteOnRelease: r.DeleteOnRelease, Created: t.now.Truncate(time.Second),
	}
	if r.Type != "" {
		e.Type = r.Type
	}
	v.Cursor = v4[len(v4)-1]
	t.ENIs[e.ID] = e
	return e, nil
}

// checkENIRequest refuses what the service refuses, parameters before resources before quotas.
func (t *tx) checkENIRequest(r ENIRequest) (*vswitchRecord, error) {
	switch {
	case r.VSwitchID == "":
		return nil, fail("MissingParameter", "The input parameter \"VSwitchId\" that is mandatory for processing this request is not supplied.")
	case len(r.SecurityGroups) == 0:
		return nil, fail("MissingParameter", "The input parameter \"SecurityGroupId\" that is mandatory for processing this request is not supplied.")
	case r.Type != "" && r.Type != cloud.ENISecondary && r.Type != cloud.ENITrunk:
		return nil, fail("InvalidParameter", "The specified parameter \"InstanceType\" is not valid.")
	case r.SecondaryIPv4 < 0 || r.SecondaryIPv4 > 49 || len(r.SecondaryIPs) > 10:
		return nil, fail("InvalidParameter", "The specified parameter \"SecondaryPrivateIpAddressCount\" is not valid.")
	case r.SecondaryIPv4 > 0 && len(r.SecondaryIPs) > 0:
		return nil, fail("InvalidParameter.Conflict", "PrivateIpAddress and SecondaryPrivateIpAddressCount exclude each other.")
	case r.Prefixes < 0 || r.Prefixes > cloud.MaxPrefixes:
		return nil, fail("InvalidParameter", "The specified parameter \"Ipv4PrefixCount\" is not valid.")
	case r.Prefixes > 0 && (r.SecondaryIPv4 > 0 || len(r.SecondaryIPs) > 0):
		return nil, fail("InvalidParameter.Conflict", "Ipv4PrefixCount excludes PrivateIpAddress and SecondaryPrivateIpAddressCount.")
	case r.IPv6 < 0 || r.IPv6 > cloud.MaxIPv6AtCreation || len(r.IPv6Addresses) > 10:
		return nil, fail("InvalidParameter", "The specified parameter \"Ipv6AddressCount\" is not valid.")
	case r.IPv6 > 0 && len(r.IPv6Addresses) > 0:
		return nil, fail("InvalidParameter.Conflict", "Ipv6Address and Ipv6AddressCount exclude each other.")
	case len(r.Tags) > 20:
		return nil, fail("QuotaExceed.Tags", "The maximum number of tags is exceeded.")
	case len(r.ClientToken) > 64:
		return nil, fail("InvalidParameter", "The specified parameter \"ClientToken\" is not valid.")
	}
	v, known := t.VSwitches[r.VSwitchID]
	if !known {
		return nil, fail("InvalidVSwitchId.NotFound", "The specified VSwitchId %q does not exist.", r.VSwitchID)
	}
	if err := t.checkSecurityGroups(r.SecurityGroups, v.VPCID); err != nil {
		return nil, err
	}
	if len(t.ENIs) >= t.options.ENIQuota {
		return nil, fail("MaxEniCountExceeded", "The maximum number of ENIs of the account in this region, %d, is exceeded.", t.options.ENIQuota)
	}
	return v, nil
}

// chooseIPv4 is the new ENI's addresses, primary first. Given ones are checked, the others chosen.
func (t *tx) chooseIPv4(v *vswitchRecord, r ENIRequest) ([]netip.Addr, error) {
	given := slices.Clone(r.SecondaryIPs)
	if r.PrimaryIPv4.IsValid() {
		given = append(given, r.PrimaryIPv4)
	}
	if err := t.checkIPv4(v, given); err != nil {
		return nil, err
	}
	if err := t.checkIPv6(v, r.IPv6Addresses); err != nil {
		return nil, err
	}
	missing := r.SecondaryIPv4
	if !r.PrimaryIPv4.IsValid() {
		missing++
	}
	picked, err := t.pickIPv4(v, missing, given...)
	if err != nil {
		return nil, err
	}
	if r.PrimaryIPv4.IsValid() {
		return slices.Concat([]netip.Addr{r.PrimaryIPv4}, r.SecondaryIPs, picked), nil
	}
	return slices.Concat(picked[:1], r.SecondaryIPs, picked[1:]), nil
}

// ENIQuery selects ENIs by more than an ENIFilter.
type ENIQuery struct {
	cloud.ENIFilter
	Name          string
	SecurityGroup string
	PrimaryIP     netip.Addr   // the zero Addr is any
	Addresses     []netip.Addr // IPv4 or IPv6, one of them must be on the ENI
}

// DescribeENIs returns the ENIs that match, sorted by ID. IDs that do not exist are left out.
func (s *Session) DescribeENIs(ctx context.Context, filter cloud.ENIFilter) ([]cloud.ENI, error) {
	views, err := s.QueryENIs(ctx, ENIQuery{ENIFilter: filter})
	var enis []cloud.ENI
	for _, v := range views {
		enis = append(enis, v.ENI)
	}
	return enis, err
}

// QueryENIs returns the ENIs that match with their attachments, sorted by ID.
func (s *Session) QueryENIs(ctx context.Context, q ENIQuery) ([]ENIView, error) {
	c := call{action: "ecs:DescribeNetworkInterfaces", subject: strings.Join(q.IDs, " ")}
	for _, id := range q.IDs {
		c.resources = append(c.resources, "eni/"+id)
	}
	if len(q.IDs) == 0 {
		c.resources = []string{"eni/*"}
	}
	var views []ENIView
	err := s.do(ctx, c, func(t *tx) error {
		if len(q.IDs) > 100 || len(q.Addresses) > 100 {
			return fail("InvalidParameter", "At most 100 network interfaces or addresses may be given.")
		}
		for _, id := range sorted(t.ENIs) {
			if view := t.viewENI(t.ENIs[id]); q.matches(view) {
				views = append(views, view)
			}
		}
		return nil
	})
	return views, err
}

// ENIAttribute is one ENI (DescribeNetworkInterfaceAttribute), NotFound when it does not exist.
func (s *Session) ENIAttribute(ctx context.Context, id string) (ENIView, error) {
	var view ENIView
	err := s.do(ctx, call{action: "ecs:DescribeNetworkInterfaceAttribute", subject: id, resources: []string{"eni/" + id}}, func(t *tx) error {
		e, err := t.eni(id)
		if err == nil {
			view = t.viewENI(e)
		}
		return err
	})
	return view, err
}

func (q ENIQuery) matches(e ENIView) bool {
	any := func(want, have string) bool { return want == "" || want == have }
	for key, value := range q.Tags {
		if have, tagged := e.Tags[key]; !tagged || have != value {
			return false
		}
	}
	on := func(a netip.Addr) bool { return slices.Contains(e.IPv4, a) || slices.Contains(e.IPv6, a) }
	return (len(q.IDs) == 0 || slices.Contains(q.IDs, e.ID)) &&
		any(q.Instance, e.Instance) && any(q.VPCID, e.VPCID) && any(q.VSwitchID, e.VSwitchID) && any(q.Name, e.Name) &&
		any(string(q.Type), string(e.Type)) && any(string(q.Status), string(e.Status)) &&
		(q.SecurityGroup == "" || slices.Contains(e.SecurityGroups, q.SecurityGroup)) &&
		(!q.PrimaryIP.IsValid() || e.Primary() == q.PrimaryIP) &&
		(len(q.Addresses) == 0 || slices.ContainsFunc(q.Addresses, on))
}
