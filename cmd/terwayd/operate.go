package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/onectl/onectl/pkg/node/daemon/inspect"
)

// asking is how a command asks the running daemon, and how it shows the answer.
type asking struct {
	socket  string
	output  string
	timeout time.Duration
}

// inCluster is how operators reach these commands: the image has no shell, and the socket is the node's.
const inCluster = "kubectl -n kube-system exec ds/terway-eniip -c terway -- terwayd "

// addOperate adds the commands that ask the running daemon.
func addOperate(root *cobra.Command) {
	root.SetFlagErrorFunc(wrongUsage)
	root.AddCommand(statusCommand(), podsCommand(), enisCommand(), poolCommand(), explainCommand(), gcCommand(), historyCommand(), bundleCommand())
}

// command makes a command that asks. Its examples are written for an operator with kubectl.
func command(use, short, long string, examples ...string) (*cobra.Command, *asking) {
	a := &asking{}
	c := &cobra.Command{Use: use, Short: short, Long: short + ".\n\n" + long, Args: noArgs}
	lines := make([]string, 0, len(examples))
	for _, e := range examples {
		lines = append(lines, "  "+inCluster+e)
	}
	c.Example = strings.Join(lines, "\n")
	c.Flags().StringVar(&a.socket, "inspect-socket", inspect.DefaultSocket, "the running daemon's socket")
	c.Flags().DurationVar(&a.timeout, "timeout", 20*time.Second, "how long to wait for the daemon's answer")
	return c, a
}

// printing adds -o to a command that prints a value.
func (a *asking) printing(c *cobra.Command) {
	c.Flags().StringVarP(&a.output, "output", "o", "text", "text, or json for programs")
	// It fails for a flag that is not there, which is a line above.
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]cobra.Completion{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

func (a *asking) client() *inspect.Client { return inspect.NewClient(a.socket) }

// ask asks for a value and prints it.
func ask[T interface{ Text() string }](c *cobra.Command, a *asking, question func(context.Context, *inspect.Client) (T, error)) (value T, err error) {
	if a.output != "text" && a.output != "json" {
		return value, usageError{fmt.Errorf("-o %s: it must be text or json", a.output)}
	}
	ctx, cancel := context.WithTimeout(c.Context(), a.timeout)
	defer cancel()
	if value, err = question(ctx, a.client()); err != nil {
		return value, err
	}
	if a.output == "text" {
		_, err = io.WriteString(c.OutOrStdout(), value.Text())
		return value, err
	}
	encoder := json.NewEncoder(c.OutOrStdout())
	encoder.SetIndent("", "  ")
	return value, encoder.Encode(value)
}

func statusCommand() *cobra.Command {
	c, a := command("status", "Show what the node's daemon is, what it has, and what is wrong",
		"Exit code: 0 when ADDs are served and nothing is wrong, 1 when something is, 2 for a wrong command line, 3 when the daemon\ncannot be asked, 4 when only root may.",
		"status", "status -o json")
	a.printing(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		s, err := ask(c, a, func(ctx context.Context, from *inspect.Client) (inspect.Status, error) { return from.Status(ctx) })
		if err == nil && !s.Healthy() {
			return errUnhealthy
		}
		return err
	}
	return c
}

func podsCommand() *cobra.Command {
	c, a := command("pods", "List the pods of this node with their addresses, and what is not as it must be",
		"Each pod's veth, routes, rules and neighbours are compared with what terwayd wants of them, now. STATE is ok, differs, or\nchanging while a request is at it.",
		"pods", "pods -o json")
	a.printing(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		_, err := ask(c, a, func(ctx context.Context, from *inspect.Client) (inspect.Pods, error) { return from.Pods(ctx) })
		return err
	}
	return c
}

func enisCommand() *cobra.Command {
	c, a := command("enis", "List the node's ENIs for pods: link, table, addresses, and the step in flight",
		"With -o json every address is named, with its pod.", "enis", "enis -o json")
	a.printing(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		_, err := ask(c, a, func(ctx context.Context, from *inspect.Client) (inspect.ENIs, error) { return from.ENIs(ctx) })
		return err
	}
	return c
}

func poolCommand() *cobra.Command {
	c, a := command("pool", "Show the stock of addresses, who waits for one, and what the pool will do next and why",
		"What it will do is told by the function that decides, asked on a copy of the stock for the next half hour.", "pool", "pool -o json")
	a.printing(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		_, err := ask(c, a, func(ctx context.Context, from *inspect.Client) (inspect.Pool, error) { return from.Pool(ctx) })
		return err
	}
	return c
}

func explainCommand() *cobra.Command {
	c, a := command("explain NAMESPACE/POD", "Follow one pod's way to its network link by link, or say why it has none",
		"Record, pool, cloud, ENI, veth, mark, route, rule, neighbour, and the pod's end as far as the host sees it. For a pod without\naddress: who waits since when, why, and the last refusals. Exit code 1 when a link does not hold or there is no address.",
		"explain default/web-0", "explain default/web-0 -o json")
	a.printing(c)
	c.Args = one("NAMESPACE/POD", "default/web-0")
	c.ValidArgsFunction = a.completing(podNames)
	c.RunE = func(c *cobra.Command, args []string) error {
		namespace, name, err := inspect.ParsePod(args[0])
		if err != nil {
			return usageError{err}
		}
		e, err := ask(c, a, func(ctx context.Context, from *inspect.Client) (inspect.Explanation, error) {
			return from.Explain(ctx, namespace, name)
		})
		if err == nil && !e.Healthy() {
			return errUnhealthy
		}
		return err
	}
	return c
}

func gcCommand() *cobra.Command {
	var dryRun bool
	c, a := command("gc", "Take away records and links of sandboxes that are gone, as the daemon does by itself every minute",
		"Something is taken away when every look of at least 30 seconds found it; what was seen for a shorter time is held back.\nWith --dry-run nothing is taken away.",
		"gc --dry-run", "gc")
	a.printing(c)
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only show what would be taken away, what is held back, and why")
	c.RunE = func(c *cobra.Command, _ []string) error {
		_, err := ask(c, a, func(ctx context.Context, from *inspect.Client) (inspect.GC, error) { return from.GC(ctx, dryRun) })
		return err
	}
	return c
}

func historyCommand() *cobra.Command {
	c, a := command("history IP", "Show which pods of this node held an address, from when until when",
		"The history is on the node's disk and goes back some thousand pods.", "history 10.0.16.7", "history 10.0.16.7 -o json")
	a.printing(c)
	c.Args = one("IP", "10.0.16.7")
	c.ValidArgsFunction = a.completing(addressesOfENIs)
	c.RunE = func(c *cobra.Command, args []string) error {
		ip, err := netip.ParseAddr(args[0])
		if err != nil {
			return usageError{fmt.Errorf("%w; write one address, such as 10.0.16.7", err)}
		}
		_, err = ask(c, a, func(ctx context.Context, from *inspect.Client) (inspect.History, error) { return from.History(ctx, ip) })
		return err
	}
	return c
}

func bundleCommand() *cobra.Command {
	var file string
	c, a := command("support-bundle", "Write a tar.gz of everything that helps somebody else to understand this node",
		"Status, pods, ENIs, pool, garbage, history, configuration, metrics, the kernel's links, rules, routes and neighbours, and the last\nlines of the log. AccessKeys are *** in it.",
		"support-bundle > bundle.tar.gz")
	c.Flags().StringVarP(&file, "file", "f", "", "the file to write, which only its owner can read (empty: standard output)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx, cancel := context.WithTimeout(c.Context(), max(a.timeout, time.Minute))
		defer cancel()
		if file != "" {
			return toFile(file, func(out io.Writer) error { return a.client().Bundle(ctx, out) })
		}
		if out, isFile := c.OutOrStdout().(*os.File); isFile && term.IsTerminal(int(out.Fd())) {
			return usageError{errors.New("the bundle is not for a terminal; type: terwayd support-bundle > bundle.tar.gz")}
		}
		return a.client().Bundle(ctx, c.OutOrStdout())
	}
	return c
}

// toFile writes a file for its owner alone; one that could not be finished is removed.
func toFile(path string, write func(io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("-f: %w; name a file that is not there yet, in a folder that can be written", err)
	}
	if err := errors.Join(write(file), file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// wrongUsage is err about c's command line, and where its usage is.
func wrongUsage(c *cobra.Command, err error) error {
	return usageError{fmt.Errorf("%w; type: %s --help", err, c.CommandPath())}
}

// noArgs wants no argument. What is one to a command that holds others is the name of a command that there is not.
func noArgs(c *cobra.Command, args []string) error {
	err := cobra.NoArgs(c, args)
	if err == nil {
		return nil
	}
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		err = fmt.Errorf("%w, did you mean %q?", err, near[0])
	}
	return wrongUsage(c, err)
}

// one wants exactly one argument.
func one(what, example string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{fmt.Errorf("give one %s; type: %s %s", what, c.CommandPath(), example)}
		}
		return nil
	}
}
