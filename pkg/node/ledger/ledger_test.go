package ledger

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bbolterrors "go.etcd.io/bbolt/errors"

	"github.com/onectl/onectl/pkg/cloud"
)

var compareAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

func opened(t *testing.T) (*Ledger, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state", "ledger.db")
	l, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l, path
}

func record(n int) Record {
	return Record{
		ContainerID: fmt.Sprintf("c%03d", n), IfName: "eth0", PodNamespace: "default", PodName: fmt.Sprintf("pod-%d", n), PodUID: "u", NetNS: "/run/netns/x",
		HostIf: "cali0123456789a", ENI: "eni-1", ENIMAC: "00:16:3e:00:00:01", IPv4: netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}),
		CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

func TestRecordsAndIntentsSurviveAReopen(t *testing.T) {
	l, path := opened(t)
	spec := cloud.ENISpec{VSwitchID: "vsw-1", SecurityGroups: []string{"sg-1"}, SecondaryIPv4: 3, Tags: map[string]string{"a": "b"}, ClientToken: "t1", DeleteOnRelease: true}
	other := spec
	other.ClientToken = "t2"
	changed := record(2)
	changed.PodName = "replaced"
	for _, err := range []error{
		l.Put(record(1)), l.Put(record(2)), l.Put(changed), l.Put(record(3)), l.Delete(record(3).Owner()), l.Delete("never/there"),
		l.Record(spec), l.Record(other), l.Forget("t2"), l.Forget("never"), l.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	again, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	records, err := again.All()
	if diff := cmp.Diff([]Record{record(1), changed}, records, compareAddr); diff != "" || err != nil {
		t.Errorf("records, error %v (-want +got):\n%s", err, diff)
	}
	intents, err := again.Intents()
	if diff := cmp.Diff([]cloud.ENISpec{spec}, intents); diff != "" || err != nil {
		t.Errorf("intents, error %v (-want +got):\n%s", err, diff)
	}
	if got, ok, err := again.Get(changed.Owner()); !ok || err != nil || cmp.Diff(changed, got, compareAddr) != "" {
		t.Errorf("Get: %+v, %v, %v", got, ok, err)
	}
	if _, ok, err := again.Get("c003/eth0"); ok || err != nil {
		t.Errorf("a deleted record: %v, %v", ok, err)
	}
}

func TestConcurrentCallersShareCommits(t *testing.T) {
	l, path := opened(t)
	before := l.commits
	const callers, each = 32, 20
	var all sync.WaitGroup
	errs := make([]error, callers)
	for i := range callers {
		all.Go(func() {
			for j := range each {
				n := i*each + j
				errs[i] = errors.Join(errs[i], l.Put(record(n)))
				if j%2 == 1 {
					errs[i] = errors.Join(errs[i], l.Delete(record(n).Owner()))
				}
				if _, ok, err := l.Get(record(n).Owner()); err != nil || ok != (j%2 == 0) {
					errs[i] = errors.Join(errs[i], fmt.Errorf("record %d: there %v, want %v, %w", n, ok, j%2 == 0, err))
				}
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	changes := callers * each * 3 / 2
	if commits := l.commits - before; commits > changes/4 {
		t.Errorf("%d commits for %d changes of %d callers at once", commits, changes, callers)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	records, err := again.All()
	if len(records) != callers*each/2 || err != nil {
		t.Errorf("%d records, %v; want %d", len(records), err, callers*each/2)
	}
}

func TestAPutIsOnDiskWhenItReturns(t *testing.T) {
	l, path := opened(t)
	if err := l.Put(record(1)); err != nil {
		t.Fatal(err)
	}
	// A copy of the file is what a crash at this moment would leave.
	bytes, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(t.TempDir(), "ledger.db")
	if err := os.WriteFile(left, bytes, 0o600); err != nil {
		t.Fatal(err)
	}
	after, err := Open(left)
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	if _, ok, err := after.Get(record(1).Owner()); !ok || err != nil {
		t.Errorf("after a crash: there %v, %v", ok, err)
	}
}

func TestOpenSaysWhatToDo(t *testing.T) {
	_, locked := opened(t)
	damage := func(change func([]byte) []byte) string {
		l, path := opened(t)
		for n := range 300 {
			if err := l.Put(record(n)); err != nil {
				t.Fatal(err)
			}
		}
		_ = l.Close()
		bytes, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, change(bytes), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	inTheWay := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(inTheWay, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ path, want string }{
		"locked":        {locked, "another terwayd is running on this node"},
		"not a ledger":  {damage(func([]byte) []byte { return []byte(strings.Repeat("no ledger ", 2000)) }), "move the file away"},
		"cut short":     {damage(func(b []byte) []byte { return b[:3*4096] }), "move the file away"},
		"overwritten":   {damage(func(b []byte) []byte { return slices.Concat(b[:2*4096], make([]byte, len(b)-2*4096)) }), "move the file away"},
		"folder a file": {filepath.Join(inTheWay, "ledger.db"), "state directory"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := open(c.path, 50*time.Millisecond)
			if err == nil {
				_ = l.Close()
				t.Fatal("it opened")
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) {
				t.Errorf("got %v, want %q and the path", err, c.want)
			}
		})
	}
	if _, err := open(locked, 50*time.Millisecond); !errors.Is(err, bbolterrors.ErrTimeout) {
		t.Errorf("the cause is lost: %v", err)
	}
}

func TestRecordsWithoutAKeyAreRefused(t *testing.T) {
	l, _ := opened(t)
	if err := l.Put(Record{ContainerID: "c"}); err == nil {
		t.Error("a record without interface name was taken")
	}
	if err := l.Record(cloud.ENISpec{}); err == nil {
		t.Error("an intent without token was taken")
	}
}

func BenchmarkPutAlone(b *testing.B) {
	l, err := Open(filepath.Join(b.TempDir(), "ledger.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	var took []time.Duration
	for n := 0; b.Loop(); n++ {
		began := time.Now()
		if err := l.Put(record(n % 200)); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
}

// BenchmarkFsync is what BenchmarkPutAlone is to be read against.
func BenchmarkFsync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "f"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	var took []time.Duration
	page := make([]byte, 4096)
	for b.Loop() {
		began := time.Now()
		if _, err := f.WriteAt(page, 0); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
}

func BenchmarkPutThirtyAtOnce(b *testing.B) {
	l, err := Open(filepath.Join(b.TempDir(), "ledger.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	b.SetParallelism(15)
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			if err := l.Put(record(n % 200)); err != nil {
				b.Error(err)
			}
		}
	})
}
