package fakecloud

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// AddInstance adds a running instance and its primary ENI, InUse at once. For an instance that exists (by ID) it only
// takes over the network namespace, so a lab that starts again adopts what it left.
func (w *World) AddInstance(spec InstanceSpec) (cloud.Instance, cloud.ENI, error) {
	var instance cloud.Instance
	var primary cloud.ENI
	err := w.change(func(s *state, now time.Time) error {
		record, known := s.Instances[spec.ID]
		if !known {
			var err error
			if record, err = s.addInstance(spec, now); err != nil {
				return fmt.Errorf("add instance %s: %w", cmp.Or(spec.ID, spec.Name), err)
			}
		}
		record.NetNS = spec.NetNS
		instance, primary = record.Instance, s.viewENI(s.ENIs[record.Primary]).ENI
		return nil
	})
	return instance, primary, err
}

func (s *state) addInstance(spec InstanceSpec, now time.Time) (*instanceRecord, error) {
	if _, known := findType(spec.Type); !known {
		return nil, fmt.Errorf("instance type %q is not known; see InstanceTypes", spec.Type)
	}
	v, known := s.VSwitches[spec.VSwitchID]
	if !known {
		return nil, fmt.Errorf("vSwitch %q does not exist; Bootstrap names them", spec.VSwitchID)
	}
	ips, err := s.pickIPv4(v, 1)
	if err != nil {
		return nil, err
	}
	groups := []string{s.SecurityGroup}
	record := &instanceRecord{Created: now, Instance: cloud.Instance{
		ID: spec.ID, Name: spec.Name, Type: spec.Type, Status: "Running", RegionID: s.Region, ZoneID: v.ZoneID, VPCID: v.VPCID,
		VSwitchID: v.ID, SecurityGroups: groups, PrimaryIP: ips[0],
	}}
	if record.ID == "" {
		record.ID = s.newID("i")
	}
	if record.Name == "" {
		record.Name = "iz" + record.ID[len(record.ID)-min(len(record.ID), 12):] + "z"
	}
	eni := &eniRecord{
		ID: s.newID("eni"), Status: cloud.ENIInUse, Type: cloud.ENIPrimary, MAC: s.newMAC(), VSwitchID: v.ID, SecurityGroups: groups,
		Instance: record.ID, IPv4: stamped(ips, now), DeleteOnRelease: true, Created: now, Attached: now,
	}
	v.Cursor, record.Primary = ips[0], eni.ID
	s.ENIs[eni.ID], s.Instances[record.ID] = eni, record
	return record, nil
}

// RemoveInstance releases an instance: ENIs that are deleted with it go with it, the others become Available. An instance
// that is not there is not an error.
func (w *World) RemoveInstance(id string) error {
	return w.change(func(s *state, _ time.Time) error {
		delete(s.Instances, id)
		for eniID, e := range s.ENIs {
			switch {
			case e.Instance != id:
			case e.DeleteOnRelease:
				delete(s.ENIs, eniID)
			default:
				e.release()
			}
		}
		return nil
	})
}

// SetInstanceStatus makes an instance Running, Stopped, Starting, …
func (w *World) SetInstanceStatus(id, status string) error {
	return w.change(func(s *state, _ time.Time) error {
		i, err := s.instance(id)
		if err != nil {
			return err
		}
		i.Status = status
		return nil
	})
}

// AddLANNode adds a machine to the data centre's LAN, or replaces the one of that name. Its address on the LAN, when it
// brings none, is the lowest free one behind the router's, which is the first; Network shows it.
func (w *World) AddLANNode(node LANNode) error {
	return w.change(func(s *state, _ time.Time) error {
		if node.Name == "" || !s.LANSubnet.IsValid() {
			return fmt.Errorf("add LAN node %q: it needs a name and a world with a LAN: call Bootstrap first", node.Name)
		}
		if old, known := s.LAN[node.Name]; known && !node.Address.IsValid() {
			node.Address = old.Address
		}
		if err := s.placeOnLAN(&node); err != nil {
			return fmt.Errorf("add LAN node %s: %w", node.Name, err)
		}
		s.LAN[node.Name] = node
		return nil
	})
}

func (s *state) placeOnLAN(node *LANNode) error {
	taken := func(name string, n LANNode) bool { return n.Address == node.Address && name != node.Name }
	inUse := func() bool {
		for name, n := range s.LAN {
			if taken(name, n) {
				return true
			}
		}
		return false
	}
	router := s.LANSubnet.Masked().Addr().Next()
	if node.Address.IsValid() {
		if !s.LANSubnet.Contains(node.Address) || node.Address.Compare(router) <= 0 || inUse() {
			return fmt.Errorf("address %s is not free in %s", node.Address, s.LANSubnet)
		}
		return nil
	}
	for node.Address = router.Next(); s.LANSubnet.Contains(node.Address.Next()); node.Address = node.Address.Next() {
		if !inUse() {
			return nil
		}
	}
	return fmt.Errorf("LAN %s is full", s.LANSubnet)
}

// RemoveLANNode takes a machine off the LAN. One that is not there is not an error.
func (w *World) RemoveLANNode(name string) error {
	return w.change(func(s *state, _ time.Time) error {
		delete(s.LAN, name)
		return nil
	})
}

// Network is what the fabric shall look like now.
func (w *World) Network() Network {
	var n Network
	_ = w.look(func(s *state, _ time.Time) error {
		n = s.network()
		return nil
	})
	return n
}

func (s *state) network() Network {
	n := Network{VPC: s.VPC.CIDR, LANSubnet: s.LANSubnet, Services: s.Services}
	for _, id := range sorted(s.VSwitches) {
		n.VSwitches = append(n.VSwitches, s.viewVSwitch(s.VSwitches[id]))
	}
	for _, id := range sorted(s.ENIs) {
		e := s.ENIs[id]
		i, attached := s.Instances[e.Instance]
		if !attached || e.Status != cloud.ENIInUse || e.Type == cloud.ENIMember || i.NetNS == "" {
			continue
		}
		n.Ports = append(n.Ports, Port{
			ENI: e.ID, MAC: e.MAC, Primary: e.Type == cloud.ENIPrimary, NetNS: i.NetNS, VSwitch: e.VSwitchID,
			IPv4: addresses(e.IPv4), IPv6: addresses(e.IPv6), Prefixes: slices.Clone(e.Prefixes), SecurityGroups: slices.Clone(e.SecurityGroups),
		})
	}
	for _, name := range sorted(s.LAN) {
		n.LAN = append(n.LAN, s.LAN[name])
	}
	n.Routing, n.Routes, n.Announced, n.SecurityGroups = s.routing(), s.routed(), s.announced(), s.groups()
	return n
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
