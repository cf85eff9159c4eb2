package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/daemon"
	"github.com/onectl/onectl/pkg/node/ledger"
)

// openLedger opens the ledger. One that is damaged is kept beside a new one: what it held is in the kernel, too.
func (n *node) openLedger(path string) (*ledger.Ledger, error) {
	book, err := ledger.Open(path)
	if !ledger.Damaged(err) {
		return book, err
	}
	aside := path + ".damaged"
	if err := os.Rename(path, aside); err != nil {
		return nil, fmt.Errorf("put the damaged ledger aside: %w", err)
	}
	n.logger.Warn("the ledger is damaged; records are made again from the kernel", "cause", cause.LedgerDamaged, "kept", aside, "err", err)
	n.tell(cause.LedgerDamaged, err.Error())
	return ledger.Open(path)
}

// records is what the ledger holds, and for sandboxes that only the kernel knows, a record made anew: a ledger that was
// lost costs no pod its address.
func (n *node) records(ctx context.Context, book *ledger.Ledger, kernel namespaces) ([]ledger.Record, error) {
	records, err := book.All()
	if err != nil {
		return nil, fmt.Errorf("%w; move the ledger away and start terwayd again: it finds the running pods in the kernel", err)
	}
	owned, err := kernel.Owned(ctx)
	if err != nil {
		return nil, fmt.Errorf("compare the ledger with the kernel: %w; terwayd does not serve before it knows which addresses are in use", err)
	}
	lost := daemon.Recover(records, owned, time.Now())
	for _, r := range lost {
		if err := book.Put(r); err != nil {
			return nil, err
		}
		n.logger.Warn("the ledger did not know a running sandbox; its record was made again from the kernel", "cause", cause.LedgerRecovered, "container", r.ContainerID, "ip", r.IPv4)
	}
	if len(lost) > 0 {
		n.tell(cause.LedgerRecovered, fmt.Sprintf("the ledger was lost or incomplete: records of %d sandboxes were made again from the kernel", len(lost)))
	}
	return append(records, lost...), nil
}
