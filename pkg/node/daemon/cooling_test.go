package daemon

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/node/cni"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func reopened(t *testing.T, path string, now time.Time) map[string]time.Time {
	t.Helper()
	c, err := OpenCooling(path, time.Minute, now)
	if err != nil {
		t.Fatal(err)
	}
	freed := map[string]time.Time{}
	for ip, at := range c.Freed() {
		freed[ip.String()] = at.UTC()
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return freed
}

func TestCoolingOutlivesTheDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cooling")
	c, err := OpenCooling(path, time.Minute, noon)
	if err != nil {
		t.Fatal(err)
	}
	for i, ip := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.1"} {
		if err := c.Note(netip.MustParseAddr(ip), noon.Add(time.Duration(i)*10*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	// killed: not closed
	want := map[string]time.Time{"10.0.0.1": noon.Add(20 * time.Second), "10.0.0.2": noon.Add(10 * time.Second)}
	if diff := cmp.Diff(want, reopened(t, path, noon.Add(30*time.Second))); diff != "" {
		t.Errorf("after a restart (-want +got):\n%s", diff)
	}
	delete(want, "10.0.0.2")
	if diff := cmp.Diff(want, reopened(t, path, noon.Add(75*time.Second))); diff != "" {
		t.Errorf("when one has cooled down (-want +got):\n%s", diff)
	}
}

func TestCoolingReadsAFileThatWasCutShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cooling")
	if err := os.WriteFile(path, []byte("10.0.0.1 1767355200\nrubbish\n10.0.0.2 17673552"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := map[string]time.Time{"10.0.0.1": noon}
	if diff := cmp.Diff(want, reopened(t, path, noon)); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
}

// The clock of a node that starts may be wrong until it has asked a time server.
func TestCoolingBearsAClockThatJumps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cooling")
	c, err := OpenCooling(path, time.Minute, noon)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Note(netip.MustParseAddr("10.0.0.1"), noon); err != nil {
		t.Fatal(err)
	}
	yesterday := noon.Add(-24 * time.Hour)
	for _, now := range []time.Time{yesterday, yesterday.Add(30 * time.Second)} {
		if diff := cmp.Diff(map[string]time.Time{"10.0.0.1": yesterday}, reopened(t, path, now)); diff != "" {
			t.Errorf("back at %v (-want +got):\n%s", now, diff)
		}
	}
	if left := reopened(t, path, yesterday.Add(61*time.Second)); len(left) > 0 {
		t.Errorf("kept beyond its minute: %v", left)
	}
}

func TestTheCoolingFileDoesNotGrowForEver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cooling")
	c, err := OpenCooling(path, time.Minute, noon)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := range 3 * coolingLines {
		if err := c.Note(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), noon.Add(time.Duration(i)*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > 2*coolingLines*int64(len("10.0.0.255 1767355200\n")) {
		t.Errorf("%d bytes, %v", info.Size(), err)
	}
}

func TestDelNotesTheAddressBeforeThePoolHasIt(t *testing.T) {
	b := newBench(t)
	c, err := OpenCooling(filepath.Join(t.TempDir(), "cooling"), time.Minute, noon)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b.opts.Cooling = c
	b.ask(t, request(cni.Add, "c1"))
	b.script.breaks("pool.Release", errBroken) // as if the daemon died there
	b.ask(t, request(cni.Del, "c1"))
	if _, noted := c.Freed()[netip.MustParseAddr("10.0.16.1")]; !noted {
		t.Errorf("noted: %v", c.Freed())
	}
}
