package main

import (
	"encoding/json"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/node/nodefacts"
)

// factsCommand is `terwayd facts`, which "onectl preflight --probe" runs on each node: it reads files and writes none.
func factsCommand() *cobra.Command {
	var root, kernel string
	c := &cobra.Command{
		Use:   "facts",
		Short: "Print what this node is, as JSON: kernel settings, links, services that meddle with them",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return json.NewEncoder(c.OutOrStdout()).Encode(nodefacts.Read(os.DirFS(kernel), os.DirFS(root), time.Now()))
		},
	}
	c.Flags().StringVar(&root, "root", "/", "folder with the node's etc, run and usr")
	c.Flags().StringVar(&kernel, "kernel-root", "/", "folder with the node's proc and sys")
	return c
}
