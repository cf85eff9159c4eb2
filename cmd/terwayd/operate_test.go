package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/node/daemon/inspect"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/testkit"
)

// operate runs one of the commands that ask the daemon, as an operator does.
func (s *stand) operate(args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	return s.run(append(args, "--inspect-socket", s.path("run", inspect.SocketName))...)
}

// run runs a command until it ends.
func (s *stand) run(args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	var out, complaint bytes.Buffer
	command := exec.CommandContext(s.t.Context(), s.binary, args...)
	command.Env = append(os.Environ(), asDaemon+"=1")
	command.Stdout, command.Stderr = &out, &complaint
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return out.String(), complaint.String(), command.ProcessState.ExitCode()
}

// says runs a command that must end with code and print all of parts.
func (s *stand) says(code int, args []string, parts ...string) string {
	s.t.Helper()
	out, complaint, got := s.operate(args...)
	if got != code {
		s.t.Errorf("terwayd %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), got, code, out, complaint)
	}
	for _, part := range parts {
		if !strings.Contains(out+complaint, part) {
			s.t.Errorf("terwayd %s: no %q in\n%s%s", strings.Join(args, " "), part, out, complaint)
		}
	}
	return out
}

func words(line string) []string { return strings.Fields(line) }

// TestOperatorsSeeWhatTheDaemonDoes walks through the commands against a running daemon with real namespaces.
func TestOperatorsSeeWhatTheDaemonDoes(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	p := s.pod("sandbox-1", "web-0")
	ip := s.add(p).String()
	veth := datapath.HostIfName("default", "web-0", "eth0")

	s.says(0, words("status"), "instance i-", "shared ENIs", "ecs.g7.xlarge, cn-hangzhou-i", "serving", "1 used", "ConfigMap kube-system/eni-config", "answered", "problems  none")
	s.says(0, words("pods"), "default", "web-0", "sandbox-1/eth0", ip, veth, "ok")
	s.says(0, words("enis"), "eni-", "InUse", "eth1", "vsw-pods")
	s.says(0, words("pool"), "1 used", "vsw-pods", "usable", "ReadCloud")
	chain := s.says(0, words("explain default/web-0"), "everything that terwayd looks after is as it must be", "record", "shows "+ip, "veth", "route", "neighbour", "eth0 is up with its addresses")
	if strings.Contains(chain, inspect.Unknown) {
		t.Errorf("something was not looked at:\n%s", chain)
	}
	s.says(0, words("history "+ip), "default/web-0", "still")
	s.says(0, words("gc --dry-run"), "nothing to take away")

	var pods inspect.Pods
	s.must(json.Unmarshal([]byte(s.says(0, words("pods -o json"))), &pods))
	if len(pods.Pods) != 1 || pods.Pods[0].Name != "web-0" || pods.Pods[0].State != inspect.OK || pods.Pods[0].IPs[0].String() != ip {
		t.Errorf("%+v", pods)
	}

	s.must(s.del(p))
	s.says(0, words("history "+ip), "default/web-0")
	s.says(1, words("explain default/web-0"), "no record", "kubectl -n default get pod web-0 -o wide")
	s.kill()
	s.startReady()
	if out := s.says(0, words("history "+ip), "default/web-0"); strings.Contains(out, "still") {
		t.Errorf("after DEL and a restart:\n%s", out)
	}
}

// TestExplainFindsWhatWasTakenAway damages the pod's own namespace, which the daemon neither enters nor repairs, and looks.
func TestExplainFindsWhatWasTakenAway(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	p := s.pod("sandbox-1", "web-0")
	ip := s.add(p).String()
	s.sh(p.ns, "ip address del "+ip+"/32 dev eth0")
	s.says(1, words("explain default/web-0"), "pod: missing: ip address add "+ip+"/32 dev eth0", "kubectl -n default delete pod web-0")
}

func TestExplainOfAPodWithoutAddressSaysWhy(t *testing.T) {
	s := newStand(t, setup{podCIDR: "10.0.16.0/28"}) // 12 addresses
	s.startReady()
	for i := range 12 {
		s.add(s.pod(fmt.Sprint("sandbox-", i), fmt.Sprint("web-", i)))
	}
	more := s.pod("sandbox-more", "web-more")
	refused := make(chan error, 1)
	go func() { _, _, err := s.tryAdd(more); refused <- err }()
	s.eventually("waiting", func() bool {
		out, _, _ := s.operate("explain", "default/web-more")
		return strings.Contains(out, "it waits for an address") && strings.Contains(out, "VSwitchExhausted vsw-pods") && strings.Contains(out, "eni-config")
	})
	if err := <-refused; err == nil {
		t.Fatal("an address from nowhere")
	}
	s.says(1, words("explain default/web-more"), "its last request was refused", "ADD of sandbox sandbox-more/eth0", "no free address in vSwitch vsw-pods", "kubectl -n default describe pod web-more")
	s.says(1, words("status"), "VSwitchExhausted vsw-pods", "add a vSwitch of this zone", "12 used")
	s.says(0, words("pool"), "exhausted")
}

func TestGCOfAnOperator(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	p := s.pod("sandbox-1", "web-0")
	s.add(p)
	veth := datapath.HostIfName("default", "web-0", "eth0")
	s.sh(s.host, "ip link del "+veth)
	s.says(0, words("gc --dry-run"), "nothing to take away") // the daemon sees the namespace's file, so the sandbox is there
	s.sh(s.host, "ip link add cali000 type veth peer name x; ip link set cali000 group 29797 alias terway:lost/eth0")
	s.says(0, words("gc --dry-run"), "held back", "cali000", "lost/eth0", "dry run")
	s.says(0, words("gc"), "held back", "cali000")
	s.sh(s.host, "ip link show cali000")
}

func TestOperatorsWithoutADaemon(t *testing.T) {
	s := newStand(t, setup{})
	s.says(3, words("status"), "there is no socket", "kubectl -n kube-system get pods -l app=terway-eniip -o wide")
	s.startReady()
	info, err := os.Stat(s.path("run", inspect.SocketName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v", info, err)
	}
	s.kill()
	for _, line := range []string{"status", "pods", "enis", "pool", "explain default/web-0", "gc --dry-run", "history 10.0.16.7", "support-bundle"} {
		s.says(3, words(line), "terwayd is not running on this node", "--previous")
	}
	if out, complaint, code := s.run("__complete", "explain", "--inspect-socket", s.path("run", inspect.SocketName), ""); code != 0 || !strings.HasPrefix(out, ":") {
		t.Errorf("completion without a daemon: %d %s%s", code, out, complaint)
	}
}

// Nobody but root may ask, and who may not is told how.
func TestOnlyRootMayAsk(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	s.must(os.Chmod(s.path("run"), 0o755)) // the socket alone must keep others out
	for folder := s.path(); folder != os.TempDir(); folder = filepath.Dir(folder) {
		s.must(os.Chmod(folder, 0o755))
	}
	self, err := os.Open("/proc/self/exe") // by its descriptor: others cannot enter the folder of the test's binary
	s.must(err)
	defer self.Close()
	command := exec.CommandContext(t.Context(), "setpriv", "--reuid=65534", "--clear-groups", "/proc/self/fd/3", "status", "--inspect-socket", s.path("run", inspect.SocketName))
	command.Env, command.ExtraFiles, command.Dir = append(os.Environ(), asDaemon+"=1"), []*os.File{self}, "/"
	out, _ := command.CombinedOutput()
	if code := command.ProcessState.ExitCode(); code != 4 || !strings.Contains(string(out), "root only") || !strings.Contains(string(out), "kubectl -n kube-system exec") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// The history and the socket are for people: where they cannot be, pods are served all the same.
func TestPodsAreServedWithoutHistoryAndSocket(t *testing.T) {
	s := newStand(t, setup{})
	s.must(os.MkdirAll(s.path("state", "history"), 0o700))
	s.start("--inspect-socket", "/proc/no/such.sock")
	s.eventually("ready", func() bool { _, status := s.get("/readyz"); return status == http.StatusOK })
	s.eventually("conflist", func() bool { _, err := os.Stat(s.path("net.d", "10-terway.conflist")); return err == nil })
	p := s.pod("sandbox-1", "web-0")
	s.ping(s.peer, s.add(p))
	s.must(s.del(p))
	for _, said := range []string{"who holds which address is not written down", "terwayd status and its siblings are not answered"} {
		if !strings.Contains(s.log.String(), said) {
			t.Errorf("no %q in the log", said)
		}
	}
}

func TestOperatorsMistakes(t *testing.T) {
	s := newStand(t, setup{})
	for line, says := range map[string]string{
		"explain": "give one NAMESPACE/POD", "explain web-0": "NAMESPACE/POD", "history": "give one IP", "history ten": "10.0.16.7",
		"status -o yaml": "text or json", "pods --all": "terwayd pods --help",
		"status extra": `unknown command "extra" for "terwayd status"; type: terwayd status --help`, "gc --dry-run extra": "terwayd gc --help", "explain default/web-0 extra": "give one NAMESPACE/POD",
	} {
		s.says(2, words(line), says)
	}
	for line, says := range map[string]string{
		"run extra": "terwayd run --help", "install extra": "terwayd install --help", "uninstall extra": "terwayd uninstall --help", "facts extra": "terwayd facts --help",
		"nosuch": `unknown command "nosuch" for "terwayd"; type: terwayd --help`, "statsu": `did you mean "status"?`, "--nosuch": "terwayd --help",
	} {
		if out, complaint, code := s.run(words(line)...); code != 2 || !strings.Contains(complaint, says) {
			t.Errorf("terwayd %s: exit code %d, want 2 and %q\n%s%s", line, code, says, out, complaint)
		}
	}
	if out, complaint, code := s.run(); code != 0 || !strings.Contains(out, "support-bundle") {
		t.Errorf("terwayd alone: exit code %d\n%s%s", code, out, complaint)
	}
	s.says(0, words("explain --help"), "kubectl -n kube-system exec ds/terway-eniip -c terway -- terwayd explain default/web-0")
}

// A daemon that cannot serve yet says what it waits for.
func TestStatusOfADaemonThatWaits(t *testing.T) {
	s := newStand(t, setup{withoutKey: true})
	s.start()
	s.eventually("status", func() bool {
		out, _, code := s.operate("status")
		return code == 1 && strings.Contains(out, "BadAccessKey") && strings.Contains(out, "onectl ram-user grant")
	})
}

func TestCompletionComesFromTheDaemon(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	ip := s.add(s.pod("sandbox-1", "web-0")).String()
	complete := func(args ...string) (found []string) {
		t.Helper()
		// The flag comes first: what is completed is the last word.
		out, complaint, code := s.run(append([]string{"__complete", args[0], "--inspect-socket", s.path("run", inspect.SocketName)}, args[1:]...)...)
		if code != 0 {
			t.Fatalf("%d %s", code, complaint)
		}
		for line := range strings.Lines(out) {
			if word, _, _ := strings.Cut(strings.TrimSpace(line), "\t"); !strings.HasPrefix(word, ":") {
				found = append(found, word)
			}
		}
		return found
	}
	if diff := cmp.Diff([]string{"default/web-0"}, complete("explain", "")); diff != "" {
		t.Error(diff)
	}
	if got := complete("history", ""); len(got) != 1 || got[0] != ip {
		t.Errorf("history completes %v, want %s", got, ip)
	}
	if diff := cmp.Diff([]string{"text", "json"}, complete("pods", "-o", "")); diff != "" {
		t.Error(diff)
	}
}

// TestSupportBundleHasNoSecret plants keys in both places where they may be, and elsewhere, and looks for them in every byte.
func TestSupportBundleHasNoSecret(t *testing.T) {
	s := newStand(t, setup{eniConf: map[string]any{"access_key": "LTAI-planted-in-conf", "access_secret": "secret-planted-in-conf"}})
	s.must(os.WriteFile(s.path("secret", "other-token"), []byte("planted-beside-them\n"), 0o600))
	s.startReady()
	s.add(s.pod("sandbox-1", "web-0"))
	path := filepath.Join(t.TempDir(), "bundle.tar.gz")
	s.says(0, []string{"support-bundle", "-f", path})
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	s.says(1, []string{"support-bundle", "-f", path}, "name a file that is not there yet")
	text, err := os.ReadFile(path)
	s.must(err)
	files := testkit.Untar(t, bytes.NewReader(text))
	for _, secret := range []string{"LTAI-planted-in-conf", "secret-planted-in-conf", "planted-beside-them", s.key.ID, s.key.Secret.Reveal()} {
		for name, content := range files {
			if strings.Contains(content, secret) {
				t.Errorf("%s has %q", name, secret)
			}
		}
	}
	for name, part := range map[string]string{
		"status.json": `"serving"`, "pods.json": `"web-0"`, "enis.json": `"vsw-pods"`, "pool.json": `"counts"`, "gc.json": `"garbage"`, "history.jsonl": `"granted"`,
		"kernel.txt": "rule 512 from all lookup 999", "metrics.txt": "terway_resource_pool_used_count", "log.jsonl": `"msg":"serving"`, "version.txt": "v",
		"config/eni_conf": `"access_secret": "***"`, "config/10-terway.conf": `"terway"`,
	} {
		if !strings.Contains(files[name], part) {
			t.Errorf("%s has no %s: %s", name, part, files[name])
		}
	}
	out := s.says(0, []string{"support-bundle"})
	if again := testkit.Untar(t, strings.NewReader(out)); len(again) != len(files) {
		t.Errorf("%d files on standard output, %d in the file", len(again), len(files))
	}
}
