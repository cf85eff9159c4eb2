package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/onectl/onectl/e2e/lab/command"
	"github.com/onectl/onectl/pkg/node/cri"
)

const runtimeSocket = "/run/containerd/containerd.sock"

// hearRuntime lets the daemon ask containerd for its sandboxes, as docs/operate.md says. With another socket than the
// runtime's it must refuse to judge, which shows that it asks.
func (s *story) hearRuntime(t *testing.T) {
	patch := operatorsPatch(t)
	s.patchDaemon(t, strings.Replace(patch, "="+runtimeSocket, "=/run/containerd/none.sock", 1))
	for _, pod := range s.daemons(t) {
		if said, err := s.gc(t, pod); err == nil || !strings.Contains(err.Error(), "before the container runtime has been heard") {
			t.Errorf("%s looks for garbage without the runtime: %v\n%s", pod, err, said)
		}
	}
	s.kubectl(t, "-n", "kube-system", "rollout", "undo", "ds/terway-eniip")
	s.patchDaemon(t, patch)
	for _, pod := range s.daemons(t) {
		if said, err := s.gc(t, pod); err != nil || !strings.HasPrefix(said, "nothing to take away") {
			t.Errorf("%s, with the runtime heard: %v\n%s", pod, err, said)
		}
	}
	for _, node := range s.cloudNodes(t) {
		s.sandboxesOf(t, node)
	}
}

// operatorsPatch is the patch that docs/operate.md has operators apply.
func operatorsPatch(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, begins := strings.Cut(string(text), "patch daemonset terway-eniip --type json --patch '")
	patch, _, ends := strings.Cut(rest, "'")
	if !begins || !ends {
		t.Fatal("docs/operate.md has no patch for the container runtime")
	}
	return patch
}

func (s *story) patchDaemon(t *testing.T, patch string) {
	t.Helper()
	s.kubectl(t, "-n", "kube-system", "patch", "daemonset", "terway-eniip", "--type", "json", "--patch", patch)
	s.kubectl(t, "-n", "kube-system", "rollout", "status", "ds/terway-eniip", withPatience)
}

func (s *story) daemons(t *testing.T) []string {
	t.Helper()
	return strings.Fields(s.kubectl(t, "-n", "kube-system", "get", "pods", "-l", "app=terway-eniip", "-o", "jsonpath={.items[*].metadata.name}"))
}

// gc asks a daemon what it would take away.
func (s *story) gc(t *testing.T, pod string) (said string, err error) {
	t.Helper()
	return s.lab.Kubectl(t.Context(), nil, "-n", "kube-system", "exec", pod, "-c", "terway", "--", "terwayd", "gc", "--dry-run")
}

// sandboxesOf compares what package cri reads from a node's containerd with the pods that run there and containerd's own
// command. Pods may come and go meanwhile.
func (s *story) sandboxesOf(t *testing.T, node string) {
	t.Helper()
	docker := command.Command{Args: []string{"docker", "inspect", "--format", "{{.State.Pid}}", node}, Env: []string{"DOCKER_HOST=" + s.engine(t)}}
	pid, err := docker.Output(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	runtime := cri.New("/proc/" + strings.TrimSpace(pid) + "/root" + runtimeSocket)
	eventually(t, func() string {
		sandboxes, err := runtime.Sandboxes(t.Context())
		if err != nil {
			return err.Error()
		}
		known, err := s.lab.Output(t.Context(), node, "ctr", "--namespace", "k8s.io", "containers", "list", "--quiet")
		if err != nil {
			return err.Error()
		}
		ready := 0
		for id, isReady := range sandboxes {
			if isReady {
				ready++
			}
			if !slices.Contains(strings.Fields(known), id) {
				return fmt.Sprintf("sandbox %s of %s is none of containerd's containers", id, node)
			}
		}
		pods := strings.Fields(s.kubectl(t, "get", "pods", "-A", "--field-selector", "status.phase=Running,spec.nodeName="+node, "-o", "name"))
		if ready != len(pods) {
			return fmt.Sprintf("%s has %d sandboxes that are ready for %d pods", node, ready, len(pods))
		}
		return ""
	})
}
