package fakecloud

import (
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/onectl/onectl/pkg/cloud"
)

// sameAddrs lets cmp look into netip's values.
var sameAddrs = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmpopts.EquateEmpty(),
}

// lab is a world with one vSwitch, one instance and a clock that the test moves.
type lab struct {
	*World
	t        *testing.T
	clock    *ManualClock
	options  Options
	made     BootstrapResult
	api      *Session // the account's own
	instance cloud.Instance
	saved    *saved
}

// saved is where the world is saved to.
type saved struct {
	mu       sync.Mutex
	snapshot []byte
	times    int
	fail     error
}

func (s *saved) save(snapshot []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	s.snapshot, s.times = snapshot, s.times+1
	return nil
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, clock: NewManualClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)), saved: &saved{}}
	l.options = Options{
		Clock: l.clock, Save: l.saved.save, Warn: func(err error) { t.Log(err) },
		Delays: Delays{Attach: 2 * time.Second, Detach: 3 * time.Second, Delete: time.Second, Metadata: 500 * time.Millisecond},
	}
	l.World = New(l.options)
	t.Cleanup(func() { l.World.Close() })
	made, err := l.Bootstrap(labSpec())
	l.must(err)
	l.made, l.api = made, l.Session(made.AccountKey)
	l.instance, _, err = l.AddInstance(InstanceSpec{ID: "i-1", Name: "node-1", Type: "ecs.g7.large", VSwitchID: "vsw-1", NetNS: "/run/netns/node-1"})
	l.must(err)
	return l
}

func labSpec() BootstrapSpec {
	return BootstrapSpec{
		Region: "cn-hangzhou", VPC: netip.MustParsePrefix("10.0.0.0/16"), PodVSwitches: []string{"vsw-2"},
		VSwitches: []VSwitchSpec{
			{ID: "vsw-1", Zone: "cn-hangzhou-i", CIDR: netip.MustParsePrefix("10.0.1.0/24"), IPv6CIDR: netip.MustParsePrefix("2408:4005:1:1::/64")},
			{ID: "vsw-2", Zone: "cn-hangzhou-i", CIDR: netip.MustParsePrefix("10.0.2.0/29")},
		},
	}
}

func (l *lab) must(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) spec() cloud.ENISpec {
	return cloud.ENISpec{VSwitchID: "vsw-1", SecurityGroups: []string{l.made.SecurityGroup.ID}}
}

func (l *lab) create(spec cloud.ENISpec) cloud.ENI {
	l.t.Helper()
	eni, err := l.api.CreateENI(l.t.Context(), spec)
	l.must(err)
	return eni
}

// attached is a new ENI that is InUse on the instance.
func (l *lab) attached() cloud.ENI {
	l.t.Helper()
	eni := l.create(l.spec())
	l.must(l.api.AttachENI(l.t.Context(), eni.ID, l.instance.ID))
	l.clock.Advance(2 * time.Second)
	return l.view(eni.ID).ENI
}

func (l *lab) view(id string) ENIView {
	l.t.Helper()
	view, err := l.api.ENIAttribute(l.t.Context(), id)
	l.must(err)
	return view
}

func (l *lab) wantCode(err error, code string) {
	l.t.Helper()
	var e *cloud.Error
	if !errors.As(err, &e) || e.Code != code {
		l.t.Fatalf("got %v, want code %s", err, code)
	}
}

// restart kills the world without a word and returns one made of what was saved.
func (l *lab) restart() {
	l.t.Helper()
	world, err := Restore(l.saved.snapshot, l.options)
	l.must(err)
	l.World, l.api = world, world.Session(l.made.AccountKey)
}

// addSomebody makes a user with a policy, an old version of it, and a key.
func (l *lab) addSomebody() {
	l.t.Helper()
	ctx := l.t.Context()
	_, err := l.api.CreateUser(ctx, cloud.User{Name: "somebody"})
	_, keyErr := l.api.CreateAccessKey(ctx, "somebody")
	l.must(errors.Join(err, keyErr,
		l.api.CreatePolicy(ctx, cloud.Policy{Name: "p", Document: describeOnly}), l.api.SetPolicyDocument(ctx, "p", describeOnly),
		l.api.AttachPolicyToUser(ctx, policyCustom, "p", "somebody")))
}
