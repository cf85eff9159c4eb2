package kernel

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// childEnv holds the work of the child process; see TestCapabilitiesOfTheDaemonAreEnough.
const childEnv = "DATAPATH_TEST_CHILD"

// childWork is what the child does, with the pod's descriptors as files 3 and 4.
type childWork struct {
	ENIs []datapath.ENI
	Pod  datapath.Pod
}

// TestCapabilitiesOfTheDaemonAreEnough does the daemon's work in a process with CAP_NET_ADMIN and CAP_BPF alone, which is
// started in the host's namespace and gets the pod's as descriptors.
func TestCapabilitiesOfTheDaemonAreEnough(t *testing.T) {
	w := newWorld(t, steering["marks"])
	p := w.newPod("a", "10.0.16.5", w.enis[0])
	work, err := json.Marshal(childWork{w.enis, p.Pod})
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	// By its descriptor, since the child's user cannot enter the directory of the test's binary.
	child := exec.CommandContext(t.Context(), fmt.Sprint("/proc/self/fd/", 5), "-test.run=^TestWorkOfTheChild$", "-test.v")
	child.ExtraFiles = []*os.File{p.sandbox.NetNS, p.sandbox.Netlink, self}
	child.Env = append(os.Environ(), childEnv+"="+string(work))
	child.Dir = "/"
	child.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: 65534, Gid: 65534},
		AmbientCaps: []uintptr{unix.CAP_NET_ADMIN, unix.CAP_BPF},
	}
	var output strings.Builder
	child.Stdout, child.Stderr = &output, &output
	w.host.Do(func() { err = child.Start() })
	if err == nil {
		err = child.Wait()
	}
	if err != nil || !strings.Contains(output.String(), "--- PASS: TestWorkOfTheChild") {
		t.Fatalf("child: %v\n%s", err, output.String())
	}
	w.assign(p)
	w.reaches(p.NetNS, serverIP)
	w.reaches(w.host, p.IPv4)
	if differences := w.check(p); len(differences) > 0 {
		t.Errorf("Check: %q", differences)
	}
}

func TestWorkOfTheChild(t *testing.T) {
	text, ok := os.LookupEnv(childEnv)
	if !ok {
		t.Skip("runs in the child process of TestCapabilitiesOfTheDaemonAreEnough alone")
	}
	var work childWork
	if err := json.Unmarshal([]byte(text), &work); err != nil {
		t.Fatal(err)
	}
	onlyTheDaemonsCapabilities(t)
	k, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.MarksError(); err != nil {
		t.Fatal(err)
	}
	hosts := datapath.Host(work.ENIs, datapath.Options{})
	if err := k.ApplyHost(t.Context(), hosts); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if name, _, _, err := k.LinkByMAC(ctx, work.ENIs[0].MAC); name != "eth1" || err != nil {
		t.Fatalf("LinkByMAC = %s, %v", name, err)
	}
	sb := Sandbox{NetNS: os.NewFile(3, "netns"), Netlink: os.NewFile(4, "netlink")}
	host, pod := datapath.SharedENI(work.Pod, datapath.Options{})
	exclusiveOfTheChild(t, k, sb, work)
	for _, step := range []string{"first", "again", "after its removal"} {
		if step == "after its removal" {
			if err := k.Remove(t.Context(), host); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := k.Add(t.Context(), sb, host, pod); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		if differences, err := k.Check(t.Context(), sb, host, pod); err != nil || len(differences) > 0 {
			t.Fatalf("%s: Check: %q, %v", step, differences, err)
		}
		end, err := k.LookIntoPod(t.Context(), host.Links[0].Name, pod.Links)
		if differences := datapath.Diff(datapath.NetNS{Links: pod.Links, Addrs: pod.Addrs}, end); err != nil || len(differences) > 0 {
			t.Fatalf("%s: LookIntoPod: %q, %v", step, differences, err)
		}
	}
	if err := k.Close(); err != nil {
		t.Error(err)
	}
}

// exclusiveOfTheChild moves an ENI into the pod and back, and makes and heals the table of nftables.
func exclusiveOfTheChild(t *testing.T, k *Kernel, sb Sandbox, work childWork) {
	t.Helper()
	work.Pod.ENI, work.Pod.Ingress, work.Pod.Egress = work.ENIs[1], low, low
	host, pod := datapath.ExclusiveENI(work.Pod, datapath.Options{})
	if _, err := k.Add(t.Context(), sb, host, pod); err != nil {
		t.Fatal(err)
	}
	if differences, err := k.Check(t.Context(), sb, host, pod); err != nil || len(differences) > 0 {
		t.Fatalf("Check: %q, %v", differences, err)
	}
	if err := k.MoveBack(t.Context(), sb, pod); err != nil {
		t.Fatal(err)
	}
	if err := k.Remove(t.Context(), host); err != nil {
		t.Fatal(err)
	}
	symmetric := datapath.Host(work.ENIs, datapath.Options{Symmetry: datapath.Symmetry{Dev: "lo", Index: 1, Mark: datapath.DefaultReplyMark()}})
	if lost, err := k.Heal(t.Context(), symmetric); err != nil || len(lost) == 0 {
		t.Fatalf("Heal: %v, %v", lost, err)
	}
	translated := datapath.ExclusiveHost(nil, datapath.Options{Node: []netip.Addr{nodeIP}})
	if lost, err := k.Heal(t.Context(), translated); err != nil || len(lost) != 1 {
		t.Fatalf("Heal: %v, %v", lost, err)
	}
	if removed, err := k.Retire(t.Context(), datapath.NetNS{}); err != nil || len(removed) != 3 {
		t.Fatalf("Retire: %v, %v", removed, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := k.Watch(ctx, func(datapath.Disturbance) { cancel() }); err != nil {
		t.Fatal(err)
	}
}

func onlyTheDaemonsCapabilities(t *testing.T) {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("CapEff:\t%016x\n", uint64(1)<<unix.CAP_NET_ADMIN|uint64(1)<<unix.CAP_BPF)
	if os.Geteuid() == 0 || !strings.Contains(string(status), want) {
		t.Fatalf("this process may do other things than %q:\n%s", want, status)
	}
}
