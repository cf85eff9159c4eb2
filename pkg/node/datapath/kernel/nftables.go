package kernel

import (
	"errors"
	"fmt"
	"sync"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// ruleset is a table of nftables of ours: one chain, whose rules all carry the same comment.
type ruleset struct {
	table   string
	chain   nftables.Chain
	rules   [][]expr.Any
	comment string
}

// rulesets is the tables that n holds.
func rulesets(n datapath.NetNS) (all []ruleset) {
	for _, s := range n.Symmetry {
		all = append(all, symmetry(s))
	}
	for _, m := range n.Masquerade {
		all = append(all, masquerade(m))
	}
	return all
}

// ourTables is all tables that we may have.
func ourTables() []string { return []string{datapath.SymmetryTable, datapath.MasqueradeTable} }

func ourTable(name string) bool {
	return name == datapath.SymmetryTable || name == datapath.MasqueradeTable
}

// filter is the host's nftables, of which some tables are ours.
type filter struct {
	mu            sync.Mutex // a batch is built up in conn
	conn          *nftables.Conn
	symmetryErr   error // why a table of that kind cannot be made here; nil where it can
	masqueradeErr error
}

// openFilter opens a socket in the calling thread's network namespace. Where the kernel has no nftables, the errors say so.
func openFilter() *filter {
	conn, err := nftables.New(nftables.AsLasting())
	if err != nil {
		return &filter{symmetryErr: err, masqueradeErr: err}
	}
	f := &filter{conn: conn}
	f.symmetryErr = f.probe(symmetry(datapath.Symmetry{Index: 1, Mark: datapath.DefaultReplyMark()}), "nft_ct and nf_conntrack")
	f.masqueradeErr = f.probe(masquerade(datapath.Masquerade{IPv4: datapath.Gateway, IPv6: datapath.Gateway6}), "nft_nat, nft_masq and nft_chain_nat")
	return f
}

// probe makes the rules in a table of another name and deletes it in the same transaction, so the kernel checks all of it and
// keeps nothing.
func (f *filter) probe(r ruleset, modules string) error {
	r.table += "_probe"
	f.fill(r)
	f.conn.DelTable(tableNamed(r.table))
	if err := f.conn.Flush(); err != nil {
		return fmt.Errorf("try nftables: %w; the kernel needs nf_tables, %s", err, modules)
	}
	return nil
}

func tableNamed(name string) *nftables.Table {
	return &nftables.Table{Name: name, Family: nftables.TableFamilyINet}
}

// fill makes r in the batch.
func (f *filter) fill(r ruleset) {
	table := f.conn.AddTable(tableNamed(r.table))
	chain := r.chain
	chain.Table = table
	f.conn.AddChain(&chain)
	for _, exprs := range r.rules {
		f.conn.AddRule(&nftables.Rule{Table: table, Chain: &chain, Exprs: exprs, UserData: userdata.AppendString(nil, userdata.TypeComment, r.comment)})
	}
}

func (f *filter) close() error {
	if f.conn == nil {
		return nil
	}
	return f.conn.CloseLasting()
}

// why is the reason why there can be no such table here.
func (f *filter) why(table string) error {
	if table == datapath.MasqueradeTable {
		return f.masqueradeErr
	}
	return f.symmetryErr
}

// has reports whether the table is there with the rules of r and no others.
func (f *filter) has(r ruleset) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.why(r.table) != nil {
		return false, nil
	}
	rules, err := f.conn.GetRules(tableNamed(r.table), &nftables.Chain{Name: r.chain.Name})
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("list rules of nftables table %s: %w", r.table, err)
	}
	for _, rule := range rules {
		if comment, _ := userdata.GetString(rule.UserData, userdata.TypeComment); comment != r.comment {
			return false, nil
		}
	}
	return len(rules) == len(r.rules), nil
}

// observe notes in got what of want's tables is there.
func (f *filter) observe(want datapath.NetNS, got *datapath.NetNS) error {
	for _, s := range want.Symmetry {
		there, err := f.has(symmetry(s))
		if err != nil {
			return err
		}
		if there {
			got.Symmetry = append(got.Symmetry, s)
		}
	}
	for _, m := range want.Masquerade {
		there, err := f.has(masquerade(m))
		if err != nil {
			return err
		}
		if there {
			got.Masquerade = append(got.Masquerade, m)
		}
	}
	return nil
}

// apply makes the tables of n anew that are not as they must be, each in one transaction.
func (f *filter) apply(n datapath.NetNS) error {
	for _, r := range rulesets(n) {
		if err := f.why(r.table); err != nil {
			return fmt.Errorf("make nftables table %s: %w", r.table, err)
		}
		same, err := f.has(r)
		if err != nil {
			return err
		}
		if same {
			continue
		}
		if err := f.renew(r); err != nil {
			return fmt.Errorf("make nftables table %s: %w", r.table, err)
		}
	}
	return nil
}

func (f *filter) renew(r ruleset) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conn.DelTable(f.conn.AddTable(tableNamed(r.table))) // added, so that there is one to delete
	f.fill(r)
	return f.conn.Flush()
}

// retire deletes our tables that keep has not, and names them.
func (f *filter) retire(keep datapath.NetNS) (removed []string, err error) {
	kept := map[string]bool{}
	for _, r := range rulesets(keep) {
		kept[r.table] = true
	}
	for _, name := range ourTables() {
		if kept[name] {
			continue
		}
		gone, err := f.remove(name)
		if err != nil {
			return removed, err
		}
		if gone {
			removed = append(removed, "table "+name)
		}
	}
	return removed, nil
}

// remove deletes a table and reports whether there was one.
func (f *filter) remove(name string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conn == nil {
		return false, nil
	}
	if _, err := f.conn.ListTableOfFamily(name, nftables.TableFamilyINet); err != nil {
		return false, nil // it does not tell an absent table from another error, and the next one would be told below
	}
	f.conn.DelTable(tableNamed(name))
	if err := f.conn.Flush(); err != nil && !errors.Is(err, unix.ENOENT) {
		return false, fmt.Errorf("delete nftables table %s: %w", name, err)
	}
	return true, nil
}
