package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/onectl/onectl/e2e/lab/apt"
	"github.com/onectl/onectl/e2e/lab/build"
	"github.com/onectl/onectl/e2e/lab/cache"
	"github.com/onectl/onectl/e2e/lab/command"
)

// network is the one kind uses. It is made here, before kind would, for the sake of its bridge's name.
const network = "kind"

// startTimeout is how long dockerd may take to answer; usually it needs 2 s.
const startTimeout = time.Minute

// daemon is our own dockerd: all that it has lies below dir and can be found from dir alone.
//
//	data/      images and containers; images stay after Stop
//	exec/      what runs
//	docker.log, docker.pid, docker.sock
type daemon struct{ dir string }

func (d daemon) path(name string) string { return filepath.Join(d.dir, name) }
func (d daemon) engine() Engine          { return Engine{Host: "unix://" + d.path("docker.sock"), Own: true} }

// id tells daemons in different folders apart where names are the machine's: links and cgroups.
func (d daemon) id() string     { return fmt.Sprintf("%x", sha256.Sum256([]byte(d.dir)))[:8] }
func (d daemon) bridge() string { return "hl-" + d.id() }
func (d daemon) cgroup() string { return "hybridlab-" + d.id() }

// answers is nil when the daemon serves.
func (d daemon) answers(ctx context.Context) error {
	if _, err := os.Stat(d.path("docker.sock")); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := d.engine().Docker(ctx, "info", "--format", "{{.ServerVersion}}")
	return err
}

// ensure starts the daemon unless it serves. What one that died left is removed first.
func (d daemon) ensure(ctx context.Context, progress cache.Progress) (Engine, error) {
	release, err := d.lock(ctx)
	if err != nil {
		return Engine{}, err
	}
	defer release()
	if d.answers(ctx) == nil {
		return d.engine(), d.ensureNetwork(ctx)
	}
	if os.Geteuid() != 0 {
		return Engine{}, errors.New("no container engine answers: start docker, or run as root so that one can be started")
	}
	if err := d.removeTraces(ctx); err != nil {
		return Engine{}, fmt.Errorf("remove what an engine that died left: %w", err)
	}
	err = apt.Ensure(ctx, progress, apt.Tool{Program: "dockerd", Package: "docker.io"}, apt.Tool{Program: "docker", Package: "docker.io"},
		apt.Tool{Program: "docker-proxy", Package: "docker.io"}, apt.Tool{Program: "runc", Package: "runc"}, apt.Tool{Program: "ip", Package: "iproute2"})
	if err != nil {
		return Engine{}, err
	}
	if eng, err := machines(ctx); err == nil { // the package has started it
		return eng, nil
	}
	progress.Step("Starting a container engine")
	if err := d.start(ctx); err != nil {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		return Engine{}, errors.Join(fmt.Errorf("start dockerd: %w", err), d.removeTraces(undo))
	}
	return d.engine(), d.ensureNetwork(ctx)
}

func (d daemon) lock(ctx context.Context) (release func(), err error) {
	if err := os.MkdirAll(d.dir, 0o711); err != nil {
		return nil, err
	}
	return cache.Lock(ctx, d.path("lock"))
}

func (d daemon) start(ctx context.Context) error {
	if err := d.noteBefore(); err != nil {
		return err
	}
	if err := raise(); err != nil {
		return err
	}
	wrapper, err := d.wrapper(ctx)
	if err != nil {
		return err
	}
	if err := os.WriteFile(d.path("daemon.json"), []byte("{}\n"), 0o600); err != nil {
		return err
	}
	program, err := command.LookPath("dockerd")
	if err != nil {
		return err
	}
	log, err := os.Create(d.path("docker.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(program, d.flags(wrapper)...)
	cmd.Stdout, cmd.Stderr, cmd.Dir, cmd.Env = log, log, "/", command.Environ()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // outlives this program
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // reaps it should it end before this program does
	if err := d.waitUp(ctx, ended); err != nil {
		return fmt.Errorf("%w; the end of %s:\n%s", err, log.Name(), d.logTail())
	}
	return nil
}

func (d daemon) waitUp(ctx context.Context, ended <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if d.answers(ctx) == nil {
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("it ended (%v)", err)
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

func (d daemon) flags(wrapper string) []string {
	flags := []string{
		"--config-file", d.path("daemon.json"), // an empty one: the machine's /etc/docker/daemon.json is not for us
		"--data-root", d.path("data"), "--exec-root", d.path("exec"), "--pidfile", d.path("docker.pid"),
		"--host", d.engine().Host, "--group", "root",
		"--storage-driver", "overlay2", "--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", "/" + d.cgroup(),
		"--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false",
		"--shutdown-timeout", "10", "--log-level", "warn",
	}
	if wrapper != "" {
		flags = append(flags, "--add-runtime", "lab="+wrapper, "--default-runtime", "lab")
	}
	return flags
}

// wrapper is the path of runc-lab, "" where the machine's root has all it needs.
func (d daemon) wrapper(ctx context.Context) (string, error) {
	has, err := hasSysResource()
	if has || err != nil {
		return "", err
	}
	dir := d.path("bin")
	return filepath.Join(dir, "runc-lab"), build.Static(ctx, dir, "e2e/lab/engine/runc-lab")
}

func (d daemon) ensureNetwork(ctx context.Context) error {
	if _, err := d.engine().Docker(ctx, "network", "inspect", network); err == nil {
		return nil
	}
	_, err := d.engine().Docker(ctx, "network", "create", "--driver", "bridge",
		"--opt", "com.docker.network.bridge.name="+d.bridge(),
		"--opt", "com.docker.network.bridge.enable_ip_masquerade=false", network)
	return err
}

func (d daemon) logTail() string {
	data, err := os.ReadFile(d.path("docker.log"))
	if err != nil {
		return err.Error()
	}
	return command.Tail(string(data), 20)
}
