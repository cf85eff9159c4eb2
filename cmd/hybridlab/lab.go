package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/e2e/lab"
)

// progress prints each step with the seconds since the command started, so a long wait is seen to move.
func progress() func(string) {
	start := time.Now()
	return func(step string) {
		fmt.Fprintf(os.Stderr, "%5.1fs  %s\n", time.Since(start).Seconds(), step)
	}
}

func newUp(name *string) *cobra.Command {
	opts := lab.Options{}
	cmd := &cobra.Command{
		Use: "up", Short: "Start a lab", Args: cobra.NoArgs,
		Example: `  hybridlab up
  hybridlab up --name two --workers 2
  hybridlab up --name bgp --scenario bgp    # real BGP between the data centre and the VPC`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.Name, opts.Progress = *name, progress()
			l, err := lab.New(opts)
			if err != nil {
				return err
			}
			if err := l.Up(cmd.Context()); err != nil {
				return err
			}
			fmt.Printf("Lab %s is up. To use it: eval \"$(hybridlab env --name %s)\"\n", *name, *name)
			return nil
		},
	}
	cmd.Flags().StringVar((*string)(&opts.Scenario), "scenario", string(lab.Routed), "the data centre's pod network: routed, overlay, bgp or host")
	cmd.Flags().IntVar(&opts.Workers, "workers", 1, "data-centre workers beside the control plane")
	return cmd
}

func newDown(name *string) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "down", Short: "Remove a lab and everything it made", Args: cobra.NoArgs,
		Example: `  hybridlab down
  hybridlab down --all    # every lab, also what killed ones left`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			names := []string{*name}
			if all {
				var err error
				if names, err = lab.Names(); err != nil {
					return err
				}
			}
			for _, name := range names {
				l, err := lab.New(lab.Options{Name: name, Progress: progress()})
				if err != nil {
					return err
				}
				if err := l.Down(cmd.Context()); err != nil {
					return err
				}
				fmt.Printf("Lab %s is down.\n", name)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "every lab on this machine")
	return cmd
}

func newStatus(name *string) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "status", Short: "Show what runs", Args: cobra.NoArgs,
		Example: `  hybridlab status
  hybridlab status -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := lab.New(lab.Options{Name: *name})
			if err != nil {
				return err
			}
			status, err := l.Status(cmd.Context())
			if err != nil {
				return err
			}
			switch output {
			case "json":
				encoder := json.NewEncoder(os.Stdout)
				encoder.SetIndent("", "  ")
				return encoder.Encode(status)
			case "":
				return printStatus(status)
			}
			return fmt.Errorf("-o %s: the only format is json", output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json")
	return cmd
}

func printStatus(status lab.Status) error {
	if !status.Up {
		fmt.Printf("Lab %s is not up: %s\n", status.Name, status.Problem)
	} else {
		fmt.Printf("Lab %s is up. Cloud API %s, registered cluster %s, scenario %s.\n", status.Name, status.Endpoint, status.ClusterID, status.Scenario)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 8, 3, ' ', 0)
	if len(status.Nodes) > 0 {
		fmt.Fprintln(table, "NODE\tROLE\tADDRESS\tINSTANCE\tZONE")
	}
	for _, node := range status.Nodes {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", node.Name, node.Role, node.Address, dash(node.Instance), dash(node.Zone))
	}
	return table.Flush()
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func newEnv(name *string) *cobra.Command {
	return &cobra.Command{
		Use: "env", Short: "Print what a shell needs to use the lab", Args: cobra.NoArgs,
		Example: `  eval "$(hybridlab env)"`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := lab.New(lab.Options{Name: *name})
			if err != nil {
				return err
			}
			env, err := l.Env()
			for _, pair := range env {
				key, value, _ := strings.Cut(pair, "=")
				fmt.Printf("export %s=%s\n", key, value)
			}
			if err != nil {
				return err
			}
			dir, err := l.KubectlDir(cmd.Context())
			if dir != "" {
				fmt.Printf("export PATH=$PATH:%s\n", dir) // this machine has no kubectl: the cluster's own
			}
			return err
		},
	}
}
