package fakecloud

import (
	"fmt"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// Metadata is what the metadata service tells an instance about itself.
type Metadata struct {
	Instance cloud.Instance
	VPC      cloud.VPC
	VSwitch  cloud.VSwitch
	ENIs     []MetadataENI // sorted by ID, the primary one among them
}

// MetadataENI is an attached ENI as the metadata service shows it; its addresses lag behind the API's.
type MetadataENI struct {
	cloud.ENI
	VSwitch cloud.VSwitch
}

// Metadata is the metadata of an instance. ENIs and addresses appear, and addresses vanish, Delays.Metadata after the API
// shows it; member ENIs never appear.
func (w *World) Metadata(instanceID string) (Metadata, error) {
	var m Metadata
	err := w.look(func(s *state, now time.Time) error {
		i, known := s.Instances[instanceID]
		if !known {
			return fmt.Errorf("metadata of %s: there is no such instance", instanceID)
		}
		m = Metadata{Instance: i.Instance, VPC: s.VPC, VSwitch: s.viewVSwitch(s.VSwitches[i.VSwitchID])}
		shown := now.Add(-w.options.Delays.Metadata)
		for _, id := range sorted(s.ENIs) {
			e := s.ENIs[id]
			if e.Instance != instanceID || e.Status != cloud.ENIInUse || e.Type == cloud.ENIMember || e.Attached.After(shown) {
				continue
			}
			view := s.viewENI(e).ENI
			view.IPv4, view.IPv6 = nil, nil
			for _, a := range e.visible(shown) {
				if a.Addr.Is4() {
					view.IPv4 = append(view.IPv4, a.Addr)
				} else {
					view.IPv6 = append(view.IPv6, a.Addr)
				}
			}
			m.ENIs = append(m.ENIs, MetadataENI{ENI: view, VSwitch: s.viewVSwitch(s.VSwitches[e.VSwitchID])})
		}
		return nil
	})
	return m, err
}

// visible is the addresses that the ENI had at that time, as far as they are remembered. The primary one always is.
func (e *eniRecord) visible(at time.Time) []addressRecord {
	var all []addressRecord
	for n, a := range e.IPv4 {
		if n == 0 || !a.At.After(at) {
			all = append(all, a)
		}
	}
	for _, a := range e.IPv6 {
		if !a.At.After(at) {
			all = append(all, a)
		}
	}
	for _, a := range e.Left {
		if a.At.After(at) {
			all = append(all, a)
		}
	}
	return all
}
