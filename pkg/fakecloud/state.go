package fakecloud

import (
	"crypto/sha256"
	"fmt"
	"math/big"
	"net/netip"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// state is everything there is. It is what Snapshot writes, so every field is exported and plain. World guards it.
type state struct {
	Seed string // makes IDs and secrets; random for each world
	Seq  uint64

	Account, Region string
	VPC             cloud.VPC
	LANSubnet       netip.Prefix
	Services        netip.Addr
	SecurityGroup   string // what Bootstrap made: the instances' security group,
	Cluster         string // the registered cluster,
	Operator        string // the RAM user
	OperatorKey     string // and the IDs of the AccessKeys
	AccountKey      string

	VSwitches      map[string]*vswitchRecord
	SecurityGroups map[string]cloud.SecurityGroup
	Clusters       map[string]cloud.Cluster
	Instances      map[string]*instanceRecord
	ENIs           map[string]*eniRecord
	Users          map[string]*userRecord
	Groups         map[string]*groupRecord  // of RAM
	Policies       map[string]*policyRecord // Custom ones; the System ones are built in
	Keys           map[string]*keyRecord
	LAN            map[string]LANNode
	Tokens         map[string]tokenRecord

	Rules       map[string][]cloud.SecurityRule // by security group
	Routing     Routing
	Withdrawn   []netip.Prefix // what static routing would bring and somebody took away
	Routes      []routeRecord  // what somebody wrote
	VBRs        map[string]*vbrRecord
	BGPGroups   map[string]BGPGroup
	BGPPeers    map[string]*peerRecord
	BGPNetworks []cloud.BGPNetwork
	CEN         []cenRecord

	Faults  []Fault
	Calls   map[string]int            // by action
	Refused map[string]map[string]int // by action, then code
	Created time.Time
}

func newState(seed string, now time.Time) *state {
	return &state{
		Seed: seed, Created: now,
		VSwitches: map[string]*vswitchRecord{}, SecurityGroups: map[string]cloud.SecurityGroup{},
		Clusters: map[string]cloud.Cluster{}, Instances: map[string]*instanceRecord{}, ENIs: map[string]*eniRecord{},
		Users: map[string]*userRecord{}, Groups: map[string]*groupRecord{}, Policies: map[string]*policyRecord{}, Keys: map[string]*keyRecord{},
		LAN: map[string]LANNode{}, Tokens: map[string]tokenRecord{}, Rules: map[string][]cloud.SecurityRule{},
		VBRs: map[string]*vbrRecord{}, BGPGroups: map[string]BGPGroup{}, BGPPeers: map[string]*peerRecord{},
		Calls: map[string]int{}, Refused: map[string]map[string]int{},
	}
}

type vswitchRecord struct {
	cloud.VSwitch            // Free is not kept: it follows from the ENIs
	Cursor        netip.Addr // the address assigned last; the next one is looked for behind it
}

type instanceRecord struct {
	cloud.Instance
	NetNS   string
	Primary string // its primary ENI
	Created time.Time
}

type eniRecord struct {
	ID, Name, Description string
	Status                cloud.ENIStatus
	Type                  cloud.ENIType
	MAC                   string
	VSwitchID             string
	SecurityGroups        []string
	Instance              string
	Trunk                 string // the trunk ENI that a member hangs below
	VLAN                  int    // of a member
	IPv4, IPv6            []addressRecord
	Prefixes              []netip.Prefix  // /28, besides IPv4
	Left                  []addressRecord // unassigned ones; At is when. The metadata service shows them a while longer
	Tags                  map[string]string
	DeleteOnRelease       bool
	Created, Attached     time.Time

	Due    time.Time // when the transition that Status names ends
	Held   bool      // it does not end
	Revert bool      // Attaching ends in Available
}

type addressRecord struct {
	Addr netip.Addr
	At   time.Time
}

func addresses(records []addressRecord) []netip.Addr {
	var all []netip.Addr
	for _, r := range records {
		all = append(all, r.Addr)
	}
	return all
}

// moving reports whether a transition is under way.
func (e *eniRecord) moving() bool {
	return e.Status == cloud.ENIAttaching || e.Status == cloud.ENIDetaching || e.Status == cloud.ENIDeleting
}

func (s *state) instance(id string) (*instanceRecord, error) {
	if i, ok := s.Instances[id]; ok {
		return i, nil
	}
	return nil, fail("InvalidInstanceId.NotFound", "The specified InstanceId does not exist.")
}

func (s *state) eni(id string) (*eniRecord, error) {
	if e, ok := s.ENIs[id]; ok {
		return e, nil
	}
	return nil, fail("InvalidEniId.NotFound", "The specified eni ID %s does not exist.", id)
}

// settle ends every transition that is due at now and reports whether there was one. A transition ends at its own due
// time, not when somebody looked.
func (s *state) settle(now time.Time) bool {
	changed := false
	for id, e := range s.ENIs {
		if !e.moving() || e.Held || e.Due.After(now) {
			continue
		}
		changed = true
		switch {
		case e.Status == cloud.ENIDeleting:
			delete(s.ENIs, id)
		case e.Status == cloud.ENIAttaching && !e.Revert:
			e.Status, e.Attached = cloud.ENIInUse, e.Due
		default:
			e.release()
		}
	}
	return changed
}

// release makes the ENI Available again.
func (e *eniRecord) release() {
	e.Status, e.Instance, e.Trunk, e.VLAN, e.Attached, e.Revert = cloud.ENIAvailable, "", "", 0, time.Time{}, false
	if e.Type == cloud.ENIMember {
		e.Type = cloud.ENISecondary
	}
}

// nextDue is when the next transition ends, false when none will.
func (s *state) nextDue() (time.Time, bool) {
	var next time.Time
	for _, e := range s.ENIs {
		if e.moving() && !e.Held && (next.IsZero() || e.Due.Before(next)) {
			next = e.Due
		}
	}
	return next, !next.IsZero()
}

const base36 = "0123456789abcdefghijklmnopqrstuvwxyz"

// random returns n characters of alphabet, different at every call.
func (s *state) random(alphabet string, n int) string {
	s.Seq++
	rest := big.NewInt(0)
	var sum [32]byte
	base := big.NewInt(int64(len(alphabet)))
	text := make([]byte, n)
	for i := range text {
		if i%16 == 0 {
			sum = sha256.Sum256(fmt.Appendf(nil, "%s/%d/%d", s.Seed, s.Seq, i))
			rest.SetBytes(sum[:])
		}
		digit := new(big.Int)
		rest.DivMod(rest, base, digit)
		text[i] = alphabet[digit.Int64()]
	}
	return string(text)
}

// newID makes an ID like those of the service: "eni-bp1" and 17 characters.
func (s *state) newID(prefix string) string { return prefix + "-bp1" + s.random(base36, 17) }

// newMAC makes an address under Alibaba Cloud's prefix that no ENI has.
func (s *state) newMAC() string {
	for {
		hex := s.random("0123456789abcdef", 6)
		mac := fmt.Sprintf("00:16:3e:%s:%s:%s", hex[0:2], hex[2:4], hex[4:6])
		taken := false
		for _, e := range s.ENIs {
			taken = taken || e.MAC == mac
		}
		if !taken {
			return mac
		}
	}
}
