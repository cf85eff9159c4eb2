package pool

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
)

var (
	noon  = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	plain = Marks{MaxENIs: 3, IPv4PerENI: 4, MaxIdle: 1, VSwitchPolicy: VSwitchOrdered, ENIPolicy: ENIMostIPs, CoolDown: time.Minute, Probe: 5 * time.Second, Sync: time.Hour}
)

// stocked is a stock at rest with two vSwitches; each ENI is given as a string, one letter an address: u used, i idle,
// c cooling.
func stocked(waiting int, enis ...string) Stock {
	s := Stock{
		Read: true, ReadAt: noon, ChangedAt: noon, Waiting: waiting, Holds: map[StepKind]Hold{}, Running: map[StepKind]bool{},
		VSwitches: []VSwitch{
			{VSwitch: cloud.VSwitch{ID: "vsw-a", Free: 10}, Candidate: true, LookedAt: noon},
			{VSwitch: cloud.VSwitch{ID: "vsw-b", Free: 20}, Candidate: true, LookedAt: noon},
		},
	}
	for i, letters := range enis {
		e := ENI{ENI: cloud.ENI{ID: fmt.Sprintf("eni-%d", i), Status: cloud.ENIInUse, VSwitchID: "vsw-a"}, Ready: true}
		for j, letter := range letters {
			a := Address{IP: address(i, j), FreeSince: noon.Add(-time.Hour)}
			switch letter {
			case 'u':
				a.Owner = fmt.Sprintf("pod-%d-%d/eth0", i, j)
			case 'c':
				a.FreeSince = noon
			}
			e.Addresses = append(e.Addresses, a)
		}
		s.ENIs = append(s.ENIs, e)
	}
	return s
}

func address(eni, n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(eni), byte(n)}) }

func TestPlan(t *testing.T) {
	with := func(s Stock, change func(*Stock)) Stock { change(&s); return s }
	marks := func(change func(*Marks)) Marks { m := plain; change(&m); return m }
	for name, c := range map[string]struct {
		stock Stock
		marks Marks
		want  []Step
	}{
		"nothing to do": {stocked(0, "uui"), plain, nil},
		"the first pods make an ENI with all their addresses":      {stocked(3), plain, []Step{{Kind: CreateENI, VSwitch: "vsw-a", Count: 3}}},
		"pods beyond one ENI make several":                         {stocked(6), plain, []Step{{Kind: CreateENI, VSwitch: "vsw-a", Count: 4}, {Kind: CreateENI, VSwitch: "vsw-a", Count: 2}}},
		"room comes before a new ENI, the fullest first":           {stocked(2, "u", "uu"), plain, []Step{{Kind: AssignIPv4, ENI: "eni-1", VSwitch: "vsw-a", Count: 2}}},
		"least_ips takes the emptiest":                             {stocked(2, "u", "uu"), marks(func(m *Marks) { m.ENIPolicy = ENILeastIPs }), []Step{{Kind: AssignIPv4, ENI: "eni-0", VSwitch: "vsw-a", Count: 2}}},
		"what is on the way is not asked for again":                {with(stocked(2, "uu"), func(s *Stock) { s.ENIs[0].Step = &Step{Kind: AssignIPv4, Count: 2} }), plain, nil},
		"an ENI with a step has no second; its room is waited for": {with(stocked(2, "uu"), func(s *Stock) { s.ENIs[0].Step = &Step{Kind: AssignIPv4, Count: 1} }), plain, nil},
		"most goes to the vSwitch with most addresses":             {stocked(1), marks(func(m *Marks) { m.VSwitchPolicy = VSwitchMost }), []Step{{Kind: CreateENI, VSwitch: "vsw-b", Count: 1}}},
		"random follows the draw":                                  {with(stocked(1), func(s *Stock) { s.Draw = 2 }), marks(func(m *Marks) { m.VSwitchPolicy = VSwitchRandom }), []Step{{Kind: CreateENI, VSwitch: "vsw-b", Count: 1}}},
		"an exhausted vSwitch is passed over":                      {with(stocked(1, "u"), func(s *Stock) { s.VSwitches[0].RetryAt = noon.Add(time.Second) }), plain, []Step{{Kind: CreateENI, VSwitch: "vsw-b", Count: 1}}},
		"all exhausted are looked at, not asked": {with(stocked(1, "u"), func(s *Stock) {
			for i := range s.VSwitches {
				s.VSwitches[i].RetryAt, s.VSwitches[i].LookedAt = noon.Add(time.Minute), noon.Add(-5*time.Second)
			}
		}), plain, []Step{{Kind: ReadVSwitches}}},
		"exhaustion does not keep surplus from going back": {with(stocked(0, "uiii"), func(s *Stock) { s.VSwitches[0].RetryAt = noon.Add(time.Minute) }), plain,
			[]Step{{Kind: UnassignIPv4, ENI: "eni-0", VSwitch: "vsw-a", IPv4: []netip.Addr{address(0, 1), address(0, 2)}}}},
		"cooling addresses are not given back":            {stocked(0, "uccc"), plain, nil},
		"an idle ENI goes whole":                          {stocked(0, "ui", "ii"), plain, []Step{{Kind: DetachENI, ENI: "eni-1", VSwitch: "vsw-a"}}},
		"the primary address stays while the ENI is used": {stocked(0, "iu"), marks(func(m *Marks) { m.MaxIdle = 0 }), nil},
		"nothing goes back while somebody waits":          {stocked(1, "uuui", "uiii"), plain, nil},
		"a denied kind is not tried":                      {with(stocked(1), func(s *Stock) { s.Holds[CreateENI] = Hold{Until: noon.Add(time.Second)} }), plain, nil},
		"an ENI of a daemon that died is attached when it is needed": {with(stocked(1, "i"), func(s *Stock) { s.ENIs[0].Status, s.ENIs[0].Ready = cloud.ENIAvailable, false }), plain,
			[]Step{{Kind: AttachENI, ENI: "eni-0", VSwitch: "vsw-a"}}},
		"and deleted when it is not": {with(stocked(0, "iii"), func(s *Stock) { s.ENIs[0].Status, s.ENIs[0].Ready = cloud.ENIAvailable, false }), marks(func(m *Marks) { m.MaxIdle = 0 }),
			[]Step{{Kind: DeleteENI, ENI: "eni-0", VSwitch: "vsw-a"}}},
		"an attached ENI is set up before anything": {with(stocked(1, "i"), func(s *Stock) { s.ENIs[0].Ready = false }), plain, []Step{{Kind: PrepareENI, ENI: "eni-0", VSwitch: "vsw-a"}}},
		"an unanswered creation is repeated before another": {with(stocked(1), func(s *Stock) {
			s.Intents = []Intent{{Spec: cloud.ENISpec{VSwitchID: "vsw-b", ClientToken: "t", SecondaryIPv4: 1}}}
		}), plain, []Step{{Kind: CreateENI, VSwitch: "vsw-b", Count: 2, Token: "t"}}},
		"one reading is not enough to give back": {with(stocked(0, "ui", "ii"), func(s *Stock) { s.Fresh = true }), plain, nil},
		"the second one is not waited for long":  {with(stocked(0, "ui", "ii"), func(s *Stock) { s.Fresh, s.ReadAt = true, noon.Add(-soonAgain) }), plain, []Step{{Kind: ReadCloud}}},
		"and is not made for nothing":            {with(stocked(0, "ui"), func(s *Stock) { s.Fresh, s.ReadAt = true, noon.Add(-soonAgain) }), plain, nil},
		"one reading is enough to grow":          {with(stocked(1), func(s *Stock) { s.Fresh = true }), plain, []Step{{Kind: CreateENI, VSwitch: "vsw-a", Count: 1}}},
		"the cloud is read before all else":      {Stock{}, plain, []Step{{Kind: ReadCloud}}},
		"and again when the time has come":       {with(stocked(0), func(s *Stock) { s.ReadAt = noon.Add(-time.Hour) }), plain, []Step{{Kind: ReadCloud}}},
		"a full node plans nothing":              {stocked(2, "uuuu", "uuuu", "uuuu"), plain, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got := Plan(c.stock, c.marks, noon)
			if diff := cmp.Diff(c.want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPickPrefersThenSparesCoolingAddresses(t *testing.T) {
	for name, c := range map[string]struct {
		enis   []string
		prefer netip.Addr
		policy ENIPolicy
		want   netip.Addr
	}{
		"preferred, though it is cooling": {[]string{"iic"}, address(0, 2), ENIMostIPs, address(0, 2)},
		"preferred is used":               {[]string{"ui"}, address(0, 0), ENIMostIPs, address(0, 1)},
		"primary first":                   {[]string{"iii"}, netip.Addr{}, ENIMostIPs, address(0, 0)},
		"rested before cooling":           {[]string{"cci"}, netip.Addr{}, ENIMostIPs, address(0, 2)},
		"only cooling ones":               {[]string{"uc"}, netip.Addr{}, ENIMostIPs, address(0, 1)},
		"the fullest ENI":                 {[]string{"i", "ui"}, netip.Addr{}, ENIMostIPs, address(1, 1)},
		"the emptiest ENI":                {[]string{"ui", "i"}, netip.Addr{}, ENILeastIPs, address(1, 0)},
		"none":                            {[]string{"uu"}, netip.Addr{}, ENIMostIPs, netip.Addr{}},
	} {
		t.Run(name, func(t *testing.T) {
			m := plain
			m.ENIPolicy = c.policy
			_, a := pick(stocked(0, c.enis...).ENIs, m, c.prefer, noon)
			var got netip.Addr
			if a != nil {
				got = a.IP
			}
			if got != c.want {
				t.Errorf("picked %v, want %v", got, c.want)
			}
		})
	}
}
