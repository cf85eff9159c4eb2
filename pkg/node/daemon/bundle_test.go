package daemon

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/daemon/settings"
	"github.com/onectl/onectl/pkg/testkit"
)

// A secret that got where none belongs, and a daemon that cannot serve yet: the bundle has what there is, without the secret.
func TestBundleOfADaemonThatWaits(t *testing.T) {
	var health Health
	health.Waiting("there is no AccessKey; grant one")
	i := &Inspection{
		Node: "node-1", Version: "v1", Health: &health, Calls: &Calls{}, Restart: func() []string { return nil },
		Config: func() settings.State {
			return settings.State{Source: "x", Texts: map[string]string{"eni_conf": `{"access_secret":"planted","max_pool_size":5}`, "broken": `{"access_secret":"planted"`}}
		},
		Bundled: Bundled{
			Folder: "bundle", Log: func() []string { return []string{"{\"msg\":\"signed with planted\"}\n"} },
			Secrets: func() []cloud.Secret { return []cloud.Secret{cloud.NewSecret("planted"), {}} },
			Metrics: func() ([]byte, error) { return nil, errors.New("cannot gather planted") },
		},
	}
	var text bytes.Buffer
	if err := i.Bundle(t.Context(), &text); err != nil {
		t.Fatal(err)
	}
	files := testkit.Untar(t, &text)
	for name, content := range files {
		if strings.Contains(content, "planted") {
			t.Errorf("%s: %s", name, content)
		}
	}
	for name, part := range map[string]string{
		"log.jsonl": "signed with ***", "metrics.txt.missing": "cannot gather ***", "config/eni_conf": `"max_pool_size": 5`,
		"pods.json.missing": "there is no AccessKey; grant one", "status.json": `"waiting": "there is no AccessKey; grant one"`, "kernel.txt.missing": "does not serve yet",
	} {
		if !strings.Contains(files[name], part) {
			t.Errorf("%s: %q, want %q in it", name, files[name], part)
		}
	}
}
