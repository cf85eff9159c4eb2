package cmdutil

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

func TestRunEChecksInOrderAndThenRunsOne(t *testing.T) {
	t.Parallel()
	wrong := errors.New("wrong")
	for name, test := range map[string]struct {
		second error
		seam   bool
		want   []string
	}{
		"runs":                  {nil, false, []string{"first", "second", "run"}},
		"a test's in its place": {nil, true, []string{"first", "second", "runF"}},
		"a check that refuses":  {wrong, false, []string{"first", "second"}},
		"refuses a test's, too": {wrong, true, []string{"first", "second"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var did []string
			note := func(what string, err error) func(*cobra.Command) error {
				return func(*cobra.Command) error { did = append(did, what); return err }
			}
			var runF func(*string) error
			if test.seam {
				runF = func(o *string) error { did = append(did, *o); return nil }
			}
			input := "runF"
			run := RunE(&input, runF, func(context.Context) error { did = append(did, "run"); return nil }, note("first", nil), note("second", test.second))
			if err := run(&cobra.Command{}, nil); !errors.Is(err, test.second) {
				t.Errorf("%v, want %v", err, test.second)
			}
			if diff := cmp.Diff(test.want, did); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
