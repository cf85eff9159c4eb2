// Package engine gets the lab a container engine: the one that runs on the machine, otherwise a dockerd of its own.
//
// Our own dockerd leaves the machine as it was. It has its own folders, socket, bridge and cgroup, adds no packet filter
// rules, no default bridge and no sysctl, and Stop removes what is left of it, a killed one's remains too. That is enough
// for kind: nodes talk over one bridge, the API server's port is published by docker-proxy, nobody needs the internet.
package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/e2e/lab/cache"
	"github.com/onectl/onectl/e2e/lab/command"
)

// Engine is a container engine that answers.
type Engine struct {
	Host string // for DOCKER_HOST: "unix:///path"
	Own  bool   // started by Ensure, now or earlier, so Stop stops it
}

// Docker runs the docker command line on the engine and returns what it wrote to stdout.
func (e Engine) Docker(ctx context.Context, args ...string) (string, error) {
	return command.Command{Args: append([]string{"docker"}, args...), Env: []string{"DOCKER_HOST=" + e.Host}}.Output(ctx)
}

// Find returns the engine that runs, ours before the machine's. No engine is not an error.
func Find(ctx context.Context) (eng Engine, present bool, err error) {
	own, err := ours()
	if err != nil {
		return Engine{}, false, err
	}
	if own.answers(ctx) == nil {
		return own.engine(), true, nil
	}
	eng, err = machines(ctx)
	return eng, err == nil, nil
}

// Ensure returns an engine and starts one when none runs, which needs root. Packages that are missing are installed.
func Ensure(ctx context.Context, progress cache.Progress) (Engine, error) {
	if eng, present, err := Find(ctx); err != nil || (present && !eng.Own) {
		return eng, err
	}
	own, err := ours()
	if err != nil {
		return Engine{}, err
	}
	return own.ensure(ctx, progress)
}

// Stop stops an engine of our own, its containers and networks first, and removes every trace but its images. Another
// engine is left alone. Nothing to stop is not an error.
func (e Engine) Stop(ctx context.Context) error {
	if !e.Own {
		return nil
	}
	own, err := ours()
	if err != nil {
		return err
	}
	return own.stop(ctx)
}

// Clean removes what an engine of our own left that was killed, or that a reboot ended. It does nothing while it runs, and
// needs no engine. Ensure and Stop do the same; this is for who wants neither.
func Clean(ctx context.Context) error {
	own, err := ours()
	if err != nil {
		return err
	}
	return own.clean(ctx)
}

func ours() (daemon, error) {
	root, err := cache.Dir()
	return daemon{dir: filepath.Join(root, "engine")}, err
}

// machines is the machine's own engine, if it can carry a lab: it must be on this machine and have its kernel's root,
// because the lab moves links into its containers.
func machines(ctx context.Context) (Engine, error) {
	host, err := currentHost(ctx)
	if err != nil {
		return Engine{}, err
	}
	eng := Engine{Host: host}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := eng.Docker(ctx, "info", "--format", "{{.KernelVersion}}|{{.SecurityOptions}}|{{.ServerVersion}}")
	if err != nil {
		return Engine{}, err
	}
	kernel, options, _ := strings.Cut(strings.TrimSpace(out), "|")
	if here, err := kernelRelease(); err != nil || kernel != here || strings.Contains(options, "rootless") {
		return Engine{}, errors.Join(err, fmt.Errorf("engine %s is rootless or on another machine", host))
	}
	return eng, nil
}

// currentHost is where the docker command line looks for its engine.
func currentHost(ctx context.Context) (string, error) {
	if host := os.Getenv("DOCKER_HOST"); host != "" {
		return host, nil
	}
	out, err := command.Run(ctx, "docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
	return strings.TrimSpace(out), err
}

func kernelRelease() (string, error) {
	var name unix.Utsname
	err := unix.Uname(&name)
	return unix.ByteSliceToString(name.Release[:]), err
}
