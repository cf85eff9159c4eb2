package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/datapath"
)

func newENIs(t *testing.T, kernel *fakeKernel, slotsFile string) *ENIs {
	t.Helper()
	slots, err := OpenSlots(slotsFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	return NewENIs(kernel, slots, datapath.Options{}, 1400, true, slog.New(slog.DiscardHandler))
}

func podVSwitch() cloud.VSwitch {
	return cloud.VSwitch{ID: "vsw-1", CIDR: netip.MustParsePrefix("10.0.16.0/24")}
}

func TestENIReadySetsTheHostUpAndRemembers(t *testing.T) {
	kernel := &fakeKernel{script: &script{}}
	enis := newENIs(t, kernel, filepath.Join(t.TempDir(), "slots"))
	if err := enis.ENIReady(t.Context(), cloud.ENI{ID: "eni-1", MAC: "00:16:3e:00:00:01"}, podVSwitch()); err != nil {
		t.Fatal(err)
	}
	want := datapath.ENI{ID: "eni-1", MAC: "00:16:3e:00:00:01", Name: "eth1", Index: 3, Slot: 1, Gateway: netip.MustParseAddr("10.0.16.253"), MTU: 1400}
	got, _ := enis.known("eni-1")
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if text := strings.Join(kernel.enis, ""); !strings.Contains(text, "default via 10.0.16.253") && !strings.Contains(text, "0.0.0.0/0 via 10.0.16.253 dev eth1 table 1003") {
		t.Errorf("host got %s", text)
	}
	if err := enis.ENIGone(t.Context(), "eni-1"); err != nil {
		t.Fatal(err)
	}
	if _, known := enis.known("eni-1"); known {
		t.Error("still known after it is gone")
	}
	if err := enis.ENIGone(t.Context(), "eni-never"); err != nil {
		t.Errorf("an ENI that was never set up: %v", err)
	}
}

func TestSlotsOutliveTheDaemonAndAreUsedAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "slots")
	ready := func(enis *ENIs, id string) int {
		t.Helper()
		if err := enis.ENIReady(t.Context(), cloud.ENI{ID: id, MAC: "00:16:3e:00:00:01"}, podVSwitch()); err != nil {
			t.Fatal(err)
		}
		eni, _ := enis.known(id)
		return eni.Slot
	}
	first := newENIs(t, &fakeKernel{script: &script{}}, file)
	if a, b := ready(first, "eni-a"), ready(first, "eni-b"); a != 1 || b != 2 {
		t.Fatalf("slots %d and %d", a, b)
	}
	second := newENIs(t, &fakeKernel{script: &script{}}, file)
	if b, a := ready(second, "eni-b"), ready(second, "eni-a"); a != 1 || b != 2 {
		t.Errorf("after a restart in another order: slots %d and %d; running pods' marks would lead to the wrong ENI", a, b)
	}
	if err := second.ENIGone(t.Context(), "eni-a"); err != nil {
		t.Fatal(err)
	}
	if c := ready(second, "eni-c"); c != 1 {
		t.Errorf("slot %d, want the free one", c)
	}
}

func TestSlotsThatWereLostAreThoseThatTheHostShows(t *testing.T) {
	slots, err := OpenSlots(filepath.Join(t.TempDir(), "slots"), map[int]int{7: 1, 9: 3})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		eni         string
		index, want int
	}{
		{"eni-new", 11, 2}, // 1 and 3 are marks of pods that run
		{"eni-b", 9, 3},
		{"eni-a", 7, 1},
		{"eni-b", 15, 3}, // attached again
		{"eni-newer", 12, 4},
	} {
		if got, err := slots.take(step.eni, step.index); err != nil || got != step.want {
			t.Errorf("%s at link %d: slot %d, %v; want %d", step.eni, step.index, got, err, step.want)
		}
	}
}

func TestBrokenSlotsFileIsAnErrorThatSaysWhatToDo(t *testing.T) {
	for _, text := range []string{`{"eni-1":`, `null`, ``} {
		file := filepath.Join(t.TempDir(), "slots")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenSlots(file, nil); !errors.Is(err, ErrSlotsDamaged) || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "remove it") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}

func TestENIReadySaysWhatIsMissing(t *testing.T) {
	kernel := &fakeKernel{script: &script{}}
	enis := newENIs(t, kernel, filepath.Join(t.TempDir(), "slots"))
	ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Millisecond, errBroken)
	defer cancel()
	err := enis.ENIReady(ctx, cloud.ENI{ID: "eni-9", MAC: "00:16:3e:00:00:99"}, podVSwitch())
	if err == nil || !strings.Contains(err.Error(), "eni-9") || !strings.Contains(err.Error(), "ip link") {
		t.Errorf("no link: %v", err)
	}
	err = enis.ENIReady(t.Context(), cloud.ENI{ID: "eni-1", MAC: "00:16:3e:00:00:01"}, cloud.VSwitch{ID: "vsw-1"})
	if err == nil || !strings.Contains(err.Error(), "vsw-1") {
		t.Errorf("no CIDR: %v", err)
	}
	kernel.breaks("kernel.ApplyHost", errBroken)
	if err := enis.ENIReady(t.Context(), cloud.ENI{ID: "eni-1", MAC: "00:16:3e:00:00:01"}, podVSwitch()); err == nil {
		t.Error("no error from a kernel that refuses")
	}
	if _, known := enis.known("eni-1"); known {
		t.Error("an ENI that could not be set up counts as ready")
	}
}

// TestENIOfAVSwitchWithIPv6 is about dual stack, where an ENI has both families though the node may have none but IPv4; and about
// pods without IPv6, for which nothing is made of that family: the node may have switched it off, and then the ENI could not be set up.
func TestENIOfAVSwitchWithIPv6(t *testing.T) {
	const rule = "ip -6 rule add priority 512 from all lookup 999"
	shared := []string{rule, "ip route replace ::/0 via 2001:db8:0:16:ffff:ffff:ffff:fffd dev eth1 table 1003 onlink", "ip -6 rule add priority 2048 from all fwmark 0x100/0x3f00 lookup 1003"}
	vswitch := podVSwitch()
	vswitch.IPv6CIDR = netip.MustParsePrefix("2001:db8:0:16::/64")
	for name, test := range map[string]struct {
		exclusive bool
		want      []string
	}{"shared": {false, shared}, "exclusive": {true, []string{rule}}} {
		for _, dual := range []bool{true, false} {
			kernel := &fakeKernel{script: &script{}}
			enis := newENIs(t, kernel, filepath.Join(t.TempDir(), "slots"))
			if enis.dual = dual; test.exclusive {
				enis = NewExclusiveENIs(kernel, datapath.Options{}, dual, slog.New(slog.DiscardHandler))
			}
			if err := enis.ENIReady(t.Context(), cloud.ENI{ID: "eni-1", MAC: "00:16:3e:00:00:01"}, vswitch); err != nil {
				t.Fatal(err)
			}
			text := strings.Join(kernel.enis, "")
			for _, want := range test.want {
				if strings.Contains(text, want) != dual {
					t.Errorf("%s, dual stack %t: %q in\n%s", name, dual, want, text)
				}
			}
			if !dual && strings.Contains(text, "::") {
				t.Errorf("%s: IPv6 for pods that have none:\n%s", name, text)
			}
		}
	}
}
