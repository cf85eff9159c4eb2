package preflight

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/preflight"
	"github.com/onectl/onectl/pkg/onectl/profile"
)

// stand is a site whose facts a test decides.
type stand struct {
	factory  *cmdutil.Factory
	out, err *bytes.Buffer
	agents   []preflight.Agent // what each look finds, the last one for ever; none: an error
	looks    int
	asked    []preflight.GatherOptions
	ran      [][]string // command lines of fixes
	answer   string
	prompts  []string
}

func newStand(t *testing.T, agents ...preflight.Agent) *stand {
	t.Helper()
	s := &stand{agents: agents}
	streams, _, out, errOut := genericiooptions.NewTestIOStreams()
	s.out, s.err = out, errOut
	s.factory = &cmdutil.Factory{
		IOStreams: streams, Getenv: func(string) string { return "" }, Home: t.TempDir(), Config: noConfig{},
		OpenGatherer: func(profile.Settings) (cmdutil.Gatherer, error) { return s, nil },
		Onectl: func(_ context.Context, args []string) error {
			s.ran = append(s.ran, args)
			return nil
		},
	}
	return s
}

type noConfig struct{}

// Gather gives the facts of the next look.
func (s *stand) Gather(_ context.Context, o preflight.GatherOptions) (preflight.Facts, error) {
	s.asked = append(s.asked, o)
	o.Step("a thing")
	if len(s.agents) == 0 {
		return preflight.Facts{}, errors.New("nobody is there")
	}
	agent := s.agents[min(s.looks, len(s.agents)-1)]
	s.looks++
	return preflight.Facts{At: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), Agent: preflight.Known(agent), Cluster: preflight.Known(cloud.Cluster{ID: "c1"})}, nil
}

func (s *stand) Line(label, _ string) (string, error) {
	s.prompts = append(s.prompts, label)
	return s.answer, nil
}

func (s *stand) Secret(string) (string, error) { return "", errors.New("nobody asks for a secret") }

// checks is one check, "agent-there", which a command fixes, and one that a person must fix.
func checks() []preflight.Check {
	agent := func(f preflight.Facts) preflight.Finding {
		if !f.Agent.Known {
			return preflight.NotKnown(f.Agent.Why)
		}
		if !f.Agent.Value.Found {
			return preflight.FailSafe("the agent is missing", "onectl do 'this thing' --now", "seen nothing")
		}
		return preflight.Pass("the agent is there")
	}
	ready := func(f preflight.Facts) preflight.Finding {
		if f.Agent.Value.Ready == 0 {
			return preflight.Warn("the agent is not ready", "wait a little")
		}
		return preflight.Pass("the agent is ready")
	}
	return []preflight.Check{
		{ID: "agent-there", Title: "The agent is there", Category: "Cluster", Severity: preflight.Error, Explain: strings.Repeat("Because it matters. ", 12), Fix: "onectl do", Run: agent},
		{ID: "agent-ready", Title: "The agent is ready", Category: "Cluster", Severity: preflight.Warning, Explain: "Because.", Fix: "wait", Run: ready},
	}
}

func (s *stand) run(t *testing.T, args ...string) error {
	t.Helper()
	return s.runWith(t, checks(), args...)
}

func (s *stand) runWith(t *testing.T, checks []preflight.Check, args ...string) error {
	t.Helper()
	c := newCommand(s.factory, checks, time.Millisecond, nil)
	c.SetArgs(args)
	c.SetOut(s.out)
	c.SetErr(s.err)
	c.SilenceErrors, c.SilenceUsage = true, true
	return c.ExecuteContext(t.Context())
}
