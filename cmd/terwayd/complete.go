package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/node/daemon/inspect"
)

// completeTime bounds what a shell waits for after a tab.
const completeTime = 2 * time.Second

// completing offers what the running daemon knows for a command's only argument, and nothing when it cannot be asked.
func (a *asking) completing(known func(context.Context, *inspect.Client) ([]cobra.Completion, error)) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(c.Context(), completeTime)
		defer cancel()
		found, err := known(ctx, a.client())
		if err != nil {
			cobra.CompDebugln(err.Error(), false)
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

// podNames is the pods that hold an address, and those that wait for one.
func podNames(ctx context.Context, from *inspect.Client) (names []cobra.Completion, err error) {
	pods, err := from.Pods(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range pods.Pods {
		names = append(names, cobra.CompletionWithDesc(p.Namespace+"/"+p.Name, p.State))
	}
	pool, err := from.Pool(ctx)
	for _, w := range pool.Waiting {
		names = append(names, cobra.CompletionWithDesc(w.Pod, "waits for an address"))
	}
	return names, err
}

// addressesOfENIs is every address of the node's ENIs, with who holds it.
func addressesOfENIs(ctx context.Context, from *inspect.Client) (ips []cobra.Completion, err error) {
	enis, err := from.ENIs(ctx)
	for _, e := range enis.ENIs {
		for _, a := range e.Addresses {
			ips = append(ips, cobra.CompletionWithDesc(a.IP.String(), fmt.Sprint(a.Use, " ", a.Pod)))
		}
	}
	return ips, err
}
