package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/datapath"
)

func addTwice(h *hostile) {
	p := h.sandbox()
	one, two := h.ok(h.words("ADD", p)), h.ok(h.words("ADD", p))
	if diff := cmp.Diff(one.Result, two.Result); diff != "" {
		h.t.Error(diff)
	}
	h.ok(h.words("DEL", p))
	h.ok(h.words("DEL", p))
}

func delFirst(h *hostile) {
	p := h.sandbox()
	h.ok(h.words("DEL", p))
	h.ok(h.words("ADD", p))
	h.ok(h.words("DEL", p))
	h.refused(cni.CodeUnknownContainer, h.words("CHECK", p))
}

func delOfNoNamespace(h *hostile) {
	for _, path := range []string{"", "/absent", os.DevNull, "/", h.host.Path} {
		p := h.sandbox()
		h.ok(h.words("ADD", p))
		h.ok(h.words("DEL", p).with("CNI_NETNS", path))
	}
}

// begun is an ADD that waits for the cloud.
type begun struct {
	pod     pod
	process *exec.Cmd
	ended   chan struct{} // closed when the process has ended
	release func()        // lets the cloud answer
	served  []pod         // those before it, for which an address was idle
}

func (h *hostile) begin() (b begun) {
	h.t.Helper()
	for {
		var reached <-chan struct{}
		b.pod, b.ended = h.sandbox(), make(chan struct{})
		reached, b.release = h.gate.hold("AssignPrivateIpAddresses")
		b.process = h.command(h.words("ADD", b.pod))
		h.host.Do(func() { h.must(b.process.Start()) })
		go func() { _ = b.process.Wait(); close(b.ended) }()
		select {
		case <-reached:
			return b
		case <-b.ended:
			b.served = append(b.served, b.pod)
		}
	}
}

func namespaceGoes(h *hostile) {
	b := h.begin()
	h.must(b.pod.ns.Fd.Close())
	b.release()
	<-b.ended // it may have worked: the plugin itself kept the namespace for that long
	veth := datapath.HostIfName("default", b.pod.name, "eth0")
	h.eventually("the namespace gone, its veth with it", func() bool { return h.sh(h.host, "ip -o link show dev "+veth+" 2>/dev/null || true") == "" })
	for _, p := range append(b.served, b.pod) {
		h.ok(h.words("DEL", p))
	}
}

func pluginKilled(h *hostile) {
	b := h.begin()
	h.must(b.process.Process.Kill())
	<-b.ended
	h.eventually("given up", func() bool { return strings.Contains(h.log.String(), "the plugin has ended") })
	b.release()
	for _, p := range b.served { // not for the one that was killed: it is taken back without a DEL
		h.ok(h.words("DEL", p))
	}
}

func oneSandboxAtOnce(h *hostile) {
	p := h.sandbox()
	all := make([]asked, 30)
	for i := range all {
		all[i] = h.words("ADD", p)
	}
	adds := h.atOnce(all)
	for _, did := range adds {
		if diff := cmp.Diff(adds[0].Result, did.Result); diff != "" || did.Exit != 0 {
			h.t.Errorf("%s\n%s", did.Out, diff)
		}
	}
	for i := range all {
		all[i] = h.words([]string{"ADD", "DEL"}[i%2], p)
	}
	h.atOnce(all) // some of the one win, some of the other
	for i := range all {
		all[i] = h.words("DEL", p)
	}
	for _, did := range h.atOnce(all) {
		if did.Exit != 0 {
			h.t.Errorf("DEL: %s", did.Out)
		}
	}
}

func manySandboxesAtOnce(h *hostile) {
	var adds, dels []asked
	for range 30 {
		p := h.sandbox()
		adds, dels = append(adds, h.words("ADD", p)), append(dels, h.words("DEL", p))
	}
	seen := map[string]bool{}
	for _, did := range h.atOnce(adds) {
		if did.Exit != 0 || seen[did.Result.IPs[0].Address] {
			h.t.Fatalf("ADD: %s (an address of somebody else: %t)", did.Out, did.Exit == 0)
		}
		seen[did.Result.IPs[0].Address] = true
	}
	for _, did := range h.atOnce(append(dels, dels...)) {
		if did.Exit != 0 {
			h.t.Errorf("DEL: %s", did.Out)
		}
	}
}

func twoInterfaces(h *hostile) {
	p := h.sandbox()
	did := h.atOnce([]asked{h.words("ADD", p), h.words("ADD", p).with("CNI_IFNAME", "net1")})
	if did[0].Exit+did[1].Exit != 0 || did[0].Result.IPs[0].Address == did[1].Result.IPs[0].Address {
		h.t.Fatalf("two interfaces: %s, %s", did[0].Out, did[1].Out)
	}
	for i, ifName := range []string{"eth0", "net1"} {
		h.ok(h.words("CHECK", p).with("CNI_IFNAME", ifName).set("prevResult", did[i].Result))
	}
	similar := h.pod("similar", p.name+"net1")
	h.ok(h.words("ADD", similar))
	h.ok(h.words("CHECK", p).with("CNI_IFNAME", "net1").set("prevResult", did[1].Result))
	h.ok(h.words("DEL", similar))
	h.ok(h.words("DEL", p).with("CNI_IFNAME", "net1"))
	h.ok(h.words("CHECK", p).set("prevResult", did[0].Result))
	h.ping(p.ns, h.peerIP)
	h.ok(h.words("DEL", p))
}

func newBeforeOld(h *hostile) {
	old, fresh := h.sandbox(), h.sandbox()
	fresh.name = old.name
	h.ok(h.words("ADD", old))
	did := h.ok(h.words("ADD", fresh))
	h.ok(h.words("DEL", old))
	h.ok(h.words("CHECK", fresh).set("prevResult", did.Result))
	h.ping(fresh.ns, h.peerIP)
	h.ok(h.words("DEL", fresh))
}

func wrongPaths(h *hostile) {
	pipe, file := h.path("pipe"), h.path("file")
	h.must(syscall.Mkfifo(pipe, 0o600))
	h.must(os.WriteFile(file, nil, 0o600))
	for _, path := range []string{"/absent", os.DevNull, "/", pipe, file, h.path("run", "terway.sock"), "/proc/self/ns/mnt", "/proc/self/ns/net", h.host.Path,
		"relative", "with\nline", "/" + strings.Repeat("x", 5000)} {
		for _, verb := range []string{"ADD", "CHECK"} {
			p := h.sandbox()
			h.refused(cni.CodeInvalidNetNS, h.words(verb, p).with("CNI_NETNS", path))
		}
	}
}

func wrongVersions(h *hostile) {
	p := h.sandbox()
	for _, version := range []any{"", "0.1.0", "0.2.0", "0.5.0", "1.0.1", "1.2.0", "2.0.0", "01.0.0", "1.1", "1.1.0.0", "x", "-1.0.0", "99999999999999999999.0.0", " 1.1.0", strings.Repeat("1", 1<<20)} {
		for _, verb := range []string{"ADD", "DEL", "CHECK", "STATUS"} {
			did := h.say(h.words(verb, p).set("cniVersion", version))
			if code := did.Error.Code; code != cni.CodeIncompatible && code != cni.CodeDecoding {
				h.t.Errorf("%s in version %.30q: %s", verb, version, did.Out)
			}
		}
	}
	for _, version := range []any{1.1, nil, []string{"1.1.0"}, map[string]any{}} {
		did := h.say(h.words("ADD", p).set("cniVersion", version))
		if code := did.Error.Code; code != cni.CodeIncompatible && code != cni.CodeDecoding {
			h.t.Errorf("ADD in version %v: %s", version, did.Out)
		}
	}
}

func wrongInput(h *hostile) {
	p := h.sandbox()
	start := `{"socket":"` + h.path("run", "terway.sock") + `","cniVersion":"1.1.0","name":"terway",`
	for _, rest := range []string{
		``, `}`, `"`, "\x00", "\xff\xfe", `"a":}`, `"a":` + strings.Repeat("[", 1<<20), `"a":` + strings.Repeat(`{"a":`, 20000) + "1" + strings.Repeat("}", 20001),
		`"prevResult":3}`, `"prevResult":{"ips":[null]}}`, `"prevResult":{"ips":[{"address":"10.0.0.1/33"}]}}`, `"prevResult":{"interfaces":{}}}`,
		`"prevResult":{"ips":[{"address":"192.0.2.1/24","interface":-1}]}}`, `"prevResult":{"ips":[{"address":"192.0.2.1/24","interface":99999999999999999999}]}}`,
		`"runtimeConfig":[]}`, `"runtimeConfig":{"bandwidth":{"ingressRate":-1}}}`, `"runtimeConfig":{"bandwidth":{"egressRate":1e30}}}`,
		`"runtimeConfig":{"bandwidth":"fast"}}`, `"name":"../../etc"}`, `"name":{}}`, `"name":""}`, `"cniVersion":"1.1.0"}{"a":1}`, `"x":"` + strings.Repeat("y", 5<<20) + `"}`,
	} {
		did := h.say(h.words("ADD", p).stdin([]byte(start + rest)))
		if code := did.Error.Code; code < cni.CodeIncompatible || code > cni.CodeInvalidConfig {
			h.t.Errorf("ADD with …%.60q: %.300s", rest, did.Out)
		}
		h.say(h.words("DEL", p).stdin([]byte(start + rest))) // it may succeed: what is wrong may be nothing that it needs
		h.say(h.words("GC", p).stdin([]byte(start + rest)))
		h.say(h.words("CHECK", p).stdin([]byte(start + rest)))
	}
	most := `"runtimeConfig":{"bandwidth":{"ingressRate":18446744073709551615,"egressRate":18446744073709551615,"ingressBurst":-1}}}`
	did := h.ok(h.words("ADD", p).stdin([]byte(start + most)))
	h.ok(h.words("CHECK", p).set("prevResult", did.Result))
	h.ok(h.words("DEL", p))
}

func wrongVariables(h *hostile) {
	p := h.sandbox()
	for _, args := range []string{
		strings.Repeat("a", 100<<10), "K8S_POD_NAMESPACE=../..;K8S_POD_NAME=/etc/passwd", "K8S_POD_NAME=" + strings.Repeat("n", 10<<10), "K8S_POD_NAME=a\nb\x1b[2J;K8S_POD_UID=\xff",
		"=;=;;;==", "K8S_POD_NAME=;K8S_POD_NAMESPACE=",
	} {
		did := h.ok(h.words("ADD", p).with("CNI_ARGS", args))
		h.ok(h.words("CHECK", p).with("CNI_ARGS", args).set("prevResult", did.Result))
		h.ok(h.words("DEL", p).with("CNI_ARGS", "other"))
	}
	for name, values := range map[string][]string{
		"CNI_CONTAINERID": {".", "..", "a/b", "a b", "é", "-", strings.Repeat("c", 300)},
		"CNI_IFNAME":      {".", "..", "a/b", "a b", "a:b", strings.Repeat("e", 16)},
		"CNI_COMMAND":     {"add", "ADD ", "UPDATE", "\xff\xfe", "ADD\xff", strings.Repeat("A", 100<<10)},
	} {
		for _, value := range values {
			h.refused(cni.CodeInvalidArguments, h.words("ADD", p).with(name, value))
		}
	}
	if text, _ := h.get("/metrics"); !strings.Contains(text, `verb="other"`) || strings.Contains(text, `verb="UPDATE"`) {
		h.t.Error("the metrics have a series of a verb that was made up")
	}
	for _, ifName := range []string{"lo", "all", "default", "%d", "eth%d"} { // the kernel has or reads these
		h.say(h.words("ADD", p).with("CNI_IFNAME", ifName))
		h.ok(h.words("DEL", p).with("CNI_IFNAME", ifName))
	}
	if links := strings.TrimSpace(h.sh(p.ns, "ip -br link | wc -l")); links != "1" {
		h.t.Errorf("%s links are left in the sandbox: %s", links, h.sh(p.ns, "ip -br link"))
	}
}
