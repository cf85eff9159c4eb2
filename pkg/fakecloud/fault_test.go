package fakecloud

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
)

func TestFaults(t *testing.T) {
	describe := func(l *lab) error {
		_, err := l.api.DescribeENIs(l.t.Context(), cloud.ENIFilter{})
		return err
	}
	t.Run("count, order and scope", func(t *testing.T) {
		l := newLab(t)
		l.must(l.AddFault(Fault{Action: "DescribeNetworkInterfaces", Code: "Throttling", After: 1, Count: 2}))
		for n, want := range []bool{false, true, true, false} {
			if err := describe(l); (cloud.KindOf(err) == cloud.Throttled) != want {
				t.Errorf("call %d: %v, want throttled %v", n, err, want)
			}
		}
		l.must(l.AddFault(Fault{Action: "ecs:DeleteNetworkInterface", Resource: "eni-1", Code: "InternalError"}))
		l.wantCode(l.api.DeleteENI(t.Context(), "eni-1"), "InternalError")
		l.wantCode(l.api.DeleteENI(t.Context(), "eni-12"), "InvalidEniId.NotFound")
	})
	t.Run("count survives a restart", func(t *testing.T) {
		l := newLab(t)
		l.must(l.AddFault(Fault{Action: "*", Code: "Throttling", Count: 2}))
		if describe(l) == nil {
			t.Error("the fault did not hit")
		}
		l.restart()
		if describe(l) == nil || describe(l) != nil {
			t.Error("the fault hit another number of calls than one after the restart")
		}
	})
	t.Run("lost answer", func(t *testing.T) {
		l := newLab(t)
		l.must(l.AddFault(Fault{Action: "CreateNetworkInterface", Drop: true, Count: 1}))
		spec := l.spec()
		spec.ClientToken = "token"
		_, err := l.api.CreateENI(t.Context(), spec)
		if !errors.Is(err, ErrDropped) || cloud.KindOf(err) != cloud.Unavailable {
			t.Fatalf("got %v, want a lost answer of kind Unavailable", err)
		}
		again := l.create(spec)
		enis, err := l.api.DescribeENIs(t.Context(), cloud.ENIFilter{Type: cloud.ENISecondary})
		l.must(err)
		if len(enis) != 1 || enis[0].ID != again.ID {
			t.Errorf("there are %d ENIs, want the one whose answer was lost and repeated", len(enis))
		}
	})
	t.Run("transition that hangs", func(t *testing.T) {
		l := newLab(t)
		eni := l.create(l.spec())
		l.must(l.AddFault(Fault{Action: "AttachNetworkInterface", Hold: true, Count: 1}))
		l.must(l.api.AttachENI(t.Context(), eni.ID, l.instance.ID))
		l.clock.Advance(time.Hour)
		if got := l.view(eni.ID).Status; got != cloud.ENIAttaching {
			t.Errorf("status is %s, want Attaching for ever", got)
		}
		l.must(l.ClearFaults())
		if got := l.view(eni.ID).Status; got != cloud.ENIInUse {
			t.Errorf("status is %s after ClearFaults, want InUse", got)
		}
	})
	t.Run("attachment that falls back", func(t *testing.T) {
		l := newLab(t)
		eni := l.create(l.spec())
		l.must(l.AddFault(Fault{Action: "AttachNetworkInterface", Revert: true, Count: 1}))
		l.must(l.api.AttachENI(t.Context(), eni.ID, l.instance.ID))
		l.clock.Advance(2 * time.Second)
		if got := l.view(eni.ID); got.Status != cloud.ENIAvailable || got.Instance != "" {
			t.Errorf("ENI is %s on %q, want Available on nothing", got.Status, got.Instance)
		}
	})
	t.Run("delay ends with the caller's patience", func(t *testing.T) {
		l := newLab(t)
		l.must(l.AddFault(Fault{Action: "*", Delay: time.Hour, Count: 1}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := l.api.DescribeENIs(ctx, cloud.ENIFilter{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
	})
}

func TestClientTokenOfAFailedCallIsNotUsedUp(t *testing.T) {
	l := newLab(t)
	spec := l.spec()
	spec.VSwitchID = "vsw-2" // has four addresses
	eni, other := l.create(spec), l.create(spec)
	third := l.create(spec)
	_, err := l.api.AssignIPv4(t.Context(), eni.ID, 2, "token")
	l.wantCode(err, "InvalidVSwitchId.IpNotEnough")
	l.must(l.api.DeleteENI(t.Context(), other.ID))
	l.must(l.api.DeleteENI(t.Context(), third.ID))
	l.clock.Advance(time.Second)
	first, err := l.api.AssignIPv4(t.Context(), eni.ID, 2, "token")
	l.must(err)
	l.restart()
	second, err := l.api.AssignIPv4(t.Context(), eni.ID, 2, "token")
	l.must(err)
	if diff := cmp.Diff(first, second, sameAddrs); diff != "" {
		t.Errorf("the repetition answered otherwise (-first +second):\n%s", diff)
	}
	_, err = l.api.AssignIPv4(t.Context(), eni.ID, 3, "token")
	l.wantCode(err, "IdempotentParameterMismatch")
	l.clock.Advance(tokenLife)
	_, err = l.api.AssignIPv4(t.Context(), eni.ID, 2, "token")
	l.wantCode(err, "InvalidVSwitchId.IpNotEnough") // the token is forgotten, so this is a new call
}
