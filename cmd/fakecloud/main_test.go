package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/cloud/openapi"
	"github.com/onectl/onectl/pkg/fakecloud"
	"github.com/onectl/onectl/pkg/fakecloud/wire"
	"github.com/onectl/onectl/pkg/testkit"
)

// TestMain lets the test binary be the program, so that a test can kill it.
func TestMain(m *testing.M) {
	if os.Getenv("FAKECLOUD_TEST_RUN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// simulator is `fakecloud serve` in a process of its own.
type simulator struct {
	t       *testing.T
	dir     string
	listen  string
	flags   []string
	command *exec.Cmd
	log     bytes.Buffer
	ended   chan struct{}
}

func newSimulator(t *testing.T, flags ...string) *simulator {
	t.Helper()
	s := &simulator{t: t, dir: t.TempDir(), listen: "127.0.0.1:0", flags: flags}
	s.start()
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Log(s.log.String())
		}
	})
	return s
}

func (s *simulator) file(name string) string { return filepath.Join(s.dir, name) }

func (s *simulator) start() {
	s.t.Helper()
	_ = os.Remove(s.file("ready"))
	args := append([]string{"serve", "--listen", s.listen, "--control", s.file("control.sock"), "--state", s.file("state"), "--ready-file", s.file("ready"),
		"--attach-delay", "50ms", "--metadata-delay", "0s"}, s.flags...)
	s.command = exec.Command(os.Args[0], args...)
	s.command.Env = append(os.Environ(), "FAKECLOUD_TEST_RUN=1")
	s.command.Stderr = &s.log
	if err := s.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.ended = make(chan struct{})
	go func(c *exec.Cmd, ended chan struct{}) { _ = c.Wait(); close(ended) }(s.command, s.ended)
	s.until("ready", func() error {
		select {
		case <-s.ended:
			s.t.Fatalf("it ended:\n%s", s.log.String())
		default:
		}
		_, err := os.Stat(s.file("ready"))
		return err
	})
	s.listen = strings.TrimPrefix(s.endpoint(), "http://")
}

func (s *simulator) endpoint() string {
	s.t.Helper()
	data, err := os.ReadFile(s.file("ready"))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

// kill is kill -9.
func (s *simulator) kill() {
	_ = s.command.Process.Kill()
	<-s.ended
}

func (s *simulator) control() wire.ControlClient {
	return wire.ControlClient{Socket: s.file("control.sock")}
}

func (s *simulator) api(key cloud.AccessKey) *openapi.Client {
	s.t.Helper()
	client, err := openapi.New(openapi.Options{Key: key, Region: "cn-hangzhou", Endpoint: s.endpoint(), UserAgent: "test"})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(client.Close)
	return client
}

// until polls done until it says nil, for a while.
func (s *simulator) until(what string, done func() error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := done()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.t.Fatalf("wait for %s: %v", what, err)
		}
	}
}

func (s *simulator) bootstrap() fakecloud.BootstrapResult {
	s.t.Helper()
	made, err := s.control().Bootstrap(s.t.Context(), fakecloud.BootstrapSpec{
		Region: "cn-hangzhou", VPC: netip.MustParsePrefix("10.0.0.0/16"),
		VSwitches: []fakecloud.VSwitchSpec{{ID: "vsw-1", Zone: "cn-hangzhou-i", CIDR: netip.MustParsePrefix("10.0.1.0/24")}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return made
}

// attach makes an ENI and waits until it is InUse on the instance.
func (s *simulator) attach(made fakecloud.BootstrapResult, instance string) cloud.ENI {
	s.t.Helper()
	api := s.api(made.AccountKey)
	eni, err := api.CreateENI(s.t.Context(), cloud.ENISpec{VSwitchID: "vsw-1", SecurityGroups: []string{made.SecurityGroup.ID}})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := api.AttachENI(s.t.Context(), eni.ID, instance); err != nil {
		s.t.Fatal(err)
	}
	s.until("the attachment", func() error { return s.status(api, eni.ID, cloud.ENIInUse) })
	return eni
}

func (s *simulator) status(api *openapi.Client, eni string, want cloud.ENIStatus) error {
	found, err := api.DescribeENIs(s.t.Context(), cloud.ENIFilter{IDs: []string{eni}})
	if err != nil {
		return err
	}
	if len(found) != 1 || found[0].Status != want {
		return errors.New("not " + string(want) + " yet")
	}
	return nil
}

func TestKilledSimulatorGoesOnWhereItWas(t *testing.T) {
	s := newSimulator(t)
	made := s.bootstrap()
	instance, _, err := s.control().AddInstance(t.Context(), fakecloud.InstanceSpec{Name: "node-1", Type: "ecs.g7.xlarge", VSwitchID: "vsw-1"})
	if err != nil {
		t.Fatal(err)
	}
	eni := s.attach(made, instance.ID)
	before := s.endpoint()
	s.kill()
	s.start()
	if got := s.endpoint(); got != before {
		t.Errorf("it serves on %s now, want %s again", got, before)
	}
	if err := s.status(s.api(made.AccountKey), eni.ID, cloud.ENIInUse); err != nil {
		t.Error(err)
	}
	again := s.bootstrap()
	if again.Key.Secret.Reveal() != made.Key.Secret.Reveal() || made.Key.Secret.IsZero() {
		t.Error("the operator's key is another one")
	}
}

func TestSecondSimulatorOfAStateIsRefused(t *testing.T) {
	s := newSimulator(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // serving would last for ever
	defer cancel()
	second := serveOptions{listen: "127.0.0.1:0", control: s.file("other.sock"), state: s.file("state")}
	if err := serve(ctx, second, io.Discard); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("same state: got %v, want an error that says what to do", err)
	}
	second = serveOptions{listen: "127.0.0.1:0", control: s.file("control.sock"), state: s.file("another-state")}
	if err := serve(ctx, second, io.Discard); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("same socket: got %v, want an error that says what to do", err)
	}
}

func TestInterruptedServeEndsWithoutError(t *testing.T) {
	s := newSimulator(t)
	if err := s.command.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-s.ended
	if got := s.command.ProcessState.ExitCode(); got != 0 {
		t.Errorf("exit code %d, want 0", got)
	}
	for _, name := range []string{"state", "control.sock"} {
		info, err := os.Stat(s.file(name))
		if name == "state" && (err != nil || info.Mode().Perm() != 0o600) {
			t.Errorf("the state file is %v, %v; want it there, for its owner only", info, err)
		}
		if name == "control.sock" && err == nil {
			t.Error("the socket was left behind")
		}
	}
}

func TestCommandLine(t *testing.T) {
	tests := []struct {
		args string
		code int
		say  string
	}{
		{"serve", 2, "--control"},
		{"serve --control x extra", 2, "extra"},
		{"serve --no-such-flag", 2, "serve --help"},
		{"remove --name Not/Good", 1, "Not/Good"},
		{"--help", 0, ""},
	}
	for _, test := range tests {
		root := newRoot(io.Discard)
		root.SetOut(io.Discard)
		root.SetArgs(strings.Fields(test.args))
		err := root.ExecuteContext(t.Context())
		if got := code(err); got != test.code || err != nil && !strings.Contains(err.Error(), test.say) {
			t.Errorf("%q: exit code %d, error %v; want %d and %q", test.args, got, err, test.code, test.say)
		}
	}
}

func TestNetworkOutlivesAKilledSimulator(t *testing.T) {
	testkit.RequireRoot(t)
	node, machine := testkit.NewNetNS(t), testkit.NewNetNS(t)
	name := "fcmain"
	s := newSimulator(t, "--fabric", "--name", name)
	t.Cleanup(func() {
		s.kill()
		root := newRoot(io.Discard)
		root.SetArgs([]string{"remove", "--name", name})
		if err := root.Execute(); err != nil {
			t.Error(err)
		}
	})
	made := s.bootstrap()
	instance, _, err := s.control().AddInstance(t.Context(), fakecloud.InstanceSpec{Name: "node-1", Type: "ecs.g7.xlarge", VSwitchID: "vsw-1", NetNS: node.Path})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.control().AddLANNode(t.Context(), fakecloud.LANNode{Name: "dc-1", NetNS: machine.Path}); err != nil {
		t.Fatal(err)
	}
	eni := s.attach(made, instance.ID)

	var links map[string]int
	s.until("both links", func() error {
		links = linksOf(node)
		if links[eni.MAC] == 0 || len(links) != 2 {
			return errors.New("the node has other links than two")
		}
		// The router's end gets its alias last; without, a new simulator takes it for half-made.
		out, err := exec.Command("ip", "-n", name+"-vpc", "link").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "alias "+eni.ID) {
			return fmt.Errorf("the ENI's link is not whole yet: %w: %s", err, out)
		}
		return nil
	})
	s.until("the metadata service", func() error { return fetch(node, "http://100.100.100.200/latest/meta-data/instance-id", instance.ID) })
	s.until("the cloud API inside the VPC", func() error { return fetch(node, "http://100.100.0.80/", "MissingAction") })
	if err := machine.Ping(netip.Addr{}, instance.PrimaryIP, 10*time.Second); err != nil {
		t.Errorf("the data centre does not reach the node: %v", err)
	}

	s.kill()
	if err := machine.Ping(netip.Addr{}, instance.PrimaryIP, 10*time.Second); err != nil {
		t.Errorf("the network ended with the simulator: %v", err)
	}
	s.start()
	s.until("the metadata service again", func() error { return fetch(node, "http://100.100.100.200/latest/meta-data/instance-id", instance.ID) })
	if now := linksOf(node); now[eni.MAC] != links[eni.MAC] {
		t.Errorf("the ENI's link was made anew: index %d, was %d", now[eni.MAC], links[eni.MAC])
	}
	api := s.api(made.AccountKey)
	if err := api.DetachENI(t.Context(), eni.ID, instance.ID); err != nil {
		t.Fatal(err)
	}
	s.until("the link to go", func() error {
		if linksOf(node)[eni.MAC] != 0 {
			return errors.New("it is still there")
		}
		return nil
	})
	if err := s.control().RemoveInstance(t.Context(), instance.ID); err != nil {
		t.Fatal(err)
	}
	s.until("the metadata service to end", func() error {
		if fetch(node, "http://100.100.100.200/latest/meta-data/instance-id", "") == nil {
			return errors.New("it still answers")
		}
		return nil
	})
}

func TestOwnNamespaceIsNobodysNetwork(t *testing.T) {
	ours, theirs := "/proc/self/ns/net", testkit.NewNetNS(t).Path
	network, found := present(fakecloud.Network{
		Ports: []fakecloud.Port{{ENI: "a", NetNS: ours}, {ENI: "b", NetNS: theirs}, {ENI: "c", NetNS: "/nowhere"}},
		LAN:   []fakecloud.LANNode{{Name: "a", NetNS: ours}, {Name: "b", NetNS: theirs}},
	})
	if len(network.Ports) != 1 || network.Ports[0].ENI != "b" || len(network.LAN) != 1 || network.LAN[0].Name != "b" || len(found) != 1 || found[theirs] == 0 {
		t.Errorf("present are %+v, %v; want only what is in %s", network, found, theirs)
	}
}

// linksOf is a namespace's links but loopback, by MAC, with their indexes.
func linksOf(ns *testkit.NetNS) map[string]int {
	found := map[string]int{}
	links, _ := ns.Netlink().LinkList()
	for _, l := range links {
		if _, veth := l.(*netlink.Veth); veth {
			found[l.Attrs().HardwareAddr.String()] = l.Attrs().Index
		}
	}
	return found
}

// fetch gets a URL from inside a namespace; the answer must contain want.
func fetch(ns *testkit.NetNS, url, want string) error {
	client := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
			return ns.DialTCP(netip.Addr{}, address, time.Second)
		},
	}}
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err == nil && !strings.Contains(string(data), want) {
		err = errors.New("answered " + string(data))
	}
	return err
}
