package kernel

import (
	"context"
	"fmt"
	"strings"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// Heal makes the host hold want again, and returns what it made again; nothing when all was well, and then nothing
// was written. Links that are gone cannot come back this way, so neither they nor what would stand on them is told.
func (k *Kernel) Heal(ctx context.Context, want datapath.NetNS) ([]datapath.Difference, error) {
	got, err := k.Look(ctx, want)
	if err != nil {
		return nil, err
	}
	want = onLinks(want, got.Links)
	found := datapath.Compare(want, got)
	if len(found) == 0 {
		return nil, nil
	}
	if err := k.ApplyHost(ctx, want); err != nil {
		return found, err
	}
	return found, k.settle(ctx, want.Links)
}

// settle asks for links, which makes the kernel finish their change of carrier now; see furnish.
func (k *Kernel) settle(ctx context.Context, links []datapath.Link) error {
	s, giveBack, err := k.host(ctx)
	if err != nil {
		return err
	}
	defer giveBack()
	_, err = linksOf(ctx, s, links)
	return err
}

// Look is what the host holds of the kinds and at the places of which want has something. datapath.Compare tells the
// difference; several wants can be joined and looked for together.
func (k *Kernel) Look(ctx context.Context, want datapath.NetNS) (got datapath.NetNS, err error) {
	s, giveBack, err := k.host(ctx)
	if err != nil {
		return got, err
	}
	defer giveBack()
	if got, err = k.observe(ctx, s, want); err != nil {
		return got, fmt.Errorf("look at the host: %w", err)
	}
	return got, nil
}

// onLinks is what of n stands on links that are there.
func onLinks(n datapath.NetNS, there []datapath.Link) datapath.NetNS {
	up := map[string]bool{"": true}
	for _, l := range there {
		up[l.Name] = true
	}
	rest := datapath.NetNS{Rules: n.Rules, Symmetry: n.Symmetry, Masquerade: n.Masquerade}
	rest.Links = pick(n.Links, func(l datapath.Link) bool { return up[l.Name] })
	rest.Addrs = pick(n.Addrs, func(a datapath.Addr) bool { return up[a.Dev] })
	rest.Neighs = pick(n.Neighs, func(n datapath.Neigh) bool { return up[n.Dev] })
	rest.Routes = pick(n.Routes, func(r datapath.Route) bool { return up[r.Dev] })
	return rest
}

func pick[T any](items []T, wanted func(T) bool) (picked []T) {
	for _, item := range items {
		if wanted(item) {
			picked = append(picked, item)
		}
	}
	return picked
}

// OwnedAt tells whose host veths the links with these indexes are. Indexes of other links, and of none, are left out. The
// addresses are not looked up.
func (k *Kernel) OwnedAt(ctx context.Context, indexes []int) ([]Owned, error) {
	s, giveBack, err := k.host(ctx)
	if err != nil {
		return nil, err
	}
	defer giveBack()
	var found []Owned
	for len(indexes) > 0 {
		n := min(batchSize, len(indexes))
		messages := make([]message, 0, n)
		for _, index := range indexes[:n] {
			messages = append(messages, getLink(fmt.Sprint("number ", index), index))
		}
		indexes = indexes[n:]
		replies, errs := s.run(ctx, messages)
		for i, reply := range replies {
			if errs[i] != nil {
				return nil, errs[i]
			}
			if reply == nil {
				continue
			}
			if l := parseLink(reply); pods(l.Group) {
				found = append(found, ownedOf(l))
			}
		}
	}
	return found, nil
}

func ownedOf(l *link) Owned {
	containerID, ifName, _ := strings.Cut(strings.TrimPrefix(l.Alias, datapath.AliasPrefix), "/")
	return Owned{HostIf: l.Name, ContainerID: containerID, IfName: ifName, Exclusive: l.Group == datapath.GroupExclusive}
}
