package kernel

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// SymmetryError is why replies cannot be routed symmetrically on this machine, nil where they can. Where they cannot, a NetNS
// with a Symmetry is refused.
func (k *Kernel) SymmetryError() error { return k.filter.symmetryErr }

// Uplink is the link of the main table's IPv4 default route, of several that with the least metric: the one by which
// connections to the node itself come in. Both are zero when there is none.
func (k *Kernel) Uplink(ctx context.Context) (name string, index int, err error) {
	s, giveBack, err := k.host(ctx)
	if err != nil {
		return "", 0, err
	}
	defer giveBack()
	if index, err = defaultLink(ctx, s); err != nil || index == 0 {
		return "", 0, err
	}
	reply, errs := s.run(ctx, []message{getLink("of the default route", index)})
	if errs[0] != nil || reply[0] == nil {
		return "", 0, errors.Join(fmt.Errorf("find the link of the default route: %w", unix.ENODEV), errs[0])
	}
	return parseLink(reply[0]).Name, index, nil
}

// symmetry is the table of s.
func symmetry(s datapath.Symmetry) ruleset {
	chain := nftables.Chain{Name: "prerouting", Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityMangle}
	return ruleset{table: datapath.SymmetryTable, chain: chain, rules: rulesFor(s), comment: s.Comment()}
}

// rulesFor is the two rules that Symmetry.String shows.
func rulesFor(s datapath.Symmetry) [][]expr.Any {
	value, mask, rest := number(s.Mark.Value), number(s.Mark.Mask), number(^s.Mark.Mask)
	is := func(data []byte) *expr.Cmp { return &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: data} }
	and := func(mask, xor []byte) *expr.Bitwise {
		return &expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: mask, Xor: xor}
	}
	entered := []expr.Any{
		&expr.Meta{Key: expr.MetaKeyIIF, Register: 1}, is(number(uint32(s.Index))),
		&expr.Ct{Key: expr.CtKeySTATE, Register: 1}, and(number(expr.CtStateBitNEW), number(0)),
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: number(0)},
		&expr.Ct{Key: expr.CtKeyMARK, Register: 1}, and(rest, value),
		&expr.Ct{Key: expr.CtKeyMARK, Register: 1, SourceRegister: true},
	}
	replied := []expr.Any{
		&expr.Meta{Key: expr.MetaKeyIIFGROUP, Register: 1}, is(number(datapath.Group)),
		&expr.Ct{Key: expr.CtKeyDIRECTION, Register: 1}, is([]byte{1}), // IP_CT_DIR_REPLY
		&expr.Ct{Key: expr.CtKeyMARK, Register: 1}, and(mask, number(0)), is(value),
		&expr.Meta{Key: expr.MetaKeyMARK, Register: 1}, and(rest, value),
		&expr.Meta{Key: expr.MetaKeyMARK, Register: 1, SourceRegister: true},
	}
	return [][]expr.Any{entered, replied}
}

func number(n uint32) []byte { return binaryutil.NativeEndian.PutUint32(n) }
