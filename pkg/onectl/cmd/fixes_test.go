package cmd

import (
	"context"
	"strings"
	"testing"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/preflight"
)

func TestFixesNameCommandsThatExist(t *testing.T) {
	for _, c := range preflight.Checks() {
		if line, found := strings.CutPrefix(c.Fix, "onectl "); found {
			line, _, _ = strings.Cut(line, ",") // a remark follows
			isCommand(t, c.ID, line)
		}
	}
}

func TestCausesNameCommandsThatExist(t *testing.T) {
	found := 0
	for _, c := range cause.All() {
		if _, line, has := strings.Cut(c.Next, "onectl "); has {
			found++
			line, _, _ = strings.Cut(line, " for ") // a remark follows
			isCommand(t, string(c.Code), line)
		}
	}
	if found == 0 {
		t.Error("no cause names a command: the look at the table is broken")
	}
}

// isCommand fails the test when line, without "onectl", is no command with flags of its own.
func isCommand(t *testing.T, whose, line string) {
	t.Helper()
	root := New(&cmdutil.Factory{IOStreams: genericiooptions.NewTestIOStreamsDiscard()})
	command, rest, err := root.Find(strings.Fields(line))
	if err == nil && (command == root || command.HasSubCommands() && command.Name() != "preflight") {
		t.Errorf("%s: %q is not a command", whose, line)
		return
	}
	if err == nil {
		err = command.ParseFlags(rest)
	}
	if err != nil {
		t.Errorf("%s: %q: %v", whose, line, err)
	}
}

func TestAFixRunsWithTheSameGlobalFlags(t *testing.T) {
	streams, _, out, _ := genericiooptions.NewTestIOStreams()
	f := &cmdutil.Factory{IOStreams: streams}
	root := New(f)
	if err := root.ParseFlags([]string{"--region", "cn-hangzhou", "--verbose"}); err != nil {
		t.Fatal(err)
	}
	if err := f.Onectl(t.Context(), []string{"version"}); err != nil || out.Len() == 0 {
		t.Errorf("%v, printed %q", err, out)
	}
	if err := f.Onectl(t.Context(), []string{"nonsense"}); err == nil {
		t.Error("an unknown command is no error")
	}
	if f.Flags.Region != "cn-hangzhou" || !f.Verbose {
		t.Errorf("the flags of the outer command are %+v now", f.Flags)
	}
	inner := *f
	inner.Onectl = nil
	if err := again(&inner)(context.Background(), []string{"version", "--region", "cn-beijing"}); err != nil || inner.Flags.Region != "cn-hangzhou" {
		t.Errorf("%v, region %q: a fix changed the outer command's flags", err, inner.Flags.Region)
	}
}
