package pool

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/onectl/onectl/pkg/cloud"
)

// carve takes n whole prefixes out of a vSwitch, all or none.
func (m *model) carve(op, vswitch string, n int) ([]netip.Prefix, error) {
	v := m.vswitch[vswitch]
	switch {
	case n == 0:
		return nil, nil
	case v == nil:
		return nil, refuse(op, vswitch, cloud.NotFound)
	case v.Free < n*cloud.PrefixSize || m.rand.Float64() < m.scattered:
		return nil, refuse(op, vswitch, cloud.NoAddress)
	}
	var prefixes []netip.Prefix
	for range n {
		addrs, _ := m.take(op, vswitch, cloud.PrefixSize-m.nextIP%cloud.PrefixSize) // up to the block's beginning
		v.Free += len(addrs)
		addrs, _ = m.take(op, vswitch, cloud.PrefixSize)
		prefixes = append(prefixes, netip.PrefixFrom(addrs[0], cloud.PrefixBits).Masked())
	}
	return prefixes, nil
}

func (m *model) number6(n int) (addrs []netip.Addr) {
	for range n {
		m.ipv6++
		addrs = append(addrs, netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", m.ipv6)))
	}
	return addrs
}

func (m *model) AssignPrefixes(ctx context.Context, id string, count int, token string) (prefixes []netip.Prefix, err error) {
	err = m.call(ctx, "AssignPrefixes", fmt.Sprint(id, " ", count), func() error {
		e := m.enis[id]
		switch {
		case e == nil:
			return refuse("AssignPrefixes", id, cloud.NotFound)
		case e.Status != cloud.ENIInUse && e.Status != cloud.ENIAvailable:
			return refuse("AssignPrefixes", id, cloud.Conflict)
		case m.blocks[token] != nil:
			prefixes = m.blocks[token]
			return nil
		case len(e.IPv4)+len(e.Prefixes)+count > m.perENI:
			return refuse("AssignPrefixes", id, cloud.Quota)
		}
		var err error
		prefixes, err = m.carve("AssignPrefixes", e.VSwitchID, count)
		e.Prefixes = append(e.Prefixes, prefixes...)
		m.blocks[token] = prefixes
		return err
	})
	return prefixes, err
}

func (m *model) UnassignPrefixes(ctx context.Context, id string, prefixes []netip.Prefix) error {
	return m.call(ctx, "UnassignPrefixes", fmt.Sprint(id, " ", len(prefixes)), func() error {
		e := m.enis[id]
		if e == nil {
			return refuse("UnassignPrefixes", id, cloud.NotFound)
		}
		for _, p := range prefixes {
			if !slices.Contains(e.Prefixes, p) {
				return refuse("UnassignPrefixes", id, cloud.NotFound)
			}
		}
		e.Prefixes = slices.DeleteFunc(e.Prefixes, func(p netip.Prefix) bool { return slices.Contains(prefixes, p) })
		m.vswitch[e.VSwitchID].Free += len(prefixes) * cloud.PrefixSize
		return nil
	})
}

func (m mortalCloud) AssignPrefixes(ctx context.Context, id string, count int, token string) ([]netip.Prefix, error) {
	return through(m.mortal, func() ([]netip.Prefix, error) { return m.w.cloud.AssignPrefixes(ctx, id, count, token) })
}

func (m mortalCloud) UnassignPrefixes(ctx context.Context, id string, prefixes []netip.Prefix) error {
	var addrs []netip.Addr
	for _, a := range within(prefixes) {
		addrs = append(addrs, a.IP)
	}
	m.w.mustNotBeHeld("UnassignPrefixes "+id, addrs)
	return do(m.mortal, func() error { return m.w.cloud.UnassignPrefixes(ctx, id, prefixes) })
}

func (m *model) DescribeVSwitches(ctx context.Context, ids []string, _ string) (found []cloud.VSwitch, err error) {
	err = m.call(ctx, "DescribeVSwitches", "", func() error {
		for _, id := range ids {
			if v := m.vswitch[id]; v != nil {
				found = append(found, *v)
			}
		}
		return nil
	})
	return found, err
}
