package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCapabilitiesAreThoseEffectiveAndBounding(t *testing.T) {
	for name, test := range map[string]struct {
		status string
		want   bool
	}{
		"both":      {"CapEff:\t000001ffffffffff\nCapBnd:\t000001ffffffffff\n", true},
		"neither":   {"CapEff:\t000001fffeffffff\nCapBnd:\t000001fffeffffff\n", false},
		"effective": {"CapEff:\t0000000001000000\nCapBnd:\t0000000000000000\n", false},
		"missing":   {"CapEff:\t0000000001000000\n", false},
		"bounding":  {"CapEff:\t0000000000000000\nCapBnd:\t0000000001000000\n", false},
		"damaged":   {"CapEff:\tx\nCapBnd:\t0000000001000000\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := capabilitiesOf(test.status).has(sysResource); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestFitEditsTheFileThatTheCommandReads(t *testing.T) {
	const process = `{"capabilities":{"bounding":["CAP_CHOWN","CAP_SYS_RESOURCE"],"effective":["CAP_SYS_RESOURCE"]},"oomScoreAdj":-998}`
	const softened = `{"capabilities":{"bounding":["CAP_CHOWN"],"effective":[]},"oomScoreAdj":0}`
	const limit = `,"linux":{"resources":{"memory":{"limit":9223372036854771712}}}` // a float would round it
	const bundle, softBundle = `{"process":` + process + limit + `}`, `{"process":` + softened + limit + `}`
	for name, test := range map[string]struct {
		file, content, want string
		args                func(dir string) []string
	}{
		"create": {"config.json", bundle, softBundle, func(dir string) []string {
			return []string{"runc", "--root", "/x", "create", "--bundle", dir, "--pid-file", "/p", "id"}
		}},
		"run with short flag": {"config.json", bundle, softBundle, func(dir string) []string {
			return []string{"runc", "run", "-b", dir, "id"}
		}},
		"exec": {"process.json", process, softened, func(dir string) []string {
			return []string{"runc", "exec", "--process=" + filepath.Join(dir, "process.json"), "id"}
		}},
		"delete reads nothing": {"config.json", bundle, bundle, func(dir string) []string {
			return []string{"runc", "delete", "--bundle", dir, "id"}
		}},
		"positive score": {"process.json", `{"oomScoreAdj":100}`, `{"oomScoreAdj":100}`, func(dir string) []string {
			return []string{"runc", "exec", "--process", filepath.Join(dir, "process.json"), "id"}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, test.file)
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := fit(test.args(dir), 0); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(compact(t, test.want), compact(t, string(got))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFitGivesPrivilegedContainersWhatTheirEngineDoesNotKnow(t *testing.T) {
	have := capabilities(1<<39 | 1<<sysResource)
	for name, test := range map[string]struct{ list, want []any }{
		"privileged":     {[]any{"CAP_SYS_ADMIN", "CAP_SYS_RESOURCE"}, []any{"CAP_SYS_ADMIN", "CAP_SYS_RESOURCE", "CAP_BPF"}},
		"has it already": {[]any{"CAP_BPF", "CAP_SYS_ADMIN"}, []any{"CAP_BPF", "CAP_SYS_ADMIN"}},
		"ordinary":       {[]any{"CAP_NET_ADMIN"}, []any{"CAP_NET_ADMIN"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, have.fit(test.list)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// compact sorts a JSON text's keys and leaves its numbers as they are written.
func compact(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := edit(path, func(object) {}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil || !json.Valid(data) {
		t.Fatalf("%v: %s", err, data)
	}
	return string(data)
}

func TestFitNamesTheFileThatItCannotRead(t *testing.T) {
	if err := fit([]string{"runc", "create", "--bundle", "/nowhere", "id"}, 0); err == nil {
		t.Error("no error for a bundle that is not there")
	}
}
