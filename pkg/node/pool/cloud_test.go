package pool

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// model is a cloud in memory: ENIs with their states, vSwitches with a bound on addresses, client tokens, faults. Calls
// take time, which a synctest bubble makes free of charge.
type model struct {
	mu       sync.Mutex
	rand     *rand.Rand
	perENI   int
	slots    int
	nextIP   int
	nextENI  int
	enis     map[string]*cloud.ENI
	vswitch  map[string]*cloud.VSwitch // Free is what is left
	created  map[string]string         // client token to ENI
	assigned map[string][]netip.Addr   // client token to addresses
	calls    []string
	faults   []fault
	latency  time.Duration // each call takes up to twice that
	attach   time.Duration
	chaos    float64 // chance of a fault of any call
	hidden   string  // an ENI that DescribeENIs does not show

	perENI6   int                       // IPv6 addresses that an attached ENI may have
	ipv6      uint64                    // the last one given
	scattered float64                   // chance that a vSwitch has no whole prefix
	blocks    map[string][]netip.Prefix // client token to prefixes
}

// fault makes calls of an operation fail.
type fault struct {
	op    string
	kind  cloud.Kind
	count int           // how often; negative: always
	after bool          // the call has its effect all the same
	late  time.Duration // when after: so long afterwards
}

var errKinds = []cloud.Kind{cloud.Throttled, cloud.Unavailable, cloud.Conflict, cloud.Unknown}

func newModel() *model {
	m := &model{
		rand: rand.New(rand.NewPCG(1, 2)), perENI: 4, slots: 3, enis: map[string]*cloud.ENI{}, created: map[string]string{},
		assigned: map[string][]netip.Addr{}, blocks: map[string][]netip.Prefix{}, latency: 50 * time.Millisecond, attach: 2 * time.Second,
		vswitch: map[string]*cloud.VSwitch{
			"vsw-a": {ID: "vsw-a", ZoneID: "z", CIDR: netip.MustParsePrefix("10.0.1.0/24"), Free: 200},
			"vsw-b": {ID: "vsw-b", ZoneID: "z", CIDR: netip.MustParsePrefix("10.0.2.0/24"), Free: 200},
			"vsw-x": {ID: "vsw-x", ZoneID: "other", CIDR: netip.MustParsePrefix("10.0.3.0/24"), Free: 200},
		},
	}
	m.enis["eni-primary"] = &cloud.ENI{ID: "eni-primary", Type: cloud.ENIPrimary, Status: cloud.ENIInUse, Instance: "i-1", SecurityGroups: []string{"sg-primary"}, VSwitchID: "vsw-a", IPv4: []netip.Addr{netip.MustParseAddr("10.0.1.250")}}
	return m
}

// call is the frame of every operation: time before, faults, effect, time after. The effect may happen although the
// caller gave up, at once or later, as in the real cloud.
func (m *model) call(ctx context.Context, op, resource string, effect func() error) error {
	m.wait(ctx)
	m.mu.Lock()
	m.calls = append(m.calls, strings.TrimSpace(op+" "+resource))
	f, failing := m.fault(op)
	kind := f.kind
	var err error
	switch happens := !failing || f.after; {
	case happens && f.late > 0:
		time.AfterFunc(f.late, func() { m.set(func() { _ = effect() }) })
	case happens && ctx.Err() != nil:
		m.afterwards(effect)
	case happens:
		err = effect()
	}
	m.mu.Unlock()
	m.wait(ctx)
	switch {
	case ctx.Err() != nil:
		return &cloud.Error{Op: op, Resource: resource, Message: "the caller gave up", Kind: cloud.Unavailable}
	case err != nil:
		return err
	case failing:
		return &cloud.Error{Op: op, Resource: resource, Code: "Test." + kind.String(), Kind: kind, Action: "ecs:" + op}
	}
	return nil
}

func (m *model) wait(ctx context.Context) {
	m.mu.Lock()
	d := time.Duration(m.rand.Int64N(int64(m.latency) + 1))
	m.mu.Unlock()
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (m *model) fault(op string) (f fault, failing bool) {
	for i := range m.faults {
		if f := &m.faults[i]; f.op == op && f.count != 0 {
			f.count--
			return *f, true
		}
	}
	if m.chaos > 0 && m.rand.Float64() < m.chaos {
		f.kind = errKinds[m.rand.IntN(len(errKinds))]
		f.after = f.kind != cloud.Throttled && m.rand.IntN(2) == 0
		return f, true
	}
	return fault{}, false
}

func refuse(op, resource string, kind cloud.Kind) error {
	return &cloud.Error{Op: op, Resource: resource, Code: "Model." + kind.String(), Kind: kind}
}

func (m *model) take(op, vswitch string, n int) ([]netip.Addr, error) {
	v := m.vswitch[vswitch]
	if v == nil {
		return nil, refuse(op, vswitch, cloud.NotFound)
	}
	if v.Free < n {
		return nil, refuse(op, vswitch, cloud.NoAddress)
	}
	v.Free -= n
	var addrs []netip.Addr
	for range n {
		m.nextIP++
		addrs = append(addrs, netip.AddrFrom4([4]byte{10, v.CIDR.Addr().As4()[2], byte(m.nextIP >> 8), byte(m.nextIP)}))
	}
	return addrs, nil
}

func (m *model) CreateENI(ctx context.Context, spec cloud.ENISpec) (made cloud.ENI, err error) {
	err = m.call(ctx, "CreateENI", spec.VSwitchID, func() error {
		if id, ok := m.created[spec.ClientToken]; ok {
			if m.enis[id] == nil {
				return refuse("CreateENI", spec.VSwitchID, cloud.Invalid)
			}
			made = copyOf(m.enis[id])
			return nil
		}
		addrs, err := m.take("CreateENI", spec.VSwitchID, spec.SecondaryIPv4+1)
		if err != nil {
			return err
		}
		prefixes, err := m.carve("CreateENI", spec.VSwitchID, spec.Prefixes)
		if err != nil {
			m.vswitch[spec.VSwitchID].Free += len(addrs)
			return err
		}
		m.nextENI++
		e := &cloud.ENI{Prefixes: prefixes, IPv6: m.number6(spec.IPv6), ID: fmt.Sprintf("eni-%03d", m.nextENI), Status: cloud.ENIAvailable, Type: cloud.ENISecondary, VSwitchID: spec.VSwitchID,
			SecurityGroups: spec.SecurityGroups, IPv4: addrs, Tags: maps.Clone(spec.Tags)}
		m.enis[e.ID], m.created[spec.ClientToken] = e, e.ID
		made = copyOf(e)
		return nil
	})
	return made, err
}

func copyOf(e *cloud.ENI) cloud.ENI {
	c := *e
	c.IPv4, c.Prefixes, c.IPv6 = slices.Clone(e.IPv4), slices.Clone(e.Prefixes), slices.Clone(e.IPv6)
	return c
}

func (m *model) DescribeENIs(ctx context.Context, f cloud.ENIFilter) (found []cloud.ENI, err error) {
	err = m.call(ctx, "DescribeENIs", strings.Join(f.IDs, ","), func() error {
		for _, id := range slices.Sorted(maps.Keys(m.enis)) {
			e := m.enis[id]
			if id == m.hidden {
				continue
			}
			if (len(f.IDs) == 0 || slices.Contains(f.IDs, id)) && (f.Instance == "" || f.Instance == e.Instance) && carries(e.Tags, f.Tags) {
				found = append(found, copyOf(e))
			}
		}
		return nil
	})
	return found, err
}

func (m *model) AttachENI(ctx context.Context, id, instance string) error {
	return m.call(ctx, "AttachENI", id, func() error {
		e := m.enis[id]
		switch {
		case e == nil:
			return refuse("AttachENI", id, cloud.NotFound)
		case e.Status != cloud.ENIAvailable:
			return refuse("AttachENI", id, cloud.Conflict)
		case m.onInstance(instance) > m.slots || len(e.IPv6) > m.perENI6:
			return refuse("AttachENI", id, cloud.Quota)
		}
		e.Status, e.Instance = cloud.ENIAttaching, instance
		m.later(func() { e.Status = cloud.ENIInUse })
		return nil
	})
}

func (m *model) onInstance(instance string) int {
	n := 0
	for _, e := range m.enis {
		if e.Instance == instance {
			n++
		}
	}
	return n
}

func (m *model) later(effect func()) {
	time.AfterFunc(m.attach, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		effect()
	})
}

func (m *model) DetachENI(ctx context.Context, id, _ string) error {
	return m.call(ctx, "DetachENI", id, func() error {
		e := m.enis[id]
		switch {
		case e == nil:
			return refuse("DetachENI", id, cloud.NotFound)
		case e.Status != cloud.ENIInUse:
			return refuse("DetachENI", id, cloud.Conflict)
		}
		e.Status = cloud.ENIDetaching
		m.later(func() { e.Status, e.Instance = cloud.ENIAvailable, "" })
		return nil
	})
}

func (m *model) DeleteENI(ctx context.Context, id string) error {
	return m.call(ctx, "DeleteENI", id, func() error {
		e := m.enis[id]
		switch {
		case e == nil:
			return refuse("DeleteENI", id, cloud.NotFound)
		case e.Status != cloud.ENIAvailable:
			return refuse("DeleteENI", id, cloud.Conflict)
		}
		m.vswitch[e.VSwitchID].Free += len(offered(*e))
		delete(m.enis, id)
		return nil
	})
}

func (m *model) AssignIPv4(ctx context.Context, id string, count int, token string) (addrs []netip.Addr, err error) {
	err = m.call(ctx, "AssignIPv4", fmt.Sprint(id, " ", count), func() error {
		e := m.enis[id]
		switch {
		case e == nil:
			return refuse("AssignIPv4", id, cloud.NotFound)
		case e.Status != cloud.ENIInUse && e.Status != cloud.ENIAvailable:
			return refuse("AssignIPv4", id, cloud.Conflict)
		case m.assigned[token] != nil:
			addrs = m.assigned[token]
			return nil
		case len(e.IPv4)+len(e.Prefixes)+count > m.perENI:
			return refuse("AssignIPv4", id, cloud.Quota)
		}
		var err error
		addrs, err = m.take("AssignIPv4", e.VSwitchID, count)
		e.IPv4 = append(e.IPv4, addrs...)
		m.assigned[token] = addrs
		return err
	})
	return addrs, err
}

func (m *model) UnassignIPv4(ctx context.Context, id string, addrs []netip.Addr) error {
	return m.call(ctx, "UnassignIPv4", fmt.Sprint(id, " ", len(addrs)), func() error {
		e := m.enis[id]
		if e == nil {
			return refuse("UnassignIPv4", id, cloud.NotFound)
		}
		for _, a := range addrs {
			if !slices.Contains(e.IPv4, a) || a == e.IPv4[0] {
				return refuse("UnassignIPv4", id, cloud.NotFound)
			}
		}
		e.IPv4 = slices.DeleteFunc(e.IPv4, func(a netip.Addr) bool { return slices.Contains(addrs, a) })
		m.vswitch[e.VSwitchID].Free += len(addrs)
		return nil
	})
}
