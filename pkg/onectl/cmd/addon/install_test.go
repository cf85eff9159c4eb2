package addon

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/version"
)

func TestInstallTakesFromTheCommandLine(t *testing.T) {
	type typed struct {
		Version, Image, DryRun string
		Reset, Conflicts, Wait bool
		Timeout                time.Duration
		Sets                   map[string]string
		NodeEndpoint           string
	}
	built := version.Get().Version
	tests := []struct {
		name string
		args []string
		want typed
	}{
		{"nothing", nil, typed{Version: built, DryRun: "none", Wait: true, Timeout: 5 * time.Minute, Sets: map[string]string{}}},
		{"a bare dry run", []string{"--dry-run"}, typed{Version: built, DryRun: "client", Wait: true, Timeout: 5 * time.Minute, Sets: map[string]string{}}},
		{"a value may hold commas and equal signs", []string{"--set", `vswitches={"z":["a","b"]}`, "--set", "resource_group_id=a=b"},
			typed{Version: built, DryRun: "none", Wait: true, Timeout: 5 * time.Minute, Sets: map[string]string{"vswitches": `{"z":["a","b"]}`, "resource_group_id": "a=b"}}},
		{"everything", []string{"--version=v2", "--image=x", "--dry-run=none", "--reset-config", "--force-conflicts", "--wait=false", "--timeout=3s", "--set=max_pool_size=7", "--node-cloud-endpoint=http://c"},
			typed{"v2", "x", "none", true, true, false, 3 * time.Second, map[string]string{"max_pool_size": "7"}, "http://c"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := &cmdutil.Factory{IOStreams: genericiooptions.NewTestIOStreamsDiscard()}
			var got typed
			c := newInstall(f, func(o *installOptions) error {
				got = typed{o.Version, o.Image, o.DryRun, o.ResetConfig, o.ForceConflicts, o.Wait, o.Timeout, o.sets, f.Flags.NodeCloudEndpoint}
				return nil
			})
			c.SetArgs(append([]string{"terway-eniip"}, tt.args...))
			if err := c.ExecuteContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
