package preflight

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/onectl/onectl/pkg/cloud"
)

func lineChecks() []Check {
	return []Check{
		{
			ID: "vbr-exists", Title: "A virtual border router ends the line in the cloud", Category: categoryLine, Severity: Error,
			Explain: "The data centre's router talks BGP with a virtual border router (VBR), the cloud's end of an Express Connect circuit. The BGP scenario needs one. The other scenarios may use another line, a VPN gateway for instance, which shows in the routes to data-centre nodes.",
			Fix:     "aliyun vpc CreateVirtualBorderRouter --PhysicalConnectionId pc-… --VlanId N --LocalGatewayIp A --PeerGatewayIp B --PeeringSubnetMask M", Run: vbrExists,
		},
		{
			ID: "vbr-active", Title: "The virtual border routers are active", Category: categoryLine, Severity: Error,
			Explain: "Only an active VBR forwards packets. Judged are those that share a CEN instance with the VPC, or all when none does; unconfirmed waits for the circuit's owner to accept, terminated was stopped on purpose or for unpaid bills.",
			Fix:     "aliyun vpc RecoverVirtualBorderRouter --VbrId vbr-…", Run: vbrActive,
		},
		{
			ID: "cen-vpc-attached", Title: "The VPC is connected towards the data centre", Category: categoryLine, Severity: Error,
			Explain: "A VBR and a VPC do not see each other by themselves. Either both belong to a Cloud Enterprise Network (CEN) instance, or routes of the VPC lead to an Express Connect router interface. With neither, nothing learned by the VBR reaches the VPC.",
			Fix:     "aliyun cbn AttachCenChildInstance --CenId cen-… --ChildInstanceType VPC --ChildInstanceId vpc-… --ChildInstanceRegionId REGION", Run: cenVPC,
		},
		{
			ID: "cen-vbr-attached", Title: "A virtual border router belongs to the VPC's CEN instance", Category: categoryLine, Severity: Error,
			Explain: "CEN exchanges routes only between networks that are attached to the same instance. A VBR outside it keeps what it learned for itself. VBRs outside belong to other networks, unless none is inside.",
			Fix:     "aliyun cbn AttachCenChildInstance --CenId cen-… --ChildInstanceType VBR --ChildInstanceId vbr-… --ChildInstanceRegionId REGION", Run: cenVBR,
		},
	}
}

func vbrExists(f Facts) Finding {
	if !f.VBRs.Known {
		return NotKnown(f.VBRs.Why)
	}
	switch {
	case len(f.VBRs.Value) > 0:
		var ids []string
		for _, v := range f.VBRs.Value {
			ids = append(ids, v.ID)
		}
		return Pass(count(len(ids), "VBR"), ids...)
	case f.Scenario != "bgp" && f.Scenario != "":
		return NotApplicable("no VBR: the line is another one; see datacentre-nodes-routed")
	}
	return Fail("there is no virtual border router", "aliyun vpc CreateVirtualBorderRouter --PhysicalConnectionId pc-… --VlanId N --LocalGatewayIp A --PeerGatewayIp B --PeeringSubnetMask M")
}

// lineVBRs is the VBRs of this VPC's lines: an account may have others for other networks. They are those that share a
// CEN instance with the VPC; when none does, any may be meant.
func lineVBRs(f Facts) []cloud.VBR {
	instances := cenOf(f, f.VPC.Value.ID)
	shared := slices.DeleteFunc(slices.Clone(f.VBRs.Value), func(v cloud.VBR) bool {
		return !slices.ContainsFunc(cenOf(f, v.ID), func(cen string) bool { return slices.Contains(instances, cen) })
	})
	if len(shared) == 0 {
		return f.VBRs.Value
	}
	return shared
}

// activeVBRs is those of them that forward.
func activeVBRs(f Facts) []cloud.VBR {
	return slices.DeleteFunc(slices.Clone(lineVBRs(f)), func(v cloud.VBR) bool { return v.Status != cloud.VBRActive })
}

func vbrActive(f Facts) Finding {
	if !f.VBRs.Known {
		return NotKnown(f.VBRs.Why)
	}
	if len(f.VBRs.Value) == 0 {
		return NotApplicable("there is no VBR: see vbr-exists")
	}
	var evidence []string
	fix := ""
	for _, v := range lineVBRs(f) {
		evidence = append(evidence, v.ID+": "+v.Status)
		if v.Status != cloud.VBRActive {
			fix = cmp.Or(fix, "aliyun vpc RecoverVirtualBorderRouter --VbrId "+v.ID)
		}
	}
	active := len(activeVBRs(f))
	switch {
	case active == 0:
		return Fail("no VBR is active", fix, evidence...)
	case fix != "":
		return Warn(fmt.Sprintf("%d of %d VBRs are active", active, len(evidence)), fix, evidence...)
	}
	return Pass("every VBR is active", evidence...)
}

// cenOf is the CEN instances that a network takes part in.
func cenOf(f Facts, child string) (list []string) {
	for _, a := range f.CEN.Value {
		if a.Child == child && a.Status == cloud.CENAttached {
			list = append(list, a.CEN)
		}
	}
	return list
}

// byInterface reports whether routes of the VPC lead to an Express Connect router interface: then no CEN is needed.
func byInterface(f Facts) bool {
	for _, table := range f.Routes.Value {
		for _, r := range table.Entries {
			if table.VPC != "" && r.NextHopType == cloud.HopRouterInterface {
				return true
			}
		}
	}
	return false
}

// attaching is what CEN checks start with: a finding when there is nothing to judge.
func attaching(f Facts) *Finding {
	var early Finding
	switch {
	case !f.VBRs.Known:
		early = NotKnown(f.VBRs.Why)
	case len(f.VBRs.Value) == 0:
		early = NotApplicable("there is no VBR to connect")
	case byInterface(f):
		early = Pass("the VPC's routes lead to an Express Connect router interface")
	case cmp.Or(unread(f.CEN), unread(f.VPC)) != "":
		early = NotKnown(cmp.Or(unread(f.CEN), unread(f.VPC)))
	default:
		return nil
	}
	return &early
}

func cenVPC(f Facts) Finding {
	if early := attaching(f); early != nil {
		return *early
	}
	vpc := f.VPC.Value.ID
	if list := cenOf(f, vpc); len(list) > 0 {
		return Pass(vpc+" is attached", list...)
	}
	var evidence []string
	for _, a := range f.CEN.Value {
		evidence = append(evidence, fmt.Sprintf("%s: %s %s is %s", a.CEN, a.ChildType, a.Child, a.Status))
	}
	cen := "cen-…"
	for _, v := range f.VBRs.Value {
		cen = cmp.Or(firstOf(cenOf(f, v.ID)), cen)
	}
	return Fail(vpc+" is attached to no CEN instance, and no route leads to a router interface", attachFix(f, cen, "VPC", vpc), evidence...)
}

func attachFix(f Facts, cen, kind, child string) string {
	return fmt.Sprintf("aliyun cbn AttachCenChildInstance --CenId %s --ChildInstanceType %s --ChildInstanceId %s --ChildInstanceRegionId %s", cen, kind, child, cmp.Or(f.Cluster.Value.RegionID, "REGION"))
}

func cenVBR(f Facts) Finding {
	if early := attaching(f); early != nil {
		return *early
	}
	instances := cenOf(f, f.VPC.Value.ID)
	active := activeVBRs(f)
	if len(instances) == 0 || len(active) == 0 {
		return NotApplicable("the VPC is attached to no CEN instance, or no VBR is active: see cen-vpc-attached and vbr-active")
	}
	var ids []string
	for _, v := range active {
		ids = append(ids, v.ID)
		if slices.ContainsFunc(cenOf(f, v.ID), func(cen string) bool { return slices.Contains(instances, cen) }) {
			return Pass(fmt.Sprintf("%s is attached to %s", v.ID, instances[0]))
		}
	}
	return Fail("no active VBR is attached to "+instances[0], attachFix(f, instances[0], "VBR", ids[0]), ids...)
}
