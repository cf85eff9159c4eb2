package job

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// results are those of n targets, as different from each other as real ones are.
func results(n int) []Result {
	var all []Result
	for i := range n {
		all = append(all, Result{
			ID: fmt.Sprintf("pod-cloud-%d", i), By: fmt.Sprintf("agent-pod-cloud-%d", i), TCP: Answer{Done: true}, UDP: Answer{Done: true},
			Large:   Answer{Done: true, Fault: TooBig, Detail: "1500 bytes do not arrive"},
			Latency: time.Duration(i*7919+113) * time.Nanosecond, Seen: netip.AddrFrom4([4]byte{10, 0, 16, byte(i)}), MTU: 1500, PathMTU: 1400, Told: i%2 == 0,
		})
	}
	return all
}

func TestResultsComeBackAsTheyWere(t *testing.T) {
	want := results(3)
	line, err := Pack(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Unpack("a line of log before\n" + line + "\n")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

func TestFiftyTargetsFitATerminationMessage(t *testing.T) {
	line, err := Pack(results(50))
	if err != nil {
		t.Fatal(err)
	}
	if len(line) > MessageLimit {
		t.Errorf("%d bytes, the kubelet keeps %d", len(line), MessageLimit)
	}
}

func TestTextWithoutResultsIsAnError(t *testing.T) {
	if _, err := Unpack("exec /probe: no such file or directory"); !errors.Is(err, ErrNoResults) {
		t.Errorf("got %v", err)
	}
	line, err := Pack(results(9))
	if err != nil {
		t.Fatal(err)
	}
	for _, cut := range []int{len(packed) + 4, len(line) / 2, len(line) - 4} {
		if _, err := Unpack(line[:cut]); err == nil || !strings.HasPrefix(err.Error(), "unpack results: ") {
			t.Errorf("cut after %d: %v", cut, err)
		}
	}
}
