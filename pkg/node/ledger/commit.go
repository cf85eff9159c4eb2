package ledger

import "go.etcd.io/bbolt"

// change sets one key, or deletes it when value is nil.
type change struct {
	bucket, key string
	value       []byte
}

func (c change) apply(tx *bbolt.Tx) error {
	bucket := tx.Bucket([]byte(c.bucket))
	if c.value == nil {
		return bucket.Delete([]byte(c.key))
	}
	return bucket.Put([]byte(c.key), c.value)
}

// commit is one transaction that several callers share. err may be read when done is closed.
type commit struct {
	changes []change
	done    chan struct{}
	err     error
}

// change writes c in the next commit and returns when it is on disk. Changes of one caller keep their order.
func (l *Ledger) change(c change) error {
	l.mu.Lock()
	shared, first := l.waiting, l.waiting == nil
	if first {
		shared = &commit{done: make(chan struct{})}
		l.waiting = shared
	}
	shared.changes = append(shared.changes, c)
	l.mu.Unlock()
	if first {
		l.commit(shared)
	}
	<-shared.done
	return shared.err
}

// commit waits for the commit before, closes the door of this one, and writes it.
func (l *Ledger) commit(shared *commit) {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	l.waiting = nil
	l.mu.Unlock()
	shared.err = l.db.Update(func(tx *bbolt.Tx) error {
		for _, c := range shared.changes {
			if err := c.apply(tx); err != nil {
				return err
			}
		}
		return nil
	})
	l.commits++
	close(shared.done)
}
