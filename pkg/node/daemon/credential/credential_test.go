package credential

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onectl/onectl/pkg/cloud"
)

// files is a Source's folder, with writers.
type files struct {
	t *testing.T
	Source
}

func newFiles(t *testing.T) files {
	dir := t.TempDir()
	f := files{t, Source{SecretDir: dir, ENIConf: filepath.Join(dir, "eni_conf")}}
	f.write("eni_conf", `{"access_key":"","access_secret":""}`)
	return f
}

func (f files) write(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.SecretDir, name), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func TestSecretGoesBeforeENIConf(t *testing.T) {
	f := newFiles(t)
	expect := func(wantID, wantErr string) {
		t.Helper()
		key, err := f.Key()
		if wantErr == "" && err == nil && key.ID == wantID && key.Secret.Reveal() == "secret of "+wantID {
			return
		}
		if wantErr == "" || err == nil || !strings.Contains(err.Error(), wantErr) {
			t.Errorf("key %q, %v; want %q, %q", key.ID, err, wantID, wantErr)
		}
	}
	expect("", "onectl ram-user grant --addon terway-eniip")
	f.write("eni_conf", `{"access_key":"conf","access_secret":"secret of conf"}`)
	expect("conf", "")
	f.write(idFile, "mounted\n")
	expect("", "incomplete")
	f.write(secretFile, "secret of mounted\n")
	expect("mounted", "")
	f.write("eni_conf", `{`)
	expect("mounted", "")
}

// fakeAPI accepts one key.
type fakeAPI struct {
	API
	key, accepts string
	calls        *[]string
}

func (a fakeAPI) DeleteENI(context.Context, string) error {
	*a.calls = append(*a.calls, a.key)
	if a.key != a.accepts {
		return &cloud.Error{Kind: cloud.BadKey}
	}
	return nil
}

func TestCloudUsesTheKeyOfTheMoment(t *testing.T) {
	var log bytes.Buffer
	var calls []string
	key, missing := cloud.AccessKey{}, error(&cloud.Error{Message: "no key; grant one"})
	source := func() (cloud.AccessKey, error) { return key, missing }
	connected := 0
	connect := func(k cloud.AccessKey) (API, error) {
		connected++
		return fakeAPI{key: k.ID, accepts: "good", calls: &calls}, nil
	}
	c := NewCloud(source, connect, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))

	err := c.DeleteENI(t.Context(), "eni-1")
	if cloud.KindOf(err) != cloud.BadKey || !strings.Contains(err.Error(), "grant one") {
		t.Errorf("without a key: %v", err)
	}
	key, missing = cloud.AccessKey{ID: "bad", Secret: cloud.NewSecret("hush")}, nil
	if err := c.DeleteENI(t.Context(), "eni-1"); cloud.KindOf(err) != cloud.BadKey {
		t.Errorf("with a bad key: %v", err)
	}
	key = cloud.AccessKey{ID: "good", Secret: cloud.NewSecret("hush")}
	for range 2 {
		if err := c.DeleteENI(t.Context(), "eni-1"); err != nil {
			t.Errorf("with the good key: %v", err)
		}
	}
	if connected != 2 || strings.Join(calls, " ") != "bad good good" {
		t.Errorf("connected %d times, calls with %v", connected, calls)
	}
	for _, secret := range []string{"hush", "good", "bad"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %q: %s", secret, &log)
		}
	}
}

func TestRefusedKeyThatWasReplacedMeanwhileIsTriedAgainAtOnce(t *testing.T) {
	var calls []string
	key := cloud.AccessKey{ID: "old", Secret: cloud.NewSecret("s")}
	reads := 0
	source := func() (cloud.AccessKey, error) {
		if reads++; reads > 1 {
			key.ID = "good"
		}
		return key, nil
	}
	connect := func(k cloud.AccessKey) (API, error) { return fakeAPI{key: k.ID, accepts: "good", calls: &calls}, nil }
	c := NewCloud(source, connect, slog.New(slog.DiscardHandler))
	if err := c.DeleteENI(t.Context(), "eni-1"); err != nil || strings.Join(calls, " ") != "old good" {
		t.Errorf("%v, calls with %v", err, calls)
	}
}
