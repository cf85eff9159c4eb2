package nodeimage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/onectl/onectl/e2e/lab/command"
	"github.com/onectl/onectl/e2e/lab/image"
)

// storeConfig is a containerd that keeps images and does nothing else. The disabled plugins would look for things, or make
// folders, outside its own.
const storeConfig = `version = 3
root = %q
state = %q
disabled_plugins = [
  "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.internal.v1.opt",
  "io.containerd.nri.v1.nri", "io.containerd.monitor.task.v1.cgroups", "io.containerd.runtime.v2.task",
  "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing",
]
[grpc]
  address = %q
`

// store fills root as containerd's folder with the images, without unpacking them, as kind does: a node unpacks what it
// runs. The containerd that does it runs here, for these seconds, on a socket and folders of its own.
func store(ctx context.Context, containerd, root string, images []image.Image) (err error) {
	state, err := os.MkdirTemp("", "hybridlab-store-") // short: a socket's path is limited to 107 bytes
	if err != nil {
		return err
	}
	defer os.RemoveAll(state)
	socket, config := filepath.Join(state, "sock"), filepath.Join(state, "config.toml")
	if err := os.WriteFile(config, fmt.Appendf(nil, storeConfig, root, state, socket), 0o600); err != nil {
		return err
	}
	var log bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(containerd, "containerd"), "--config", config, "--log-level", "warn")
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Start(); err != nil {
		return err
	}
	ctr := []string{filepath.Join(containerd, "ctr"), "--address", socket, "--namespace", "k8s.io"}
	err = errors.Join(waitStore(ctx, ctr), importAll(ctx, ctr, images), cmd.Process.Signal(syscall.SIGTERM), cmd.Wait())
	if err != nil {
		return fmt.Errorf("fill containerd's store: %w: %s", err, command.Tail(log.String(), 10))
	}
	return nil
}

func waitStore(ctx context.Context, ctr []string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := command.Run(ctx, append(ctr, "version")...)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// importAll imports the images under their names, marked so that kubelet's garbage collection keeps them.
func importAll(ctx context.Context, ctr []string, images []image.Image) error {
	reader, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	written := make(chan error, 1)
	go func() { written <- errors.Join(image.WriteArchive(writer, images...), writer.Close()) }()
	args := append(ctr, "images", "import", "--all-platforms", "--no-unpack", "--label=io.cri-containerd.pinned=pinned", "-")
	_, err = command.Command{Args: args, Stdin: reader}.Output(ctx)
	_ = reader.Close()
	return errors.Join(err, <-written)
}
