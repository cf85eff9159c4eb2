// Package ledger keeps on disk which pod sandbox holds which address, and which ENIs the pool was about to create. It
// survives the daemon, not the node's disk; it is the only importer of bbolt.
//
// Every change is on disk when its method returns. Changes made at the same time share one commit: the first caller
// waits for the commit before it to end, and takes all who came meanwhile along. A lone caller waits for nobody (bbolt's
// own DB.Batch would let it wait for company).
package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"go.etcd.io/bbolt"

	"github.com/onectl/onectl/pkg/cloud"
)

// Record is a sandbox's interface and what it holds.
type Record struct {
	ContainerID  string     `json:"containerID"`
	IfName       string     `json:"ifName"`
	PodNamespace string     `json:"podNamespace"`
	PodName      string     `json:"podName"`
	PodUID       string     `json:"podUID,omitempty"`
	NetNS        string     `json:"netns,omitempty"`
	Network      string     `json:"network,omitempty"` // name of the CNI configuration; "" in records of earlier releases and recovered ones
	HostIf       string     `json:"hostIf,omitempty"`
	ENI          string     `json:"eni"`
	ENIMAC       string     `json:"eniMAC,omitempty"`
	IPv4         netip.Addr `json:"ipv4,omitzero"`
	IPv6         netip.Addr `json:"ipv6,omitzero"`
	Ingress      uint64     `json:"ingress,omitempty"`   // limit to the pod in bytes a second, 0: none
	Egress       uint64     `json:"egress,omitempty"`    // limit from the pod
	Exclusive    bool       `json:"exclusive,omitempty"` // the pod has the ENI to itself, as its interface
	Gateway      netip.Addr `json:"gateway,omitzero"`    // with Exclusive: of the ENI's vSwitch
	Gateway6     netip.Addr `json:"gateway6,omitzero"`
	CreatedAt    time.Time  `json:"createdAt"`
}

// Owner is the record's key: "containerID/ifName".
func (r Record) Owner() string { return r.ContainerID + "/" + r.IfName }

const (
	recordsBucket = "sandboxes"
	intentsBucket = "eni-intents"
)

// Ledger is an open ledger. Its methods may be called from any goroutine.
type Ledger struct {
	db      *bbolt.DB
	mu      sync.Mutex // guards waiting
	waiting *commit    // those who share the next commit
	writing sync.Mutex // held during a commit
	commits int        // how many were made; guarded by writing
}

// Put writes a record, replacing the one of the same owner.
func (l *Ledger) Put(r Record) error {
	if r.ContainerID == "" || r.IfName == "" {
		return fmt.Errorf("put ledger record %q: container ID and interface name are both needed", r.Owner())
	}
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("put ledger record %s: %w", r.Owner(), err)
	}
	if err := l.change(change{recordsBucket, r.Owner(), text}); err != nil {
		return fmt.Errorf("put ledger record %s: %w", r.Owner(), err)
	}
	return nil
}

// Delete removes owner's record. An owner without one is not an error.
func (l *Ledger) Delete(owner string) error {
	if err := l.change(change{recordsBucket, owner, nil}); err != nil {
		return fmt.Errorf("delete ledger record %s: %w", owner, err)
	}
	return nil
}

// Get reads owner's record; ok is false when there is none.
func (l *Ledger) Get(owner string) (r Record, ok bool, err error) {
	err = l.db.View(func(tx *bbolt.Tx) error {
		text := tx.Bucket([]byte(recordsBucket)).Get([]byte(owner))
		if text == nil {
			return nil
		}
		ok = true
		return json.Unmarshal(text, &r)
	})
	if err != nil {
		return Record{}, false, fmt.Errorf("get ledger record %s: %w", owner, err)
	}
	return r, ok, nil
}

// All reads every record, by owner. A record that does not parse is left out and named in the error, which comes with
// the others.
func (l *Ledger) All() ([]Record, error) {
	return readAll[Record](l.db, recordsBucket)
}

// Record keeps spec, an ENI that is about to be created, under its ClientToken.
func (l *Ledger) Record(spec cloud.ENISpec) error {
	if spec.ClientToken == "" {
		return errors.New("record ENI intent: the client token is its name and must not be empty")
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return fmt.Errorf("record ENI intent %s: %w", spec.ClientToken, err)
	}
	if err := l.change(change{intentsBucket, spec.ClientToken, text}); err != nil {
		return fmt.Errorf("record ENI intent %s: %w", spec.ClientToken, err)
	}
	return nil
}

// Forget removes the intent of that ClientToken. One that is not there is not an error.
func (l *Ledger) Forget(clientToken string) error {
	if err := l.change(change{intentsBucket, clientToken, nil}); err != nil {
		return fmt.Errorf("forget ENI intent %s: %w", clientToken, err)
	}
	return nil
}

// Intents reads every intent, by ClientToken.
func (l *Ledger) Intents() ([]cloud.ENISpec, error) {
	return readAll[cloud.ENISpec](l.db, intentsBucket)
}

func readAll[T any](db *bbolt.DB, bucket string) ([]T, error) {
	var all []T
	var broken []error
	err := db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(bucket)).ForEach(func(key, text []byte) error {
			var one T
			if err := json.Unmarshal(text, &one); err != nil {
				broken = append(broken, fmt.Errorf("read ledger %s %s: %w", bucket, key, err))
				return nil
			}
			all = append(all, one)
			return nil
		})
	})
	return all, errors.Join(append(broken, err)...)
}
