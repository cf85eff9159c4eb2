package main

import (
	"errors"
	"fmt"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/e2e/lab"
)

func newNode(name *string) *cobra.Command {
	cmd := &cobra.Command{Use: "node", Short: "Add and remove cloud nodes"}
	cmd.AddCommand(newNodeAdd(name), newNodeRemove(name))
	return cmd
}

func newNodeAdd(name *string) *cobra.Command {
	var spec lab.NodeSpec
	count := 1
	cmd := &cobra.Command{
		Use: "add", Short: "Run instances in the simulator and join them as cloud nodes", Args: cobra.NoArgs,
		Example: `  hybridlab node add --cloud 2
  hybridlab node add --zone cn-hangzhou-j --type ecs.g7.large`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := lab.New(lab.Options{Name: *name, Progress: progress()})
			if err != nil {
				return err
			}
			for range count {
				node, err := l.AddCloudNode(cmd.Context(), spec)
				if err != nil {
					return err
				}
				fmt.Printf("Node %s joined: instance %s, address %s, zone %s.\n", node.Name, node.Instance, node.Address, node.Zone)
			}
			return nil
		},
	}
	cmd.Flags().IntVar(&count, "cloud", count, "how many cloud nodes")
	cmd.Flags().StringVar(&spec.Zone, "zone", lab.ZoneI, "zone of the new nodes")
	cmd.Flags().StringVar(&spec.Type, "type", lab.NodeType, "instance type of the new nodes")
	return cmd
}

func newNodeRemove(name *string) *cobra.Command {
	return &cobra.Command{
		Use: "remove NODE", Short: "Take a cloud node and its instance away", Args: cobra.ExactArgs(1),
		Example: `  hybridlab node remove cloud-1`,
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := lab.New(lab.Options{Name: *name, Progress: progress()})
			if err != nil {
				return err
			}
			if err := l.RemoveCloudNode(cmd.Context(), args[0]); err != nil {
				return err
			}
			fmt.Printf("Node %s is removed.\n", args[0])
			return nil
		},
	}
}

func newExec(name *string) *cobra.Command {
	return &cobra.Command{
		Use: "exec NODE -- CMD [ARG...]", Short: "Run a command in a node", Args: cobra.MinimumNArgs(2),
		Example: `  hybridlab exec cloud-1 -- ip rule`,
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := lab.New(lab.Options{Name: *name})
			if err != nil {
				return err
			}
			err = l.Exec(cmd.Context(), args[0], args[1:]...)
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				return commandFailed(exit.ExitCode())
			}
			return err
		},
	}
}

func newLogs(name *string) *cobra.Command {
	return &cobra.Command{
		Use: "logs NODE|cloud|bgp-router|bgp-vbr", Short: "Print a node's kubelet and containerd log, the cloud simulator's, or a BGP speaker's", Args: cobra.ExactArgs(1),
		Example: `  hybridlab logs cloud-1
  hybridlab logs cloud`,
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := lab.New(lab.Options{Name: *name})
			if err != nil {
				return err
			}
			return l.Logs(cmd.Context(), args[0])
		},
	}
}

func newLoadImage(name *string) *cobra.Command {
	return &cobra.Command{
		Use: "load-image ARCHIVE...", Short: "Load image archives into every node", Args: cobra.MinimumNArgs(1),
		Example: `  hybridlab load-image my-app.tar`,
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := lab.New(lab.Options{Name: *name, Progress: progress()})
			if err != nil {
				return err
			}
			for _, archive := range args {
				if err := l.LoadImage(cmd.Context(), archive); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
