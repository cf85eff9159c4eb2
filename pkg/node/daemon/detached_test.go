package daemon

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/datapath"
)

var errNoLink = errors.New("no such device")

// detached is a kernel that refuses, all at once, what names the link with one MAC: somebody detached that ENI.
type detached struct {
	*fakeKernel
	mac string
	set []string // MACs of links that were set up
}

func (d *detached) ApplyHost(_ context.Context, host datapath.NetNS) error {
	for _, l := range host.Links {
		if l.MAC == d.mac {
			return errNoLink
		}
	}
	for _, l := range host.Links {
		d.set = append(d.set, l.MAC)
	}
	return nil
}

func (d *detached) Heal(ctx context.Context, want datapath.NetNS) ([]datapath.Difference, error) {
	return nil, d.ApplyHost(ctx, want)
}

func (d *detached) Watch(context.Context, func(datapath.Disturbance)) error { return nil }

func (d *detached) OwnedAt(context.Context, []int) ([]Attachment, error) { return nil, nil }

// The link of eni-1 is gone; eni-2 and a new eni-3 are set up all the same.
func TestAnENIWithoutALinkDoesNotKeepTheOthers(t *testing.T) {
	ready := func(enis *ENIs, number string) error {
		return enis.ENIReady(t.Context(), cloud.ENI{ID: "eni-" + number, MAC: "00:16:3e:00:00:0" + number}, podVSwitch())
	}
	both := []string{"00:16:3e:00:00:02", "00:16:3e:00:00:03"}
	for name, c := range map[string]struct {
		do   func(*ENIs, *detached) error
		set  []string
		says string // which ENI could not be set up; "": all that were asked for could
	}{
		"ENIReady": {func(enis *ENIs, _ *detached) error { return ready(enis, "3") }, both[1:], ""},
		"Repair":   {func(enis *ENIs, _ *detached) error { return enis.Repair(t.Context()) }, both[:1], "eni-1"},
		"Symmetric": {func(enis *ENIs, _ *detached) error {
			return enis.Symmetric(t.Context(), datapath.Symmetry{Dev: "eth0", Index: 2, Mark: datapath.DefaultReplyMark()})
		}, both[:1], "eni-1"},
		"heal": {func(enis *ENIs, k *detached) error { _, err := enis.heal(t.Context(), k); return err }, both[:1], "eni-1"},
	} {
		t.Run(name, func(t *testing.T) {
			kernel := &detached{fakeKernel: &fakeKernel{script: &script{}}}
			enis := newENIs(t, kernel.fakeKernel, filepath.Join(t.TempDir(), "slots"))
			enis.links = kernel
			if err := errors.Join(ready(enis, "1"), ready(enis, "2")); err != nil {
				t.Fatal(err)
			}
			kernel.mac, kernel.set = "00:16:3e:00:00:01", nil
			err := c.do(enis, kernel)
			if diff := cmp.Diff(c.set, kernel.set); diff != "" {
				t.Errorf("links that were set up: %s", diff)
			}
			if c.says == "" && err != nil || c.says != "" && (!errors.Is(err, errNoLink) || !strings.Contains(err.Error(), c.says)) {
				t.Errorf("error %v", err)
			}
		})
	}
}
