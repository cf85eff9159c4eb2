package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/node/ledger"
)

// books is all that is held anywhere for pods: by the pool, by the ledger on disk, and by the node's kernel.
func (s *stand) books() string {
	s.t.Helper()
	kernel := s.sh(s.host, "{ ip -o link; ip route show table all; ip -6 route show table all; ip neigh; tc qdisc; } | grep -e cali -e terway-probe || true; "+
		"ip rule | grep '^2048:.*from [0-9]' || true")
	return fmt.Sprintf("pool %v\nledger %v\nkernel %s", s.gauge("terway_resource_pool_used_count"), s.recorded(), kernel)
}

// recorded is the owners in the ledger, read from a copy of its file: the daemon holds the lock of the file itself.
func (s *stand) recorded() (owners []string) {
	s.t.Helper()
	text, err := os.ReadFile(s.path("state", "ledger.db"))
	s.must(err)
	s.must(os.WriteFile(s.path("ledger-copy.db"), text, 0o600))
	book, err := ledger.Open(s.path("ledger-copy.db"))
	if err != nil {
		return []string{err.Error()} // copied in the middle of a commit
	}
	defer book.Close()
	records, err := book.All()
	s.must(err)
	for _, r := range records {
		owners = append(owners, r.Owner())
	}
	slices.Sort(owners)
	return owners
}

// settled waits until the books say want: what a request that was given up leaves is taken back after it.
func (s *stand) settled(want string) {
	s.t.Helper()
	now := ""
	defer func() {
		if s.t.Failed() {
			s.t.Logf("the books say\n%s\nwant\n%s", now, want)
		}
	}()
	s.eventually("settled", func() bool { now = s.books(); return strings.TrimSpace(now) == strings.TrimSpace(want) })
}
