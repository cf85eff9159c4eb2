package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/onectl/onectl/e2e/lab/command"
)

// Status is what a lab looks like now.
type Status struct {
	Name      string   `json:"name"`
	Up        bool     `json:"up"`
	Problem   string   `json:"problem,omitempty"` // the part that does not run, and what to do
	Scenario  Scenario `json:"scenario,omitempty"`
	Endpoint  string   `json:"endpoint,omitempty"`
	ClusterID string   `json:"clusterID,omitempty"`
	Nodes     []*Node  `json:"nodes"` // sorted by name
}

// Status looks at every part of the lab. A lab that is not up is a Status, not an error.
func (l *Lab) Status(ctx context.Context) (Status, error) {
	status := Status{Name: l.Name, Nodes: []*Node{}}
	facts, err := l.running(ctx)
	if err != nil {
		status.Problem = err.Error()
	}
	status.Up = err == nil
	status.Scenario, status.Endpoint, status.ClusterID = facts.Scenario, facts.Endpoint, facts.ClusterID
	for _, name := range slices.Sorted(maps.Keys(facts.Nodes)) {
		status.Nodes = append(status.Nodes, facts.Nodes[name])
	}
	return status, nil
}

// Env is what a shell needs to use the lab as a user uses a real cluster and account, in the order they are printed.
func (l *Lab) Env() ([]string, error) {
	facts, err := l.Facts()
	if err != nil {
		return nil, err
	}
	return []string{
		"KUBECONFIG=" + l.Kubeconfig(),
		"ONECTL_CLOUD_ENDPOINT=" + facts.Endpoint,
		"ONECTL_NODE_CLOUD_ENDPOINT=" + facts.NodeURL,
		"ONECTL_CLUSTER_ID=" + facts.ClusterID,
		"ALIBABA_CLOUD_ACCESS_KEY_ID=" + facts.KeyID,
		"ALIBABA_CLOUD_ACCESS_KEY_SECRET=" + facts.KeySecret,
		"ALIBABA_CLOUD_REGION_ID=" + facts.Region,
	}, nil
}

// Exec runs a command in a node, connected to this program's input and output. Its exit code is in the *exec.ExitError.
func (l *Lab) Exec(ctx context.Context, node string, args ...string) error {
	cmd, err := l.execCommand(ctx, node, args)
	if err != nil {
		return err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd.Run()
}

// Output runs a command in a node and returns what it wrote to standard output.
func (l *Lab) Output(ctx context.Context, node string, args ...string) (string, error) {
	cmd, err := l.execCommand(ctx, node, args)
	if err != nil {
		return "", err
	}
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return string(out), fmt.Errorf("%s on %s: %w: %s", strings.Join(args, " "), node, err, command.Tail(string(exit.Stderr), 10))
	}
	return string(out), err
}

func (l *Lab) execCommand(ctx context.Context, node string, args []string) (*exec.Cmd, error) {
	facts, err := l.Facts()
	if err != nil {
		return nil, err
	}
	name := l.nodeName(facts, node)
	if name == "" {
		return nil, fmt.Errorf("lab %s has no node %s; there are: %s", l.Name, node, strings.Join(slices.Sorted(maps.Keys(facts.Nodes)), ", "))
	}
	cmd := exec.CommandContext(ctx, "docker", append([]string{"exec", "--privileged", "-i", name}, args...)...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+facts.EngineHost)
	return cmd, nil
}

// nodeName completes a node's short name ("cloud-1") to the one it has in the cluster.
func (l *Lab) nodeName(facts Facts, node string) string {
	for _, name := range []string{node, l.Name + "-" + node} {
		if facts.Nodes[name] != nil {
			return name
		}
	}
	return ""
}

// Logs writes the log of a part to this program's output: a node's kubelet and containerd, "cloud", or a speaker.
func (l *Lab) Logs(ctx context.Context, part string) error {
	name := part
	if part == "cloud" {
		name = "fakecloud"
	}
	if name != part || slices.Contains(speakers(), part) {
		data, err := os.ReadFile(l.process(name).logFile)
		if err != nil {
			return fmt.Errorf("lab %s: %s has no log: %w", l.Name, name, err)
		}
		_, err = os.Stdout.Write(data)
		return err
	}
	return l.Exec(ctx, part, "journalctl", "--no-pager", "-u", "kubelet", "-u", "containerd")
}

// LoadImage loads a docker or OCI archive into every node of the lab.
func (l *Lab) LoadImage(ctx context.Context, archive string) error {
	facts, err := l.running(ctx)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(facts.Nodes)) {
		l.step("Loading %s into %s", archive, name)
		if err := l.importImage(ctx, name, archive); err != nil {
			return err
		}
	}
	return nil
}
