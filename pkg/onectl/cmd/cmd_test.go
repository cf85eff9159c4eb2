package cmd

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/onectl/onectl/pkg/onectl/addon"
	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/ram"
)

// each visits every command that runs something.
func each(c *cobra.Command, visit func(*cobra.Command)) {
	if c.Name() == "help" || c.Name() == "completion" {
		return
	}
	visit(c)
	for _, sub := range c.Commands() {
		each(sub, visit)
	}
}

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	each(New(&cmdutil.Factory{IOStreams: genericiooptions.NewTestIOStreamsDiscard()}), func(c *cobra.Command) {
		if c.Short == "" || !strings.Contains(c.Example, "onectl") {
			t.Errorf("%s: Short %q, Example %q", c.CommandPath(), c.Short, c.Example)
		}
		if strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: Short ends with a full stop", c.CommandPath())
		}
	})
}

func TestTheTreeIs(t *testing.T) {
	var paths []string
	each(New(&cmdutil.Factory{IOStreams: genericiooptions.NewTestIOStreamsDiscard()}), func(c *cobra.Command) { paths = append(paths, c.CommandPath()) })
	want := []string{
		"onectl",
		"onectl addon", "onectl addon describe", "onectl addon install", "onectl addon list", "onectl addon uninstall",
		"onectl configure",
		"onectl connectivity", "onectl connectivity test",
		"onectl isolate", "onectl isolate apply", "onectl isolate patch", "onectl isolate plan", "onectl isolate status", "onectl isolate undo",
		"onectl preflight", "onectl preflight explain", "onectl preflight list",
		"onectl ram-user", "onectl ram-user describe", "onectl ram-user grant", "onectl ram-user revoke",
		"onectl version",
	}
	slices.Sort(paths)
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Error(diff)
	}
}

func TestEveryAddonOfTheCatalogueHasAPolicy(t *testing.T) {
	if diff := cmp.Diff(ram.Addons(), addon.Names(false)); diff != "" {
		t.Error(diff)
	}
}
