package kernel

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// chainName is the one chain of our table.
const chainName = "prerouting"

// filter is the host's nftables, of which one table is ours.
type filter struct {
	mu   sync.Mutex // a batch is built up in conn
	conn *nftables.Conn
	err  error // why there is no nftables here; nil where there is
}

// openFilter opens a socket in the calling thread's network namespace. Where the kernel has no nftables, f.err says so.
func openFilter() *filter {
	conn, err := nftables.New(nftables.AsLasting())
	if err != nil {
		return &filter{err: err}
	}
	f := &filter{conn: conn}
	f.err = f.probe()
	return f
}

// probe makes the rules in a table of another name and deletes it in the same transaction, so the kernel checks all of it and
// keeps nothing.
func (f *filter) probe() error {
	table := &nftables.Table{Name: datapath.SymmetryTable + "_probe", Family: nftables.TableFamilyINet}
	f.fill(table, datapath.Symmetry{Index: 1, Mark: datapath.DefaultReplyMark()})
	f.conn.DelTable(table)
	if err := f.conn.Flush(); err != nil {
		return fmt.Errorf("try nftables with conntrack marks: %w; the kernel needs nf_tables, nft_ct and nf_conntrack", err)
	}
	return nil
}

// fill makes table in the batch.
func (f *filter) fill(table *nftables.Table, s datapath.Symmetry) {
	f.conn.AddTable(table)
	chain := f.conn.AddChain(&nftables.Chain{
		Name: chainName, Table: table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookPrerouting, Priority: nftables.ChainPriorityMangle,
	})
	for _, exprs := range rulesFor(s) {
		f.conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: exprs, UserData: userdata.AppendString(nil, userdata.TypeComment, s.Comment())})
	}
}

func (f *filter) close() error {
	if f.conn == nil {
		return nil
	}
	return f.conn.CloseLasting()
}

// SymmetryError is why replies cannot be routed symmetrically on this machine, nil where they can. Where they cannot, a NetNS
// with a Symmetry is refused.
func (k *Kernel) SymmetryError() error { return k.filter.err }

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

func (f *filter) table() *nftables.Table {
	return &nftables.Table{Name: datapath.SymmetryTable, Family: nftables.TableFamilyINet}
}

// has reports whether our table has the rules of s and no others.
func (f *filter) has(s datapath.Symmetry) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return false, nil
	}
	rules, err := f.conn.GetRules(f.table(), &nftables.Chain{Name: chainName})
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("list rules of nftables table %s: %w", datapath.SymmetryTable, err)
	}
	for _, r := range rules {
		if comment, _ := userdata.GetString(r.UserData, userdata.TypeComment); comment != s.Comment() {
			return false, nil
		}
	}
	return len(rules) == len(rulesFor(s)), nil
}

// apply makes our table anew in one transaction, unless it is as it must be.
func (f *filter) apply(s datapath.Symmetry) error {
	if f.err != nil {
		return fmt.Errorf("route replies symmetrically: %w", f.err)
	}
	if same, err := f.has(s); err != nil || same {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	table := f.conn.AddTable(f.table()) // so that there is one to delete
	f.conn.DelTable(table)
	f.fill(f.table(), s)
	if err := f.conn.Flush(); err != nil {
		return fmt.Errorf("make nftables table %s: %w", datapath.SymmetryTable, err)
	}
	return nil
}

// remove deletes our table and reports whether there was one.
func (f *filter) remove() (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return false, nil
	}
	if _, err := f.conn.ListTableOfFamily(datapath.SymmetryTable, nftables.TableFamilyINet); err != nil {
		return false, nil // it does not tell an absent table from another error, and the next one would be told below
	}
	f.conn.DelTable(f.table())
	if err := f.conn.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
		return false, fmt.Errorf("delete nftables table %s: %w", datapath.SymmetryTable, err)
	}
	return true, nil
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
