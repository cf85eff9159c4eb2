package connectivity

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/onectl/onectl/pkg/onectl/connectivity"
	"github.com/onectl/onectl/pkg/onectl/preflight"
)

// lookTime is how long looking at cluster and cloud may take. What was not seen by then is not known.
const lookTime = time.Minute

// known is what preflight knows before any packet is sent. The zero value is nothing.
type known struct {
	scenario string
	noPods   bool // the data centre has no pod network
	clues    connectivity.Clues
}

// look takes facts from the file, or gathers them. That they can not be gathered is no reason not to measure.
func (o *testOptions) look(ctx context.Context) (known, error) {
	blind := known{scenario: o.Scenario, noPods: o.Scenario == "host"}
	if o.FromFacts == "" && o.factory.OpenGatherer == nil {
		return blind, nil
	}
	gathered := o.gather
	if o.FromFacts != "" {
		gathered = func(context.Context) (preflight.Facts, error) { return readFacts(o.FromFacts) }
	}
	facts, err := gathered(ctx)
	switch {
	case err != nil && (o.FromFacts != "" || ctx.Err() != nil):
		return known{}, err
	case err != nil:
		o.factory.Warn("preflight could not look, so packets alone tell what is likely: %v", err)
		return blind, nil
	}
	report := preflight.Run(preflight.Checks(), facts, preflight.Options{Scenario: o.Scenario})
	return known{
		scenario: report.Scenario,
		noPods:   blind.noPods || o.Scenario == "" && connectivity.NoPods(report.Scenario, facts),
		clues:    connectivity.CluesOf(report),
	}, nil
}

func (o *testOptions) gather(ctx context.Context) (preflight.Facts, error) {
	settings, err := o.factory.Settings()
	if err != nil {
		return preflight.Facts{}, err
	}
	gatherer, err := o.factory.OpenGatherer(settings)
	if err != nil {
		return preflight.Facts{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	return gatherer.Gather(ctx, preflight.GatherOptions{Phase: preflight.Post, Scenario: o.Scenario})
}

func readFacts(path string) (preflight.Facts, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return preflight.Facts{}, fmt.Errorf("%w; \"onectl preflight --facts FILE\" makes such a file", err)
	}
	var facts preflight.Facts
	if err := json.Unmarshal(text, &facts); err != nil {
		return preflight.Facts{}, fmt.Errorf("facts of %s: %w; \"onectl preflight --facts FILE\" makes such a file", path, err)
	}
	return facts, nil
}
