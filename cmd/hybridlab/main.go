// Command hybridlab makes a hybrid cluster on one Linux machine: a data centre on kind, cloud nodes on a simulated VPC.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := newRoot().ExecuteContext(ctx)
	if err != nil {
		report(err)
	}
	os.Exit(code(ctx, err))
}

// commandFailed is a command in a node that ended with this exit code. It has said itself what it had to say.
type commandFailed int

func (c commandFailed) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

func report(err error) {
	if _, silent := errors.AsType[commandFailed](err); !silent {
		fmt.Fprintln(os.Stderr, "hybridlab: "+err.Error())
	}
}

// code is the exit code: that of a command run in a node, 130 when interrupted, 1 for any other failure.
func code(ctx context.Context, err error) int {
	switch exit, inNode := errors.AsType[commandFailed](err); {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		return 130
	case inNode:
		return int(exit)
	}
	return 1
}

func newRoot() *cobra.Command {
	name := "hybridlab"
	root := &cobra.Command{
		Use:   "hybridlab",
		Short: "A hybrid cluster on one Linux machine",
		Long: `hybridlab makes a hybrid cluster on one Linux machine: a kind cluster plays the data centre, an Alibaba Cloud
simulator runs a VPC with real packets, and cloud nodes join it as nodes of a registered cluster do.`,
		Example: `  hybridlab up                    # a data centre and an empty VPC
  eval "$(hybridlab env)"         # point kubectl and onectl at it
  hybridlab node add --cloud 2    # two cloud nodes
  hybridlab down                  # nothing is left`,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&name, "name", name, "name of the lab; several can run side by side")
	root.AddCommand(newUp(&name), newDown(&name), newStatus(&name), newEnv(&name), newNode(&name),
		newExec(&name), newLogs(&name), newLoadImage(&name), newImages())
	return root
}
