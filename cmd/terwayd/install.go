package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/daemon"
	"github.com/onectl/onectl/pkg/node/daemon/conflist"
	"github.com/onectl/onectl/pkg/node/daemon/inspect"
	"github.com/onectl/onectl/pkg/node/daemon/nodefile"
	"github.com/onectl/onectl/pkg/node/datapath/kernel"
)

// plugin is the CNI plugin's file name, which is also its type in the configuration.
const plugin = "terway"

func installCommand() *cobra.Command {
	var binDir, source string
	c := &cobra.Command{
		Use:   "install",
		Short: "Put the CNI plugin on the node",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			if source == "" {
				self, err := os.Executable()
				if err != nil {
					return fmt.Errorf("install: %w; give --source", err)
				}
				source = filepath.Join(filepath.Dir(self), plugin)
			}
			return nodefile.Copy(source, filepath.Join(binDir, plugin), 0o755)
		},
	}
	c.Flags().StringVar(&binDir, "bin-dir", "/host/opt/cni/bin", "the node's CNI plugin folder")
	c.Flags().StringVar(&source, "source", "", "the plugin to copy (empty: the file terway beside this program)")
	return c
}

// uninstallOptions are the flags of `terwayd uninstall`.
type uninstallOptions struct {
	binDir, cniConfDir, stateDir, socket string
}

func uninstallCommand() *cobra.Command {
	var o uninstallOptions
	c := &cobra.Command{
		Use:   "uninstall",
		Short: "Take everything of ours off the node; its pods lose their network",
		Long: "Take everything of ours off the node: the runtime's configuration, the plugin, the kernel's links, routes and rules, " +
			"and the ledger. Drain the node first: pods that are left lose their network. ENIs stay attached; they go with the instance.",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c.Context()) },
	}
	f := c.Flags()
	f.StringVar(&o.binDir, "bin-dir", "/host/opt/cni/bin", "the node's CNI plugin folder")
	f.StringVar(&o.cniConfDir, "cni-conf-dir", "/host/etc/cni/net.d", "the container runtime's configuration folder")
	f.StringVar(&o.stateDir, "state-dir", "/var/lib/cni/terway", "the daemon's folder")
	f.StringVar(&o.socket, "socket", cni.DefaultSocket, "the daemon's socket")
	return c
}

// run removes the configuration first, so that no new pod comes this way, and what the kernel holds before the ledger. It
// may be repeated.
func (o uninstallOptions) run(ctx context.Context) error {
	claim, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	release, err := daemon.Claim(claim, o.socket, func() {})
	if err != nil {
		return fmt.Errorf("%w; delete DaemonSet kube-system/terway-eniip first", err)
	}
	defer release()
	removed := remove(filepath.Join(o.cniConfDir, conflist.FileName), filepath.Join(o.binDir, plugin))
	k, err := kernel.Open(kernel.Options{Logger: slog.New(slog.NewJSONHandler(os.Stderr, nil))})
	if err != nil {
		return errors.Join(removed, err)
	}
	defer k.Close()
	if err := k.RemoveAll(ctx); err != nil {
		return errors.Join(removed, err)
	}
	left := []string{o.socket, filepath.Join(filepath.Dir(o.socket), inspect.SocketName)}
	for _, name := range []string{"ledger.db", "ledger.db.damaged", "eni-slots.json", "eni-slots.json.damaged", "eni-mode", "cooling", "boot-id", "settings.json", "history", "history.1"} {
		left = append(left, filepath.Join(o.stateDir, name))
	}
	return errors.Join(removed, remove(left...))
}

func remove(paths ...string) error {
	var failed []error
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}
