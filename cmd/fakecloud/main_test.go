package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/cloud/openapi"
	"github.com/onectl/onectl/pkg/fakecloud"
	"github.com/onectl/onectl/pkg/fakecloud/wire"
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
