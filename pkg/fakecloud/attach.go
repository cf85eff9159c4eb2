package fakecloud

import (
	"context"
	"slices"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// AttachENI starts to attach an Available ENI; it is InUse after Delays.Attach. An ENI that is attached or being attached
// already, to whatever instance, is a Conflict and stays as it is.
func (s *Session) AttachENI(ctx context.Context, eniID, instanceID string) error {
	return s.AttachMember(ctx, eniID, instanceID, "")
}

// AttachMember attaches an ENI below a trunk ENI of the instance and gives it the lowest free VLAN; trunkID "" attaches
// it to the instance itself.
func (s *Session) AttachMember(ctx context.Context, eniID, instanceID, trunkID string) error {
	c := call{action: "ecs:AttachNetworkInterface", subject: eniID + " to " + instanceID, write: true, resources: []string{"eni/" + eniID, "instance/" + instanceID}}
	return s.do(ctx, c, func(t *tx) error {
		e, err := t.eni(eniID)
		if err != nil {
			return err
		}
		i, err := t.instance(instanceID)
		if err != nil {
			return err
		}
		if err := t.checkAttach(e, i); err != nil {
			return err
		}
		if trunkID == "" {
			err = t.checkSlots(e, i)
		} else {
			err = t.joinTrunk(e, i, trunkID)
		}
		if err != nil {
			return err
		}
		e.Instance = i.ID
		t.start(e, cloud.ENIAttaching, t.options.Delays.Attach)
		e.Revert = t.fault.Revert
		t.settle(t.now)
		return nil
	})
}

// start begins a transition.
func (t *tx) start(e *eniRecord, status cloud.ENIStatus, takes time.Duration) {
	e.Status, e.Due, e.Held, e.Revert = status, t.now.Add(takes), t.fault.Hold, false
}

func (e *eniRecord) expect(status cloud.ENIStatus) error {
	if e.Status == status {
		return nil
	}
	return fail("InvalidOperation.InvalidEniState", "The operation is not allowed in the current ENI state. Expecting status is %q while current status is %q.", status, e.Status)
}

func (t *tx) checkAttach(e *eniRecord, i *instanceRecord) error {
	if err := e.expect(cloud.ENIAvailable); err != nil {
		return err
	}
	v, kind := t.VSwitches[e.VSwitchID], i.kind()
	switch {
	case i.Status != "Running" && i.Status != "Stopped":
		return fail("InvalidOperation.InvalidEcsState", "The operation is not allowed in the current ECS state %q.", i.Status)
	case v.VPCID != i.VPCID:
		return fail("InvalidOperation.VpcMismatch", "The ENI and the instance are not in the same VPC.")
	case v.ZoneID != i.ZoneID:
		return fail("InvalidOperation.AvailabilityZoneMismatch", "The ENI is in zone %s, the instance in zone %s.", v.ZoneID, i.ZoneID)
	case e.places() > kind.IPv4PerENI:
		return fail("InvalidOperation.Ipv4CountExceeded", "The ENI has %d private IPv4 addresses, instance type %s takes %d.", e.places(), i.Type, kind.IPv4PerENI)
	case len(e.IPv6) > kind.IPv6PerENI:
		return fail("InvalidOperation.Ipv6CountExceeded", "The ENI has %d IPv6 addresses, instance type %s takes %d.", len(e.IPv6), i.Type, kind.IPv6PerENI)
	}
	return nil
}

// checkSlots counts the adapters of the instance: primary, secondary and trunk ENIs, from attaching to detached.
func (t *tx) checkSlots(e *eniRecord, i *instanceRecord) error {
	used := 0
	for _, other := range t.ENIs {
		if other.Instance == i.ID && other.Type != cloud.ENIMember {
			used++
		}
	}
	if limit := i.kind().ENIs; used >= limit {
		return fail("EniPerInstanceLimitExceeded", "The maximum number of ENIs of instance type %s, %d, is exceeded.", i.Type, limit)
	}
	if e.Type == cloud.ENITrunk && i.kind().TrunkENIs == 0 {
		return fail("InvalidOperation.InstanceTypeNotSupportEniTrunking", "Instance type %s does not support ENI trunking.", i.Type)
	}
	return nil
}

func (t *tx) joinTrunk(e *eniRecord, i *instanceRecord, trunkID string) error {
	trunk, err := t.eni(trunkID)
	if err != nil {
		return err
	}
	if trunk.Type != cloud.ENITrunk || trunk.Instance != i.ID || trunk.Status != cloud.ENIInUse {
		return fail("InvalidOperation.InvalidTrunkEniStatus", "ENI %s is not a trunk that is InUse on instance %s.", trunkID, i.ID)
	}
	if e.Type != cloud.ENISecondary {
		return fail("InvalidOperation.EniTypeNotSupportTrunking", "An ENI of type %s cannot be attached to a trunk.", e.Type)
	}
	var vlans []int
	for _, other := range t.ENIs {
		if other.Trunk == trunkID {
			vlans = append(vlans, other.VLAN)
		}
	}
	if limit := i.kind().TrunkENIs; len(vlans) >= limit {
		return fail("EniPerInstanceLimitExceeded", "The maximum number of member ENIs of instance type %s, %d, is exceeded.", i.Type, limit)
	}
	vlan := 1
	for slices.Contains(vlans, vlan) {
		vlan++
	}
	e.Type, e.Trunk, e.VLAN = cloud.ENIMember, trunkID, vlan
	return nil
}

// DetachENI starts to detach an ENI that is InUse; it is Available after Delays.Detach.
func (s *Session) DetachENI(ctx context.Context, eniID, instanceID string) error {
	c := call{action: "ecs:DetachNetworkInterface", subject: eniID + " from " + instanceID, write: true, resources: []string{"eni/" + eniID, "instance/" + instanceID}}
	return s.do(ctx, c, func(t *tx) error {
		e, err := t.eni(eniID)
		if err != nil {
			return err
		}
		if _, err := t.instance(instanceID); err != nil {
			return err
		}
		if e.Type == cloud.ENIPrimary {
			return fail("InvalidOperation.DetachPrimaryEniNotAllowed", "The primary ENI cannot be detached.")
		}
		if err := e.expect(cloud.ENIInUse); err != nil {
			return err
		}
		if e.Instance != instanceID {
			return fail("InvalidParameter.EniNotBelongEcs", "ENI %s is not attached to instance %s.", eniID, instanceID)
		}
		if len(t.viewENI(e).Members) > 0 {
			return fail("InvalidOperation.HasMemberEniAttached", "Member ENIs are attached to trunk ENI %s.", eniID)
		}
		t.start(e, cloud.ENIDetaching, t.options.Delays.Detach)
		t.settle(t.now)
		return nil
	})
}

// DeleteENI starts to delete an ENI that is Available; it is gone after Delays.Delete.
func (s *Session) DeleteENI(ctx context.Context, eniID string) error {
	c := call{action: "ecs:DeleteNetworkInterface", subject: eniID, write: true, resources: []string{"eni/" + eniID}}
	return s.do(ctx, c, func(t *tx) error {
		e, err := t.eni(eniID)
		if err != nil {
			return err
		}
		if e.Type == cloud.ENIPrimary {
			return fail("InvalidOperation.InvalidEniType", "The primary ENI cannot be deleted.")
		}
		if err := e.expect(cloud.ENIAvailable); err != nil {
			return err
		}
		t.start(e, cloud.ENIDeleting, t.options.Delays.Delete)
		t.settle(t.now)
		return nil
	})
}
