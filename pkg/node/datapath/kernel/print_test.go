package kernel

import (
	"os/exec"
	"testing"

	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/testkit"
)

// TestPrintedCommandsMakeWhatCheckWants runs what a NetNS prints, so that what operators read is what the kernel gets. A
// mark's program is in no file that a command could name, so it is tried with a rule for each pod.
func TestPrintedCommandsMakeWhatCheckWants(t *testing.T) {
	needs(t, "ip", "sysctl", "nft")
	opts := steering["rules"]
	opts.Symmetry = datapath.Symmetry{Dev: "lo", Index: 1, Mark: datapath.DefaultReplyMark()}
	w := newWorld(t, opts)
	if err := w.k.RemoveAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := w.newPod("a", "10.0.16.5", w.enis[0])
	run := w.printed(p)
	run(w.host, w.hostContent())
	run(w.host, p.host)
	run(p.NetNS, p.own)
	w.assign(p)
	if differences := append(w.check(p), w.checkHost()...); len(differences) > 0 {
		t.Errorf("Check: %q", differences)
	}
	if listed := w.symmetryRules(); len(listed) != 2 {
		t.Errorf("nft made %q", listed)
	}
	w.reaches(p.NetNS, serverIP)
	if err := w.k.Remove(t.Context(), p.host); err != nil {
		t.Error(err)
	}
}

// TestPrintedCommandsMakeAnENIThePods is the same of a pod with an ENI of its own and limits.
func TestPrintedCommandsMakeAnENIThePods(t *testing.T) {
	needs(t, "ip", "sysctl", "tc", "nsenter")
	w := exclusiveWorld(t)
	p := w.newPod("a", "10.0.16.5", w.enis[0])
	p.Ingress, p.Egress = low, high
	p.host, p.own = datapath.ExclusiveENI(p.Pod, w.opts)
	run := w.printed(p)
	run(w.host, p.host)
	run(p.NetNS, p.own)
	w.assign(p)
	if differences := w.check(p); len(differences) > 0 {
		t.Errorf("Check: %q", differences)
	}
	w.reaches(p.NetNS, serverIP)
	w.reaches(w.router, p.IPv4)
	w.reaches(w.host, p.IPv4)
}

// printed runs in a namespace what the content of one prints.
func (w *world) printed(p *pod) func(*testkit.NetNS, datapath.NetNS) {
	return func(ns *testkit.NetNS, content datapath.NetNS) {
		w.t.Helper()
		shell := exec.CommandContext(w.t.Context(), "sh", "-ec", content.String())
		shell.Env = append(shell.Environ(), "POD="+p.Path, "HOST="+w.host.Path)
		var output []byte
		var err error
		ns.Do(func() { output, err = shell.CombinedOutput() })
		if err != nil {
			w.t.Fatalf("%v\n%s\n%s", err, output, content)
		}
	}
}

func needs(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s: %v", tool, err)
		}
	}
}
