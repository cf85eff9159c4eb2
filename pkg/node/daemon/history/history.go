// Package history keeps on disk who held which address: one line an event, appended, in two files that replace each other
// by size. It is for people who ask weeks later, so an event may be lost where keeping it would make a pod wait: nothing is
// synced, and what comes faster than the disk takes it is counted and dropped.
package history

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// What happened to an address.
const (
	Granted  = "granted"
	Released = "released"
)

// Event is something that happened to an address.
type Event struct {
	At    time.Time  `json:"at"`
	What  string     `json:"what"` // Granted or Released
	IP    netip.Addr `json:"ip"`
	ENI   string     `json:"eni,omitempty"`
	Pod   string     `json:"pod"`   // "namespace/name"
	Owner string     `json:"owner"` // "containerID/ifName"
}

const (
	queued   = 256     // events that may wait for the disk
	fileSize = 1 << 20 // bytes, some 5,000 events
)

// Log is an open history. Its methods may be called from any goroutine.
type Log struct {
	path    string
	most    int64
	logger  *slog.Logger
	events  chan Event
	asked   chan chan struct{} // answered when all that was noted before is in the file
	stop    chan struct{}
	done    chan struct{}
	dropped atomic.Uint64

	mu   sync.Mutex // guards the files
	file *os.File
	size int64
}

// Open opens the history at path, or begins one. Its one goroutine runs until Close.
func Open(path string, logger *slog.Logger) (*Log, error) { return open(path, fileSize, logger) }

func open(path string, most int64, logger *slog.Logger) (*Log, error) {
	l := &Log{path: path, most: most, logger: logger, events: make(chan Event, queued), asked: make(chan chan struct{}), stop: make(chan struct{}), done: make(chan struct{})}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open the addresses' history: %w; check the state directory", err)
	}
	if err := l.openFile(); err != nil {
		return nil, fmt.Errorf("open the addresses' history: %w; check the state directory", err)
	}
	go l.write()
	return l, nil
}

// Note writes an event down some time soon. It never waits.
func (l *Log) Note(e Event) {
	select {
	case l.events <- e:
	default:
		l.dropped.Add(1)
	}
}

// Dropped is how many events were lost since Open.
func (l *Log) Dropped() uint64 { return l.dropped.Load() }

// Close writes what is queued and closes the file. Nobody may call Note any more. A nil Log is closed.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	close(l.stop)
	<-l.done
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

// openFile opens the newer file. A last line that is torn is ended, so that the next one does not join it.
func (l *Log) openFile() error {
	file, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && info.Size() > 0 {
		last := make([]byte, 1)
		if _, err = file.ReadAt(last, info.Size()-1); err == nil && last[0] != '\n' {
			_, err = file.WriteString("\n")
		}
	}
	if err != nil {
		return errors.Join(err, file.Close())
	}
	l.file, l.size = file, info.Size()
	return nil
}

// write is the goroutine.
func (l *Log) write() {
	defer close(l.done)
	for {
		select {
		case e := <-l.events:
			l.append(l.batch(e))
		case answer := <-l.asked:
			l.append(l.batch())
			close(answer)
		case <-l.stop:
			l.append(l.batch())
			return
		}
	}
}

// batch is events, and all that was queued behind them when it was called: what comes meanwhile belongs to the next batch,
// or a steady stream would never be written.
func (l *Log) batch(events ...Event) []Event {
	for range queued {
		select {
		case e := <-l.events:
			events = append(events, e)
		default:
			return events
		}
	}
	return events
}

func (l *Log) append(events []Event) {
	if len(events) == 0 {
		return
	}
	var text bytes.Buffer
	lines := json.NewEncoder(&text)
	for _, e := range events {
		if err := lines.Encode(e); err != nil {
			panic(fmt.Sprintf("encode %+v: %v", e, err)) // it has no field that cannot be
		}
	}
	if err := l.put(text.Bytes()); err != nil {
		l.dropped.Add(uint64(len(events)))
		l.logger.Warn("events of addresses are lost", "count", len(events), "err", err)
	}
}

// put appends text; a file that would grow too long becomes the older one, and the one that was older before goes. After a failure
// the next call tries to open the file again.
func (l *Log) put(text []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil && l.size > 0 && l.size+int64(len(text)) > l.most {
		err := errors.Join(l.file.Close(), os.Rename(l.path, l.older()))
		if l.file = nil; err != nil {
			return err
		}
	}
	if l.file == nil {
		if err := l.openFile(); err != nil {
			return err
		}
	}
	n, err := l.file.Write(text)
	l.size += int64(n)
	return err
}

func (l *Log) older() string { return l.path + ".1" }

// Of returns the events of ip, oldest first, and when the oldest event of any address was: what was before then is not
// known. All that was noted before the call is in it.
func (l *Log) Of(ctx context.Context, ip netip.Addr) (events []Event, begins time.Time, err error) {
	if err := l.settle(ctx); err != nil {
		return nil, begins, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, path := range []string{l.older(), l.path} {
		if events, begins, err = read(path, ip, events, begins); err != nil {
			return nil, begins, fmt.Errorf("read the addresses' history: %w; check the state directory", err)
		}
	}
	return events, begins, nil
}

// read adds a file's events of ip. Lines that cannot be read are left out: the last one may be torn.
func read(path string, ip netip.Addr, events []Event, begins time.Time) ([]Event, time.Time, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return events, begins, nil
	}
	if err != nil {
		return nil, begins, err
	}
	defer file.Close()
	mention := []byte(`"` + ip.String() + `"`)
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if !begins.IsZero() && !bytes.Contains(lines.Bytes(), mention) {
			continue
		}
		var e Event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue
		}
		if begins.IsZero() {
			begins = e.At
		}
		if e.IP == ip {
			events = append(events, e)
		}
	}
	return events, begins, lines.Err()
}

// Copy writes all events to out, oldest first, a line each.
func (l *Log) Copy(ctx context.Context, out io.Writer) error {
	if err := l.settle(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, path := range []string{l.older(), l.path} {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			_, err = out.Write(text)
		}
		if err != nil {
			return fmt.Errorf("copy the addresses' history: %w", err)
		}
	}
	return nil
}

// settle waits until all that was noted before is in the file.
func (l *Log) settle(ctx context.Context) error {
	written := make(chan struct{})
	select {
	case l.asked <- written:
		<-written
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.done:
		return nil
	}
}
