package history

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	ip   = netip.MustParseAddr("10.0.16.7")
)

func at(minute int, what, owner string) Event {
	return Event{At: noon.Add(time.Duration(minute) * time.Minute), What: what, IP: ip, ENI: "eni-1", Pod: "default/" + owner, Owner: owner}
}

func opened(t *testing.T, path string, most int64) *Log {
	t.Helper()
	l, err := open(path, most, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func closed(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestEventsOutliveARestartAndATornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "history")
	l := opened(t, path, fileSize)
	other := at(1, Granted, "b")
	other.IP = netip.MustParseAddr("10.0.16.77") // its text has ip's in it
	l.Note(at(0, Granted, "a"))
	l.Note(other)
	closed(t, l)
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(file, `{"at":"2026-01-02T12:00:`)
	file.Close()
	l = opened(t, path, fileSize)
	defer closed(t, l)
	l.Note(at(2, Released, "a"))
	l.Note(at(3, Granted, "c"))
	got, begins, err := l.Of(t.Context(), ip)
	if err != nil || !begins.Equal(noon) {
		t.Errorf("begins %v, %v", begins, err)
	}
	equal := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	if diff := cmp.Diff([]Event{at(0, Granted, "a"), at(2, Released, "a"), at(3, Granted, "c")}, got, equal); diff != "" {
		t.Error(diff)
	}
}

func TestFilesAreBoundedAndTheOldestEventsGo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	l := opened(t, path, 2000)
	defer closed(t, l)
	for i := range 100 {
		l.Note(at(i, Granted, fmt.Sprint("pod-", i)))
		if err := l.Copy(t.Context(), io.Discard); err != nil { // one batch each
			t.Fatal(err)
		}
	}
	got, begins, err := l.Of(t.Context(), ip)
	if err != nil || len(got) < 10 || len(got) > 40 || got[len(got)-1].Owner != "pod-99" || !begins.Equal(got[0].At) {
		t.Errorf("%d events, the last %v, begins %v, %v", len(got), got[len(got)-1], begins, err)
	}
	for _, name := range []string{path, path + ".1"} {
		if info, err := os.Stat(name); err != nil || info.Size() > 2000 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

// Nobody waits for the disk: while it is stuck, events are counted and dropped.
func TestNoteNeverWaits(t *testing.T) {
	l := opened(t, filepath.Join(t.TempDir(), "history"), fileSize)
	l.mu.Lock() // the disk is stuck
	for i := range 3 * queued {
		l.Note(at(i, Granted, "a"))
	}
	dropped := l.Dropped()
	l.mu.Unlock()
	closed(t, l)
	// Besides the queue, the batch that the goroutine had taken when it got stuck is not lost: at most one more and a queue.
	if dropped < queued-1 || dropped > 2*queued {
		t.Errorf("%d dropped of %d", dropped, 3*queued)
	}
	l = opened(t, l.path, fileSize)
	defer closed(t, l)
	if got, _, err := l.Of(t.Context(), ip); err != nil || uint64(len(got)) != 3*queued-dropped {
		t.Errorf("%d events on disk, %v; %d were not dropped", len(got), err, 3*queued-dropped)
	}
}

func TestADiskThatFailsIsCountedAndTriedAgain(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "state")
	l := opened(t, filepath.Join(folder, "history"), 1)
	defer closed(t, l)
	l.Note(at(0, Granted, "a"))
	if _, _, err := l.Of(t.Context(), ip); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	l.Note(at(1, Granted, "b")) // cannot be rotated to
	if _, _, err := l.Of(t.Context(), ip); err != nil || l.Dropped() != 1 {
		t.Errorf("%d dropped, %v", l.Dropped(), err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	l.Note(at(2, Granted, "c"))
	if got, _, err := l.Of(t.Context(), ip); err != nil || len(got) != 1 || got[0].Owner != "c" {
		t.Errorf("%v, %v", got, err)
	}
}

// What Note costs is on the way of every ADD.
func BenchmarkNote(b *testing.B) {
	l, err := Open(filepath.Join(b.TempDir(), "history"), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	e := at(0, Granted, "a")
	for b.Loop() {
		l.Note(e)
	}
	b.ReportMetric(float64(l.Dropped())/float64(b.N), "dropped/op")
}

func TestSpans(t *testing.T) {
	for name, test := range map[string]struct {
		events []Event
		want   []Span
	}{
		"one after the other": {[]Event{at(0, Granted, "a"), at(1, Released, "a"), at(2, Granted, "b")},
			[]Span{{Pod: "default/a", Owner: "a", ENI: "eni-1", From: noon, Until: noon.Add(time.Minute)}, {Pod: "default/b", Owner: "b", ENI: "eni-1", From: noon.Add(2 * time.Minute)}}},
		"granted twice":           {[]Event{at(0, Granted, "a"), at(1, Granted, "a")}, []Span{{Pod: "default/a", Owner: "a", ENI: "eni-1", From: noon}}},
		"its beginning is gone":   {[]Event{at(1, Released, "a")}, []Span{{Pod: "default/a", Owner: "a", ENI: "eni-1", Until: noon.Add(time.Minute)}}},
		"nobody ever had it":      {nil, nil},
		"again by the same owner": {[]Event{at(0, Granted, "a"), at(1, Released, "a"), at(2, Granted, "a")}, []Span{{Pod: "default/a", Owner: "a", ENI: "eni-1", From: noon, Until: noon.Add(time.Minute)}, {Pod: "default/a", Owner: "a", ENI: "eni-1", From: noon.Add(2 * time.Minute)}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, Spans(test.events)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
