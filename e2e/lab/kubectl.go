package lab

import (
	"context"
	"os"
	"os/exec"
	"strings"
)

// Kubectl runs kubectl as the cluster's administrator and returns what it printed; input may be nil. It runs in the
// control plane's container, so this machine needs none.
func (l *Lab) Kubectl(ctx context.Context, input []byte, args ...string) (string, error) {
	facts, err := l.Facts()
	if err != nil {
		return "", err
	}
	l.eng.Host = facts.EngineHost
	exec := []string{"exec", "--privileged", "-i", l.Name + "-control-plane", "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf"}
	out, err := l.dockerInput(ctx, input, append(exec, args...)...)
	return out, err
}

// KubectlDir is a folder that holds a kubectl for this machine's PATH, "" when the PATH has one. It is the cluster's own,
// copied from the control plane.
func (l *Lab) KubectlDir(ctx context.Context) (string, error) {
	if _, err := exec.LookPath("kubectl"); err == nil {
		return "", nil
	}
	facts, err := l.Facts()
	if err != nil {
		return "", err
	}
	l.eng.Host = facts.EngineHost
	dir := l.path("bin")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	source, err := l.inNode(ctx, l.Name+"-control-plane", "readlink", "-f", "/usr/bin/kubectl")
	if err != nil {
		return "", err
	}
	_, err = l.docker(ctx, "cp", l.Name+"-control-plane:"+strings.TrimSpace(source), dir+"/kubectl")
	return dir, err
}
