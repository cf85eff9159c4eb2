// Package isolate is "onectl isolate": keeping the data centre's network plugins, and what else runs on every node, off
// cloud nodes; and taking that back.
package isolate

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

const long = `Keep the data centre's network plugin off cloud nodes, where Terway is the network.

The plugin's pods get a required node affinity, alibabacloud.com/external NotIn ["true"]: it is ANDed into every node selector
term there is, so no cloud node is eligible any more, and every other node is exactly as eligible as before. What an operator
makes (Calico by the tigera operator) is changed in the operator's configuration. Workloads that tolerate every taint and would
land on cloud nodes are kept off, too, but not what every node needs: kube-proxy, CSI drivers, node exporters, log collectors.

What was there before is kept in ConfigMap kube-system/onectl-isolate; "undo" puts it back to the byte.`

const example = `  # what would be changed, and why
  onectl isolate plan

  # change it, look whether it is still so, take it back
  onectl isolate apply
  onectl isolate status
  onectl isolate undo`

// New is the command with those below it.
func New(f *cmdutil.Factory) *cobra.Command {
	c := cmdutil.Group(&cobra.Command{
		Use:     "isolate",
		Short:   "Keep the data centre's network plugin off cloud nodes",
		Long:    long,
		Example: example,
	})
	c.AddCommand(newPlan(f, nil), newApply(f, nil), newStatus(f, nil), newUndo(f, nil), newPatch(f, nil))
	return c
}

// choice is what the operator chooses: flags of plan, apply and status.
type choice struct {
	Scenario  string
	Workloads []string
	Leave     []string

	named, leave []datacentre.Ref
}

func (ch *choice) addFlags(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&ch.Scenario, "scenario", "", "overlay, bgp or host, in place of what is recognised")
	flags.StringArrayVar(&ch.Workloads, "workload", nil, "a workload to keep off cloud nodes, too, KIND/NAMESPACE/NAME; may be repeated")
	flags.StringArrayVar(&ch.Leave, "leave", nil, "a workload to leave alone, KIND/NAMESPACE/NAME; may be repeated")
	var names []string
	for _, s := range datacentre.Scenarios() {
		names = append(names, string(s))
	}
	_ = c.RegisterFlagCompletionFunc("scenario", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
}

func (ch *choice) complete(c *cobra.Command) (err error) {
	known := ch.Scenario == ""
	for _, s := range datacentre.Scenarios() {
		known = known || ch.Scenario == string(s)
	}
	if !known {
		return cmdutil.Usagef(c, "--scenario %s is not known: give overlay, bgp or host", ch.Scenario)
	}
	if ch.named, err = refs(c, "--workload", ch.Workloads); err != nil {
		return err
	}
	ch.leave, err = refs(c, "--leave", ch.Leave)
	return err
}

// refs reads KIND/NAMESPACE/NAME; kinds may be written as kubectl takes them.
func refs(c *cobra.Command, flag string, texts []string) ([]datacentre.Ref, error) {
	kinds := map[string]string{
		"daemonset": "DaemonSet", "daemonsets": "DaemonSet", "ds": "DaemonSet", "deployment": "Deployment", "deployments": "Deployment", "deploy": "Deployment",
		"statefulset": "StatefulSet", "statefulsets": "StatefulSet", "sts": "StatefulSet",
	}
	var all []datacentre.Ref
	for _, text := range texts {
		parts := strings.Split(text, "/")
		if len(parts) != 3 || kinds[strings.ToLower(parts[0])] == "" || parts[1] == "" || parts[2] == "" {
			return nil, cmdutil.Usagef(c, "%s %s is not a workload: give KIND/NAMESPACE/NAME, as in %s daemonset/monitoring/agent", flag, text, flag)
		}
		all = append(all, datacentre.Ref{Kind: kinds[strings.ToLower(parts[0])], Namespace: parts[1], Name: parts[2]})
	}
	return all, nil
}

// dryRun is the flag --dry-run: none, client or server.
type dryRun string

func (d *dryRun) addFlag(c *cobra.Command) {
	c.Flags().StringVar((*string)(d), "dry-run", "none", "client: show the changes; server: have the server check them, too; none is made")
	c.Flags().Lookup("dry-run").NoOptDefVal = "client"
	_ = c.RegisterFlagCompletionFunc("dry-run", cobra.FixedCompletions([]string{"none", "client", "server"}, cobra.ShellCompDirectiveNoFileComp))
}

func (d *dryRun) validate(c *cobra.Command) error {
	switch *d {
	case "none", "client", "server":
		return nil
	}
	return cmdutil.Usagef(c, "--dry-run=%s is not known: give none, client or server", string(*d))
}

// did is the verb of what was done, or would be.
func (d dryRun) did(done, would string) string {
	switch d {
	case "client":
		return would + " (dry run)"
	case "server":
		return would + " (dry run, accepted by the server)"
	}
	return done
}

func plural(n int, one string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, one)
	}
	return fmt.Sprintf("%d %ss", n, one)
}
