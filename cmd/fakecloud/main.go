// Command fakecloud is the Alibaba Cloud simulator: OpenAPI, metadata service and, on Linux, a VPC with real packets.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/fakecloud/fabric"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := newRoot(os.Stderr).ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "fakecloud: "+err.Error())
	}
	os.Exit(code(err))
}

// usageError is a command line that cannot be understood.
type usageError struct{ error }

func code(err error) int {
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		return 2
	}
	return 1
}

func newRoot(logs io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:   "fakecloud",
		Short: "An Alibaba Cloud simulator",
		Long: `fakecloud simulates the part of Alibaba Cloud that onectl and Terway use: ECS network interfaces and instances, VPC,
RAM, STS and registered clusters, with the service's own signatures, rights, states and error codes.`,
		Example:      examples,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see `%s --help`", err, c.CommandPath())}
	})
	root.AddCommand(newServe(logs), newRemove())
	return root
}

const examples = `  # Serve a cloud on this machine that keeps its state
  fakecloud serve --listen 127.0.0.1:8080 --control /tmp/cloud.sock --state /tmp/cloud.json

  # Make its VPC, its cluster and the operator's AccessKey; the same call later shows them again
  curl -s --unix-socket /tmp/cloud.sock http://fakecloud/bootstrap -d '{"Region": "cn-hangzhou", "VPC": "10.0.0.0/16",
    "VSwitches": [{"ID": "vsw-1", "Zone": "cn-hangzhou-i", "CIDR": "10.0.1.0/24"}]}'

  # Which calls have been made, and everything else
  curl -s --unix-socket /tmp/cloud.sock http://fakecloud/summary

  # Let the next two CreateNetworkInterface find the vSwitch empty
  curl -s --unix-socket /tmp/cloud.sock http://fakecloud/faults -d '{"Action": "CreateNetworkInterface",
    "Code": "InvalidVSwitchId.IpNotEnough", "Count": 2}'

  # With a VPC made of network namespaces (as root); afterwards take it away
  fakecloud serve --name demo --control /tmp/cloud.sock --state /tmp/cloud.json --fabric
  fakecloud remove --name demo`

func newRemove() *cobra.Command {
	name := "fakecloud"
	cmd := &cobra.Command{
		Use:   "remove",
		Short: "Take away the network that serve --fabric made",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			network, err := fabric.Open(name, slog.New(slog.DiscardHandler))
			if err != nil {
				return err
			}
			return network.Remove()
		},
	}
	cmd.Flags().StringVar(&name, "name", name, "name that serve was given")
	return cmd
}

func noArguments(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usageError{fmt.Errorf("unexpected argument %q; see `%s --help`", args[0], c.CommandPath())}
}
