package kernel

import (
	"context"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// MasqueradeError is why addresses of pods with ENIs of their own cannot be translated on this machine, nil where they can.
// Where they cannot, a NetNS with a Masquerade is refused.
func (k *Kernel) MasqueradeError() error { return k.filter.masqueradeErr }

// UplinkAddrs is the node's own addresses: those of its uplink that the world may know, IPv4 first.
func (k *Kernel) UplinkAddrs(ctx context.Context) ([]netip.Addr, error) {
	name, index, err := k.Uplink(ctx)
	if err != nil || index == 0 {
		return nil, err
	}
	s, giveBack, err := k.host(ctx)
	if err != nil {
		return nil, err
	}
	defer giveBack()
	addrs, err := addrsOf(ctx, s, map[int]string{index: name})
	var four, six []netip.Addr
	for _, a := range addrs {
		switch ip := a.Prefix.Addr(); {
		case a.HostScope || !ip.IsGlobalUnicast():
		case ip.Is4():
			four = append(four, ip)
		default:
			six = append(six, ip)
		}
	}
	return append(four, six...), err
}

// masquerade is the table of m, as Masquerade.String shows it.
func masquerade(m datapath.Masquerade) ruleset {
	chain := nftables.Chain{Name: "postrouting", Type: nftables.ChainTypeNAT, Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource}
	group := &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: number(datapath.GroupExclusive)}
	r := ruleset{table: datapath.MasqueradeTable, chain: chain, comment: m.Comment()}
	for _, to := range []netip.Addr{m.IPv4, m.IPv6} {
		if !to.IsValid() {
			continue
		}
		family := byte(unix.NFPROTO_IPV4)
		if to.Is6() {
			family = unix.NFPROTO_IPV6
		}
		r.rules = append(r.rules, []expr.Any{
			&expr.Meta{Key: expr.MetaKeyOIFGROUP, Register: 1}, group,
			&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{family}},
			&expr.Immediate{Register: 1, Data: to.AsSlice()},
			&expr.NAT{Type: expr.NATTypeSourceNAT, Family: uint32(family), RegAddrMin: 1},
		})
	}
	r.rules = append(r.rules, []expr.Any{&expr.Meta{Key: expr.MetaKeyIIFGROUP, Register: 1}, group, &expr.Masq{}})
	return r
}
