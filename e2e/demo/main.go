// Command demo tells the story of Alibaba Cloud's page "Deploy and configure Terway" on a lab of its own: it prints each
// command as a user would type it, runs it, and shows its output. It ends with an error at the first that fails, and
// leaves nothing behind either way.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/onectl/onectl/e2e/lab"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	start := time.Now()
	if err := run(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "\ndemo: %v\n", err)
		os.Exit(1)
	}
	fmt.Printf("\nDone in %s. Nothing is left of it.\n", time.Since(start).Round(time.Second))
}

// demo runs commands in an environment that grows as the story goes on.
type demo struct {
	env []string
	lab *lab.Lab
}

func run(ctx context.Context) (err error) {
	bin, err := filepath.Abs("bin")
	if err != nil {
		return err
	}
	l, err := lab.New(lab.Options{Name: "demo", BinDir: bin})
	if err != nil {
		return err
	}
	home, err := os.MkdirTemp("", "onectl-demo-") // keeps the commands off the user's own configuration
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	d := &demo{lab: l, env: append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+home, "XDG_CACHE_HOME="+cacheHome())}
	defer func() {
		down, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Minute)
		defer cancel()
		fmt.Println("\n# Take everything away again.")
		err = errors.Join(err, d.command(down, "hybridlab down --name demo"))
	}()
	return d.story(ctx)
}

// cacheHome keeps the lab's cache where it is although the commands get a home of their own.
func cacheHome() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return os.Getenv("XDG_CACHE_HOME")
	}
	return dir
}

// chapter is a part of the story. A command that begins with "! " must end with exit code 1: it shows what is wrong.
type chapter struct {
	say      string
	commands []string
}

func chapters() []chapter {
	return []chapter{
		{"Look first: will the two networks fit, and what must be done? It writes nothing, and ends with exit code 1.", []string{
			"! onectl preflight -o short",
		}},
		{"Keep the data centre's Calico off cloud nodes. Every word of its DaemonSet that changes is shown, and can be undone.", []string{
			"onectl isolate plan",
			"onectl isolate apply",
			"onectl isolate status",
		}},
		{"Step 1: give Terway its rights: a RAM user, the policy, the Secret.", []string{
			"onectl ram-user grant --addon terway-eniip",
			"kubectl -n kube-system get secret alibaba-addon-secret",
		}},
		{"Step 2: install Terway. It runs on cloud nodes only, so nowhere yet.", []string{
			"onectl addon install terway-eniip",
			"kubectl -nkube-system get ds | grep terway",
		}},
		{"Grow into the cloud: two nodes join. Terway runs there, Calico does not.", []string{
			"hybridlab node add --name demo --cloud 2",
			"kubectl -n kube-system rollout status ds/terway-eniip --timeout=120s",
			"kubectl wait --for=condition=Ready nodes --all --timeout=120s",
			"kubectl get nodes -L alibabacloud.com/external -o wide",
			"kubectl -n kube-system get pods -l k8s-app=calico-node -o wide",
			"kubectl -n kube-system get pods -l app=terway-eniip -o wide",
		}},
		{"Ten pods on the cloud nodes, each with an address of the VPC.", []string{
			"kubectl apply -f e2e/demo/app.yaml",
			"kubectl rollout status deploy/hello --timeout=120s",
			"kubectl get pods -l app=hello -o wide",
		}},
		{"They reach each other across nodes, the data centre, and a Service.", []string{
			`kubectl exec deploy/hello -- /probe get $(kubectl get pods -l app=hello -o jsonpath='{range .items[*]}http://{.status.podIP}:8080 {end}')`,
			`kubectl exec deploy/hello -- /probe get http://$(kubectl get pod datacentre -o jsonpath='{.status.podIP}'):8080 http://hello.default.svc.cluster.local`,
		}},
		{"Prove it: every check on both sides and on the nodes, then every path with packets.", []string{
			"onectl preflight --wait --probe -o short",
			"onectl connectivity test",
		}},
		{"Leave: the pods, then Terway and its ENIs. Calico gets its DaemonSet back as it was.", []string{
			"kubectl delete -f e2e/demo/app.yaml",
			"kubectl wait --for=delete pod -l app=hello --timeout=60s",
			"onectl addon uninstall terway-eniip",
			"onectl isolate undo",
		}},
	}
}

func (d *demo) story(ctx context.Context) error {
	err := d.steps(ctx, "A data centre with BGP: a Kubernetes cluster of its own, registered with the cloud, no cloud node yet.",
		"hybridlab up --name demo --scenario bgp")
	if err != nil {
		return err
	}
	if err := d.useLab(ctx); err != nil {
		return err
	}
	for _, chapter := range chapters() {
		if err := d.steps(ctx, chapter.say, chapter.commands...); err != nil {
			return err
		}
	}
	return nil
}

// useLab is `eval "$(hybridlab env)"`, and a kubectl where the machine has none.
func (d *demo) useLab(ctx context.Context) error {
	fmt.Println(`$ eval "$(hybridlab env --name demo)"`)
	env, err := d.lab.Env()
	if err != nil {
		return err
	}
	d.env = append(d.env, env...)
	dir, err := d.lab.KubectlDir(ctx)
	if dir != "" {
		for _, pair := range d.env {
			if path, ok := strings.CutPrefix(pair, "PATH="); ok {
				d.env = append(d.env, "PATH="+path+":"+dir)
			}
		}
	}
	return err
}

func (d *demo) steps(ctx context.Context, say string, commands ...string) error {
	fmt.Printf("\n# %s\n", say)
	for _, command := range commands {
		if err := d.command(ctx, command); err != nil {
			return err
		}
	}
	return nil
}

// command prints and runs one line in a shell, as its reader would. A line after "! " must end with exit
// code 1: it ran, and found what is wrong.
func (d *demo) command(ctx context.Context, line string) error {
	line, fails := strings.CutPrefix(line, "! ")
	fmt.Printf("$ %s\n", line)
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Env = d.env
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	err := cmd.Run()
	exit, ended := errors.AsType[*exec.ExitError](err)
	switch {
	case fails && err == nil:
		return fmt.Errorf("%s: it found nothing wrong", line)
	case fails && ended && exit.ExitCode() == 1:
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", line, err)
	}
	return nil
}
