package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/version"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
	"github.com/onectl/onectl/pkg/fakecloud/fabric"
	"github.com/onectl/onectl/pkg/fakecloud/wire"
	"github.com/onectl/onectl/pkg/testkit"
)

// asDaemon in the environment makes the test's own binary terwayd: the daemon under test is a process of its own, so it
// can be killed.
const asDaemon = "TERWAYD_UNDER_TEST"

func TestMain(m *testing.M) {
	if os.Getenv(asDaemon) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// publishedPolicy is what Alibaba Cloud's page "Deploy and configure Terway" has operators allow, and nothing more.
const publishedPolicy = `{"Version":"1","Statement":[{"Effect":"Allow","Resource":["*"],"Action":[
"ecs:CreateNetworkInterface","ecs:DescribeNetworkInterfaces","ecs:AttachNetworkInterface","ecs:DetachNetworkInterface",
"ecs:DeleteNetworkInterface","ecs:DescribeInstanceAttribute","ecs:AssignPrivateIpAddresses","ecs:UnassignPrivateIpAddresses",
"ecs:DescribeInstances","ecs:ModifyNetworkInterfaceAttribute"]},{"Effect":"Allow","Resource":["*"],"Action":["vpc:DescribeVSwitches"]}]}`

// setup is how one test's stand differs from the usual one.
type setup struct {
	podCIDR    string // of the pods' vSwitch, 10.0.16.0/24
	podIPv6    string // the pods' vSwitch's IPv6 CIDR; "": it has none
	cniVersion string // 1.1.0
	eniConf    map[string]any
	cniConf    map[string]any // more keys of 10-terway.conf
	withoutKey bool           // no AccessKey until giveKey
	eniType    string         // of the Node's label, "" for none
}

// stand is a cloud node: an instance of a simulated VPC with the daemon in its network namespace, and a container runtime.
type stand struct {
	t        *testing.T
	dir      string
	world    *fakecloud.World
	host     *testkit.NetNS // the node
	peer     *testkit.NetNS // another instance
	peerIP   netip.Addr
	key      cloud.AccessKey
	cni      *libcni.CNIConfig
	fabric   *fabric.Fabric
	reaper   *reaper
	api      string // URL of the cloud inside the node
	instance string // ID of the node's
	binary   string // of the daemon: this test's own
	flags    []string

	daemon *exec.Cmd
	log    *lockedBuffer
}

type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func newStand(t *testing.T, wanted setup) *stand {
	t.Helper()
	s := &stand{t: t, dir: t.TempDir(), host: testkit.NewNetNS(t), peer: testkit.NewNetNS(t), log: &lockedBuffer{}, binary: os.Args[0], flags: []string{"--exclusive-mode-eni-type", wanted.eniType}}
	s.buildWorld(wanted)
	s.writeConfig(wanted)
	if !wanted.withoutKey {
		s.giveKey()
	}
	s.buildPlugin()
	// libcni makes a missing executor on first use, unlocked: parallel ADDs would race for it.
	exec := &invoke.DefaultExec{RawExec: &invoke.RawExec{Stderr: os.Stderr}, PluginDecoder: version.PluginDecoder{}}
	s.cni = libcni.NewCNIConfigWithCacheDir([]string{s.path("bin")}, s.path("cache"), exec)
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("terwayd said:\n%s", s.log)
		}
	})
	return s
}

func (s *stand) path(elements ...string) string {
	return filepath.Join(append([]string{s.dir}, elements...)...)
}

func (s *stand) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stand) buildWorld(wanted setup) {
	s.t.Helper()
	if wanted.podCIDR == "" {
		wanted.podCIDR = "10.0.16.0/24"
	}
	s.world = fakecloud.New(fakecloud.Options{Delays: fakecloud.Delays{Attach: 50 * time.Millisecond, Detach: 50 * time.Millisecond}})
	s.t.Cleanup(s.world.Close)
	pods := fakecloud.VSwitchSpec{ID: "vsw-pods", Zone: "cn-hangzhou-i", CIDR: netip.MustParsePrefix(wanted.podCIDR)}
	if wanted.podIPv6 != "" {
		pods.IPv6CIDR = netip.MustParsePrefix(wanted.podIPv6)
	}
	made, err := s.world.Bootstrap(fakecloud.BootstrapSpec{
		Region: "cn-hangzhou", VPC: netip.MustParsePrefix("10.0.0.0/16"), SecurityGroup: "sg-1",
		VSwitches: []fakecloud.VSwitchSpec{
			{ID: "vsw-nodes", Zone: "cn-hangzhou-i", CIDR: netip.MustParsePrefix("10.0.1.0/24")},
			pods,
		},
	})
	s.must(err)
	s.key = s.terwayKey(made.AccountKey)
	instance, _, err := s.world.AddInstance(fakecloud.InstanceSpec{Name: "node-1", Type: "ecs.g7.xlarge", VSwitchID: "vsw-nodes", NetNS: s.host.Path})
	s.must(err)
	other, _, err := s.world.AddInstance(fakecloud.InstanceSpec{Name: "peer", Type: "ecs.g7.large", VSwitchID: "vsw-nodes", NetNS: s.peer.Path})
	s.must(err)
	s.peerIP = other.PrimaryIP
	s.weave()
	s.reaper = &reaper{cloud: wire.Handler(s.world, wire.Options{})}
	s.instance = instance.ID
	s.serve()
}

// serve serves the cloud and the metadata service inside the node.
func (s *stand) serve() {
	s.t.Helper()
	s.serveIn("100.100.100.200:80", wire.Metadata(s.world, s.instance))
	s.api = "http://" + s.serveIn("127.0.0.1:0", s.reaper)
}

// terwayKey is a key of a RAM user with the published policy.
func (s *stand) terwayKey(account cloud.AccessKey) cloud.AccessKey {
	s.t.Helper()
	ctx, session := s.t.Context(), s.world.Session(account)
	_, err := session.CreateUser(ctx, cloud.User{Name: "terway"})
	s.must(err)
	s.must(session.CreatePolicy(ctx, cloud.Policy{Name: "terway", Document: publishedPolicy}))
	s.must(session.AttachPolicyToUser(ctx, "Custom", "terway", "terway"))
	key, err := session.CreateAccessKey(ctx, "terway")
	s.must(err)
	return key
}

func (s *stand) writeConfig(wanted setup) {
	s.t.Helper()
	for _, folder := range []string{"config", "secret", "net.d", "bin", "state"} {
		s.must(os.MkdirAll(s.path(folder), 0o700))
	}
	eni := map[string]any{
		"version": "1", "max_pool_size": 5, "min_pool_size": 0, "vswitches": map[string]any{"cn-hangzhou-i": []string{"vsw-pods"}},
		"eni_tags": map[string]string{"ack.aliyun.com": "c1"}, "service_cidr": "10.96.0.0/16", "security_group": "sg-1",
		"access_key": "", "access_secret": "", "vswitch_selection_policy": "ordered",
	}
	for key, value := range wanted.eniConf {
		eni[key] = value
	}
	text, err := json.Marshal(eni)
	s.must(err)
	s.must(os.WriteFile(s.path("config", "eni_conf"), text, 0o600))
	if wanted.cniVersion == "" {
		wanted.cniVersion = "1.1.0"
	}
	plugin := map[string]any{"cniVersion": wanted.cniVersion, "name": "terway", "type": "terway"}
	for key, value := range wanted.cniConf {
		plugin[key] = value
	}
	text, err = json.Marshal(plugin)
	s.must(err)
	s.must(os.WriteFile(s.path("config", "10-terway.conf"), text, 0o600))
}

func (s *stand) giveKey() {
	s.t.Helper()
	s.must(os.WriteFile(s.path("secret", "access-key-id"), []byte(s.key.ID), 0o600))
	s.must(os.WriteFile(s.path("secret", "access-key-secret"), []byte(s.key.Secret.Reveal()), 0o600))
}

func (s *stand) buildPlugin() {
	s.t.Helper()
	build := exec.Command("go", "build", "-trimpath", "-ldflags", testkit.PluginReleased, "-o", s.path("terway"), "../terway")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		s.t.Fatalf("build the plugin: %v\n%s", err, out)
	}
	s.terwayd("install", "--bin-dir", s.path("bin"), "--source", s.path("terway"))
}

// terwayd runs a command of the daemon's binary inside the node until it ends.
func (s *stand) terwayd(args ...string) {
	s.t.Helper()
	command := exec.Command(s.binary, args...)
	command.Env = append(os.Environ(), asDaemon+"=1")
	s.host.Do(func() {
		if out, err := command.CombinedOutput(); err != nil {
			s.t.Fatalf("terwayd %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	})
}

// start starts the daemon with the two capabilities that its container has; it does not wait until it is ready.
func (s *stand) start(more ...string) {
	s.t.Helper()
	args := append([]string{
		"run", "--standalone", "--log-level", "debug", "--config-dir", s.path("config"), "--secret-dir", s.path("secret"),
		"--state-dir", s.path("state"), "--socket", s.path("run", "terway.sock"), "--cni-conf-dir", s.path("net.d"),
	}, append(s.flags, more...)...)
	s.daemon = exec.Command("setpriv", append([]string{"--bounding-set=-all,+net_admin,+bpf", s.binary}, args...)...)
	s.daemon.Env = append(os.Environ(), asDaemon+"=1", "ONECTL_CLOUD_ENDPOINT="+s.api)
	s.daemon.Stderr = s.log
	s.host.Do(func() { s.must(s.daemon.Start()) })
}

func (s *stand) startReady(more ...string) {
	s.t.Helper()
	s.start(more...)
	s.eventually("ready", func() bool { _, status := s.get("/readyz"); return status == http.StatusOK })
	s.eventually("conflist", func() bool { _, err := os.Stat(s.path("net.d", "10-terway.conflist")); return err == nil })
}

// kill ends the daemon as a crash would.
func (s *stand) kill() {
	if s.daemon == nil {
		return
	}
	s.daemon.Process.Kill()
	s.daemon.Wait()
	s.daemon = nil
}

// get asks the daemon's listener, which is inside the node.
func (s *stand) get(path string) (body string, status int) {
	s.t.Helper()
	dial := func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		s.host.Do(func() { conn, err = (&net.Dialer{}).DialContext(ctx, network, address) })
		return conn, err
	}
	client := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: 5 * time.Second}
	answer, err := client.Get("http://127.0.0.1:10298" + path)
	if err != nil {
		return err.Error(), 0
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	s.must(err)
	return string(text), answer.StatusCode
}

func (s *stand) eventually(what string, holds func() bool) {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("not %s after a minute", what)
		}
	}
}
