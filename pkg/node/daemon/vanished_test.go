package daemon

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/pool"
)

func TestAnAddressThatIsGoneIsToldOnceWithItsPod(t *testing.T) {
	var log bytes.Buffer
	b := newBench(t)
	b.ask(t, request(cni.Add, "c1"))
	b.opts.Logger = slog.New(slog.NewJSONHandler(&log, nil))
	gone := func() int {
		b.script.taken()
		b.sweep(t)
		return len(slices.DeleteFunc(b.script.taken(), func(call string) bool { return !strings.Contains(call, "[AddressVanished]") }))
	}
	told := []int{gone()}
	b.pool.status.Vanished = []pool.Holding{{Owner: "c1/eth0", ENI: "eni-1"}}
	told = append(told, gone(), gone())
	b.pool.status.Vanished = nil
	told = append(told, gone())
	if want := []int{0, 1, 0, 0}; !slices.Equal(told, want) {
		t.Errorf("events by sweep %v, want %v", told, want)
	}
	if n := strings.Count(log.String(), `"cause":"AddressVanished","pod":"default/web-0"`); n != 1 {
		t.Errorf("%d lines name the pod, want 1: %s", n, &log)
	}
}
