// Command terwayd is the node daemon of the add-on terway-eniip: it keeps the node's ENIs and addresses and connects pods
// to them. `terwayd install` puts the CNI plugin on the node, `terwayd uninstall` takes everything away again. `terwayd status`
// and its siblings ask the running daemon what it does and why.
//
// A configuration that cannot be used ends the process with code 1 and a sentence that names file and key: kubelet shows
// it and starts the daemon again, which reads the corrected file. Everything that may come right by itself or by an
// operator's doing elsewhere (no AccessKey yet, no metadata service, no cloud) keeps it running and not ready.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/onectl/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := root().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "terwayd:", err)
		os.Exit(exitCode(err))
	}
}

func root() *cobra.Command {
	c := &cobra.Command{
		Use:           "terwayd",
		Short:         "Node daemon of the add-on terway-eniip",
		Version:       version.Get().Version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },

		SuggestionsMinimumDistance: 2, // cobra's own, which it does not apply to Args
	}
	c.AddCommand(runCommand(), installCommand(), uninstallCommand(), factsCommand())
	addOperate(c)
	return c
}
