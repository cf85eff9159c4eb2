package version

import (
	"runtime/debug"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFillCompletesAnUnstampedVersionWithTheCommit(t *testing.T) {
	settings := func(modified string) []debug.BuildSetting {
		return []debug.BuildSetting{
			{Key: "vcs.revision", Value: "774dea0f768569821e101dc44d1cb09cef192fe8"},
			{Key: "vcs.time", Value: "2023-07-12T06:10:27Z"},
			{Key: "vcs.modified", Value: modified},
		}
	}
	tests := []struct {
		name     string
		start    Info
		modified string
		want     Info
	}{
		{"clean tree", Info{Version: "v0.1.0+unknown"}, "false", Info{Version: "v0.1.0+774dea0", BuildDate: "2023-07-12T06:10:27Z", GitCommit: "774dea0f768569821e101dc44d1cb09cef192fe8", GitTreeState: "clean"}},
		{"dirty tree", Info{Version: "v0.1.0+unknown"}, "true", Info{Version: "v0.1.0+774dea0.dirty", BuildDate: "2023-07-12T06:10:27Z", GitCommit: "774dea0f768569821e101dc44d1cb09cef192fe8", GitTreeState: "dirty"}},
		{"the linker wins", Info{Version: "v1.0.0", BuildDate: "then", GitCommit: "abc", GitTreeState: "clean"}, "true", Info{Version: "v1.0.0", BuildDate: "then", GitCommit: "abc", GitTreeState: "clean"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.start
			got.fill(settings(tt.modified))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStringPrintsTheDocumentedFieldsInOrder(t *testing.T) {
	info := Info{
		Version: "v1.0.0+774dea0", BuildDate: "2023-07-12T06:10:27Z", GitCommit: "774dea0f768569821e101dc44d1cb09cef192fe8",
		GitTreeState: "clean", GoVersion: "go1.20.4", Compiler: "gc", Platform: "darwin/amd64",
	}
	want := `onectl: v1.0.0+774dea0
  BuildDate: 2023-07-12T06:10:27Z
  GitCommit: 774dea0f768569821e101dc44d1cb09cef192fe8
  GitTreeState: clean
  GoVersion: go1.20.4
  Compiler: gc
  Platform: darwin/amd64
`
	if diff := cmp.Diff(want, info.String()); diff != "" {
		t.Error(diff)
	}
}
