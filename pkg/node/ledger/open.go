package ledger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// lockWait is how long Open waits for another process to let go of the file: a daemon that was told to stop needs a
// moment, one that runs will never.
const lockWait = 3 * time.Second

// firstSize is the file's size from its first commit on. It holds some thousand records; a smaller file would grow, and
// be synced once more, with every few of them.
const firstSize = 1 << 20

// Open opens the ledger at path, making it and its folder when they are not there. It reads the whole file first, so
// that damage shows now and not at the first pod. Its errors end with what to do.
func Open(path string) (*Ledger, error) {
	return open(path, lockWait)
}

func open(path string, wait time.Duration) (*Ledger, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open ledger %s: %w; check that the state directory is mounted and writable", path, err)
	}
	if err := inspect(path, wait); err != nil {
		return nil, explain(path, err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: wait, FreelistType: bbolt.FreelistMapType, InitialMmapSize: firstSize,
		NoFreelistSync: true, // one page less a commit; Open finds the free pages by reading the file
	})
	if err != nil {
		return nil, explain(path, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range []string{recordsBucket, intentsBucket} {
			if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(explain(path, err), db.Close())
	}
	return &Ledger{db: db}, nil
}

// Close waits for the commit in progress and closes the file. No method may be called afterwards.
func (l *Ledger) Close() error {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.db.Close(); err != nil {
		return fmt.Errorf("close ledger: %w", err)
	}
	return nil
}

// errDamaged is a file that bbolt opens but cannot read through.
var errDamaged = errors.New("the file is damaged")

// inspect reads every page in use. bbolt answers damage by panicking, or by touching memory beyond the end of a file
// that was cut short; both become errors here, because the reading happens on this goroutine.
func inspect(path string, wait time.Duration) (err error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("%w: %v", errDamaged, fault)
		}
	}()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: wait, ReadOnly: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return db.View(func(tx *bbolt.Tx) error {
		if tx.Size() > info.Size() {
			return fmt.Errorf("%w: it has %d of %d bytes", errDamaged, info.Size(), tx.Size())
		}
		return tx.ForEach(func(_ []byte, bucket *bbolt.Bucket) error {
			return bucket.ForEach(func(_, value []byte) error { _ = append([]byte(nil), value...); return nil })
		})
	})
}

// Damaged reports whether err of Open means that the file is no ledger, or not whole: opening it again will not help.
func Damaged(err error) bool {
	return errors.Is(err, errDamaged) || errors.Is(err, bbolterrors.ErrInvalid) || errors.Is(err, bbolterrors.ErrChecksum) || errors.Is(err, bbolterrors.ErrVersionMismatch)
}

func explain(path string, err error) error {
	switch {
	case errors.Is(err, bbolterrors.ErrTimeout):
		return fmt.Errorf("open ledger %s: another process holds it: another terwayd is running on this node; stop it first: %w", path, err)
	case Damaged(err):
		return fmt.Errorf("open ledger %s: %w; move the file away and start terwayd again: it finds running pods and their addresses in the kernel", path, err)
	}
	return fmt.Errorf("open ledger %s: %w; check that the state directory is writable and not full", path, err)
}
