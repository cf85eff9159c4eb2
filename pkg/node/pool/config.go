package pool

import (
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// VSwitchPolicy says which vSwitch a new ENI goes to, among those with free addresses.
type VSwitchPolicy string

// The vSwitch policies. Unlike upstream, where "ordered" means the one with most free addresses, each does what it says.
const (
	VSwitchOrdered VSwitchPolicy = "ordered" // the first of Config.VSwitches
	VSwitchMost    VSwitchPolicy = "most"    // the one with most free addresses
	VSwitchRandom  VSwitchPolicy = "random"
)

// ENIPolicy says which ENI gives, and gets, addresses first.
type ENIPolicy string

// The ENI policies.
const (
	ENIMostIPs  ENIPolicy = "most_ips"  // the fullest first, so that few ENIs are used
	ENILeastIPs ENIPolicy = "least_ips" // the emptiest first, so that load spreads
)

// Config is how the pool shall behave. The zero value of a field means the default beside it.
type Config struct {
	VSwitches      []string          // candidates of the instance's zone, in order; none: the instance's own vSwitch
	SecurityGroups []string          // of new ENIs; none: those of the instance, or of its primary ENI
	Tags           map[string]string // eni_tags: put on new ENIs; an ENI with neither them nor our TagInstance is not managed
	TagFilter      map[string]string // eni_tag_filter: when set, an ENI must carry these as well
	TagBlock       []Tag             // eni_tag_block_list: an ENI with one of these is not managed

	MinIdle int // addresses kept idle; 0: none are fetched ahead of need
	MaxIdle int // idle addresses above this are given back; lifted to MinIdle
	WarmUp  int // addresses, used and idle, that a node without ENIs of ours begins with; see warmFor; 0: off
	MaxENIs int // ENIs besides the primary one; 0: as many as the instance type carries

	Prefixes    bool // enable_ip_prefix: /28 prefixes are assigned where they can be had, single addresses elsewhere; not with DualStack
	PrefixCount int  // ipv4_prefix_count: as many addresses as so many prefixes have are kept, used and idle; 0: as MinIdle says
	DualStack   bool // ip_stack dual: an address is granted with an IPv6 address, or not at all

	// Whole gives each pod an ENI of its own: an ENI has one address to grant, its primary one, and is set up by Host again
	// when its pod has gone, since its link was away.
	Whole bool

	VSwitchPolicy VSwitchPolicy // random, upstream's default
	ENIPolicy     ENIPolicy     // most_ips

	SyncPeriod   time.Duration // 2m; how often the stock is compared with the cloud
	CoolDown     time.Duration // 30s; see Marks.CoolDown; negative: none
	Patience     time.Duration // 10s; how long Allocate waits for a vSwitch, a quota or the node to get room before it fails
	Probe        time.Duration // 5s; how often an exhausted vSwitch is looked at while a pod waits
	VSwitchRetry time.Duration // 10s, doubling up to 5m; when an exhausted vSwitch is tried again without knowing
	Denied       time.Duration // 5m; when a refused action is tried again

	ReclaimAfter    time.Duration // idle_ip_reclaim_after; 0: never. Without any change for so long, idle addresses above MinIdle go too
	ReclaimBatch    int           // 5 in one round
	ReclaimInterval time.Duration // 10m between rounds
	ReclaimJitter   float64       // ReclaimInterval is longer by a random part of up to this; 0: it is not
}

// warmFor is how long a fresh node keeps Config.WarmUp addresses, whatever its pods do; then MinIdle and MaxIdle decide.
const warmFor = 10 * time.Minute

// Tag is one key with its value.
type Tag struct{ Key, Value string }

// Tags that the pool puts on every ENI it makes.
const (
	TagCreator  = "creator"         // always CreatorTerway, as upstream
	TagInstance = "terway-instance" // the instance it was made for: finds it when the daemon died before attaching it
	TagToken    = "terway-token"    // the client token it was made with

	CreatorTerway = "terway"
)

func (c Config) withDefaults() Config {
	c.MaxIdle = max(c.MaxIdle, c.MinIdle)
	setDefault(&c.VSwitchPolicy, VSwitchRandom)
	setDefault(&c.ENIPolicy, ENIMostIPs)
	setDefault(&c.SyncPeriod, 2*time.Minute)
	setDefault(&c.CoolDown, 30*time.Second)
	setDefault(&c.Patience, 10*time.Second)
	setDefault(&c.Probe, 5*time.Second)
	setDefault(&c.VSwitchRetry, 10*time.Second)
	setDefault(&c.Denied, 5*time.Minute)
	setDefault(&c.ReclaimBatch, 5)
	setDefault(&c.ReclaimInterval, 10*time.Minute)
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Marks are the bounds that Plan keeps.
type Marks struct {
	MinIdle, MaxIdle int
	WarmUp           int // addresses of a warming stock, used and idle
	MaxENIs          int // ENIs of ours at most, those on the way included
	IPv4PerENI       int // places for addresses and prefixes, the primary address included; with Dual, pairs
	PerENI           int // addresses on one ENI at most
	Prefixes         bool
	PrefixCount      int
	Dual             bool
	Whole            bool
	VSwitchPolicy    VSwitchPolicy
	ENIPolicy        ENIPolicy

	// CoolDown is how long a released address is spared: others are granted before it, and it is not given back. An
	// address that is the only idle one is granted at once: by the time of Release the node has forgotten the pod, and
	// what the rest protects (peers that still talk to the old pod) is worth less than a pod that waits. Not giving it
	// back also lets the addresses of pods that end together go back in one call.
	CoolDown time.Duration
	Probe    time.Duration // between two looks at exhausted vSwitches
	Sync     time.Duration // between two readings of the cloud

	ReclaimAfter, ReclaimInterval time.Duration
	ReclaimBatch                  int
}

// idleBounds is how many addresses shall be idle at least and at most. What is lacking to PrefixCount, and while the stock
// warms up to WarmUp, is kept besides. With prefixes the bounds are as far apart as one creation may overshoot the lower:
// by all of a prefix, so that nothing is given back for it.
func (m Marks) idleBounds(s Stock, now time.Time) (least, most int) {
	kept := m.PrefixCount * cloud.PrefixSize
	if now.Before(s.WarmUntil) {
		kept = max(kept, m.WarmUp)
	}
	least, most = m.MinIdle, m.MaxIdle
	if kept > 0 {
		lacking := kept - s.used()
		least, most = max(least, lacking), max(most, lacking)
	}
	if m.Prefixes {
		most = max(most, least+cloud.PrefixSize)
	}
	return least, most
}

func (c Config) marks(limits cloud.InstanceType) Marks {
	enis := max(0, limits.ENIs-1)
	if c.MaxENIs > 0 {
		enis = min(enis, c.MaxENIs)
	}
	if c.Whole {
		limits.IPv4PerENI = 1
	}
	perENI, places := limits.IPv4PerENI, limits.IPv4PerENI
	prefixes := c.Prefixes && !c.DualStack && !c.Whole
	switch {
	case c.DualStack:
		perENI, places = limits.Pairs(), limits.Pairs()
	case prefixes:
		perENI = limits.WithPrefixes()
	}
	if places == 0 {
		enis = 0
	}
	capacity, prefixCount := enis*perENI, 0
	if prefixes {
		prefixCount = min(c.PrefixCount, enis*(places-1))
	}
	return Marks{
		MinIdle: min(c.MinIdle, capacity), MaxIdle: min(c.MaxIdle, capacity),
		WarmUp:  min(c.WarmUp, capacity),
		MaxENIs: enis, IPv4PerENI: places, PerENI: perENI,
		Prefixes: prefixes, PrefixCount: prefixCount, Dual: c.DualStack, Whole: c.Whole,
		VSwitchPolicy: c.VSwitchPolicy, ENIPolicy: c.ENIPolicy,
		CoolDown: max(0, c.CoolDown), Probe: c.Probe, Sync: c.SyncPeriod,
		ReclaimAfter: c.ReclaimAfter, ReclaimInterval: c.ReclaimInterval, ReclaimBatch: c.ReclaimBatch,
	}
}
