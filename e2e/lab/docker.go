package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/onectl/onectl/e2e/lab/command"
)

// docker runs the engine's command line and returns what it printed. The command line, not the API, because kind uses
// it too: the lab needs nothing that kind does not need.
func (l *Lab) docker(ctx context.Context, args ...string) (string, error) {
	return l.eng.Docker(ctx, args...)
}

// dockerInput is docker with something on its standard input.
func (l *Lab) dockerInput(ctx context.Context, input []byte, args ...string) (string, error) {
	return command.Command{Args: append([]string{"docker"}, args...), Env: []string{"DOCKER_HOST=" + l.eng.Host}, Stdin: bytes.NewReader(input)}.Output(ctx)
}

// inNode runs a command in a node's container.
func (l *Lab) inNode(ctx context.Context, node string, args ...string) (string, error) {
	return l.docker(ctx, append([]string{"exec", "--privileged", node}, args...)...)
}

// writeInNode puts a file into a node's container.
func (l *Lab) writeInNode(ctx context.Context, node, path string, content []byte) error {
	_, err := l.dockerInput(ctx, content, "exec", "--privileged", "-i", node, "cp", "/dev/stdin", path)
	return err
}

// importImage loads an image archive into a node's containerd.
func (l *Lab) importImage(ctx context.Context, node, archive string) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = command.Command{
		Args:  []string{"docker", "exec", "--privileged", "-i", node, "ctr", "--namespace=k8s.io", "images", "import", "--digests", "-"},
		Env:   []string{"DOCKER_HOST=" + l.eng.Host},
		Stdin: file,
	}.Output(ctx)
	return err
}

// pidOf is the process ID of a container's init on this machine, which names its network namespace.
func (l *Lab) pidOf(ctx context.Context, container string) (int, error) {
	out, err := l.docker(ctx, "inspect", "--format", "{{.State.Pid}}", container)
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil || pid == 0 {
		return 0, fmt.Errorf("container %s does not run: look at `docker logs %s`", container, container)
	}
	return pid, nil
}

// containers lists the lab's containers, running or not.
func (l *Lab) containers(ctx context.Context) ([]string, error) {
	out, err := l.docker(ctx, "ps", "--all", "--filter", "label="+clusterLabel+"="+l.Name, "--format", "{{.Names}}")
	if err != nil {
		return nil, err
	}
	return strings.Fields(out), nil
}

func netnsOf(pid int) string { return fmt.Sprintf("/proc/%d/ns/net", pid) }
