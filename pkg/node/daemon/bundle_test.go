package daemon

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/daemon/settings"
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
	files := untar(t, &text)
	for name, content := range files {
		if strings.Contains(content, "planted") {
			t.Errorf("%s: %s", name, content)
		}
	}
	for name, part := range map[string]string{
		"bundle/log.jsonl": "signed with ***", "bundle/metrics.txt.missing": "cannot gather ***", "bundle/config/eni_conf": `"max_pool_size": 5`,
		"bundle/pods.json.missing": "there is no AccessKey; grant one", "bundle/status.json": `"waiting": "there is no AccessKey; grant one"`, "bundle/kernel.txt.missing": "does not serve yet",
	} {
		if !strings.Contains(files[name], part) {
			t.Errorf("%s: %q, want %q in it", name, files[name], part)
		}
	}
}

func untar(t *testing.T, text io.Reader) map[string]string {
	t.Helper()
	zipped, err := gzip.NewReader(text)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for archive := tar.NewReader(zipped); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(content)
	}
}
