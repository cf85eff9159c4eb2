package e2e

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/onectl/onectl/e2e/lab/command"
)

// killDaemon kills the daemons: traffic goes on, and no pod notices.
func (s *story) killDaemon(t *testing.T) {
	before, restartsBefore, daemonsBefore := s.podIPs(t, "hello"), s.restarts(t, "hello"), s.restarts(t, "terway-eniip")
	client := s.pods(t, "hello")[0]
	home := s.kubectl(t, "get", "pod", client, "-o", "jsonpath={.spec.nodeName}")
	var target string
	for ip, node := range before {
		if node != home {
			target = ip
		}
	}
	watched := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() {
		out, err := s.lab.Kubectl(ctx, nil, "exec", client, "--", "/probe", "watch", "-for", "15s", "http://"+target+":8080")
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		watched <- err
	}()
	for _, node := range s.cloudNodes(t) {
		if _, err := s.lab.Output(t.Context(), node, "pkill", "-9", "-x", "terwayd"); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() string {
		after := s.restarts(t, "terway-eniip")
		for pod, n := range daemonsBefore {
			if after[pod] == n {
				return fmt.Sprintf("daemons' restarts were %v, are %v", daemonsBefore, after)
			}
		}
		return ""
	})
	s.kubectl(t, "-n", "kube-system", "wait", "--for=condition=Ready", "pods", "-l", "app=terway-eniip", withPatience)
	if err := <-watched; err != nil {
		t.Errorf("traffic was interrupted: %v", err)
	}
	if after := s.podIPs(t, "hello"); !maps.Equal(before, after) {
		t.Errorf("addresses changed: before %v, after %v", before, after)
	}
	if after := s.restarts(t, "hello"); !maps.Equal(restartsBefore, after) {
		t.Errorf("pods were restarted, so their probes failed: before %v, after %v", restartsBefore, after)
	}
}

// restartCloud kills the simulator: pods talk on, the lab says what is dead, and after a start nothing is lost.
func (s *story) restartCloud(t *testing.T) {
	before := s.enis(t)
	if err := s.lab.KillCloud(t.Context()); err != nil {
		t.Fatal(err)
	}
	status, err := s.lab.Status(t.Context())
	if err != nil || status.Up || !strings.Contains(status.Problem, "cloud simulator") || !strings.Contains(status.Problem, "fakecloud.log") {
		t.Errorf("status of a lab without simulator: %+v, %v; want the dead part and the end of its log", status, err)
	}
	pod := s.pods(t, "hello")[0]
	s.kubectl(t, "exec", pod, "--", "/probe", "get", "http://hello.default.svc.cluster.local")
	if err := s.lab.StartCloud(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := s.enis(t); fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("ENIs before the restart %v, after %v", before, after)
	}
	s.kubectl(t, "exec", pod, "--", "/probe", "get", "http://hello.default.svc.cluster.local")
}

// secondLab starts another lab beside this one: killed in the middle, then interrupted in the middle. Each time nothing of
// it is left, and this lab does not notice.
func (s *story) secondLab(t *testing.T) {
	const name = "story-two"
	hybridlab := filepath.Join(s.bin, "hybridlab")
	for _, end := range []struct {
		signal syscall.Signal
		code   int
	}{{syscall.SIGKILL, -1}, {syscall.SIGINT, 130}} {
		up := exec.CommandContext(t.Context(), hybridlab, "up", "--name", name)
		if err := up.Start(); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() string {
			out, err := command.Command{Args: []string{"docker", "ps", "--quiet", "--filter", "name=" + name}, Env: []string{"DOCKER_HOST=" + s.engine(t)}}.Output(t.Context())
			if strings.TrimSpace(out) == "" {
				return fmt.Sprintf("lab %s has no container yet (%v)", name, err)
			}
			return ""
		})
		if err := up.Process.Signal(end.signal); err != nil {
			t.Fatal(err)
		}
		_ = up.Wait()
		if code := up.ProcessState.ExitCode(); code != end.code {
			t.Errorf("hybridlab up ended by %s has exit code %d, want %d", end.signal, code, end.code)
		}
		if end.signal == syscall.SIGKILL {
			down := exec.CommandContext(t.Context(), hybridlab, "down", "--name", name)
			if out, err := down.CombinedOutput(); err != nil {
				t.Fatalf("hybridlab down: %v\n%s", err, out)
			}
		}
		out, err := command.Command{Args: []string{"docker", "ps", "--all", "--quiet", "--filter", "name=" + name}, Env: []string{"DOCKER_HOST=" + s.engine(t)}}.Output(t.Context())
		if err != nil || strings.TrimSpace(out) != "" {
			t.Errorf("containers left of %s: %q %v", name, out, err)
		}
		nothingLeft(t, name)
	}
	s.kubectl(t, "exec", s.pods(t, "hello")[0], "--", "/probe", "get", "http://hello.default.svc.cluster.local")
}

func (s *story) engine(t *testing.T) string {
	t.Helper()
	facts, err := s.lab.Facts()
	if err != nil {
		t.Fatal(err)
	}
	return facts.EngineHost
}
