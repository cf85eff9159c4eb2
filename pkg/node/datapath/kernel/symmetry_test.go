package kernel

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// nft runs the program in the host's namespace.
func (w *world) nft(args ...string) string {
	w.t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		w.t.Skipf("needs nft: %v", err)
	}
	var out []byte
	var err error
	w.host.Do(func() { out, err = exec.Command("nft", args...).CombinedOutput() })
	if err != nil {
		w.t.Fatalf("nft %s: %v\n%s", args, err, out)
	}
	return string(out)
}

func (w *world) symmetryRules() []string { return w.rulesOf(datapath.SymmetryTable) }

// rulesOf is the rules of a table of ours as nft lists them, without their comments.
func (w *world) rulesOf(table string) (rules []string) {
	w.t.Helper()
	for line := range strings.Lines(w.nft("list", "table", "inet", table)) {
		if rule, _, found := strings.Cut(strings.TrimSpace(line), " comment "); found {
			rules = append(rules, rule)
		}
	}
	return rules
}

func symmetricWorld(t *testing.T) *world {
	return newWorld(t, datapath.Options{PerPodRules: true, Symmetry: datapath.Symmetry{Dev: "lo", Index: 1, Mark: datapath.DefaultReplyMark()}})
}

// TestSymmetryIsWhatItPrints makes the table by netlink and by the printed command, and has nft list both.
func TestSymmetryIsWhatItPrints(t *testing.T) {
	w := symmetricWorld(t)
	byNetlink := w.symmetryRules()
	var err error
	var out []byte
	shell := exec.Command("sh", "-ec", w.opts.Symmetry.String())
	w.host.Do(func() { out, err = shell.CombinedOutput() })
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	if byCommand := w.symmetryRules(); !slices.Equal(byNetlink, byCommand) || len(byCommand) != 2 {
		t.Errorf("netlink made\n%s\nthe command made\n%s", strings.Join(byNetlink, "\n"), strings.Join(byCommand, "\n"))
	}
	if there, err := w.k.filter.has(symmetry(w.opts.Symmetry)); !there || err != nil {
		t.Errorf("what the command made is not recognised: %v", err)
	}
}

func TestSymmetryIsHealedAndRemoved(t *testing.T) {
	w := symmetricWorld(t)
	for _, damage := range [][]string{
		{"flush", "ruleset"},
		{"flush", "table", "inet", datapath.SymmetryTable},
		{"add", "rule", "inet", datapath.SymmetryTable, "prerouting", "drop"},
	} {
		w.nft(damage...)
		lost, err := w.k.Heal(t.Context(), w.hostContent())
		if err != nil || len(lost) != 1 || lost[0].Kind != "symmetry" {
			t.Errorf("after nft %s: %v, %v", damage, lost, err)
		}
		if lost, err = w.k.Heal(t.Context(), w.hostContent()); len(lost) > 0 || err != nil {
			t.Errorf("healed twice after nft %s: %v, %v", damage, lost, err)
		}
	}
	w.nft("add", "table", "inet", "another")
	if err := w.k.RemoveAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := strings.TrimSpace(w.nft("list", "tables")); left != "table inet another" {
		t.Errorf("left: %s", left)
	}
}

func TestUplinkIsTheDefaultRouteWithTheLeastMetric(t *testing.T) {
	w := newWorld(t, steering["rules"])
	for range 2 {
		if name, index, err := w.k.Uplink(t.Context()); name != "eth0" || index != w.host.Link("eth0").Attrs().Index || err != nil {
			t.Errorf("Uplink = %s, %d, %v", name, index, err)
		}
		var err error
		w.host.Do(func() {
			err = exec.Command("ip", "route", "replace", "default", "via", "10.0.16.253", "dev", "eth1", "onlink", "metric", "50").Run()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
