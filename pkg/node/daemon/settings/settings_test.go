package settings

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onectl/onectl/pkg/node/cause"
)

// source is a daemon's surroundings: the mounted ConfigMap, the API server and the state folder.
type source struct {
	t        *testing.T
	dir      string
	override Override
	down     error // the API server's
	events   []string
}

func newSource(t *testing.T, eni string) *source {
	s := &source{t: t, dir: t.TempDir()}
	s.write("eni_conf", eni)
	s.write("10-terway.conf", `{"type":"terway"}`)
	return s
}

func (s *source) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *source) reader() *Reader {
	return New(Sources{
		Dir: s.dir, Good: filepath.Join(s.dir, "good.json"), Logger: slog.New(slog.DiscardHandler),
		Override: func(context.Context) (Override, error) { return s.override, s.down },
		Event:    func(why cause.Code, message string) { s.events = append(s.events, string(why)+": "+message) },
	})
}

func (s *source) started() (*Reader, Settings) {
	s.t.Helper()
	r := s.reader()
	found, err := r.Start(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return r, found
}

func TestANodesConfigMapIsMergedOverTheClusters(t *testing.T) {
	s := newSource(t, `{"max_pool_size": 5, "min_pool_size": 1, "eni_tags": {"a": "1", "b": "2"}}`)
	s.override = Override{Name: "small", ENIConf: `{"max_pool_size": 2, "min_pool_size": null, "eni_tags": {"b": "3"}}`}
	_, found := s.started()
	if found.ENI.MaxPoolSize != 2 || found.ENI.MinPoolSize != 0 || found.ENI.ENITags["a"] != "1" || found.ENI.ENITags["b"] != "3" {
		t.Errorf("merged: %+v", found.ENI)
	}
}

func TestAChangeIsTakenUpAndNothingElseIs(t *testing.T) {
	s := newSource(t, `{"max_pool_size": 5}`)
	r, _ := s.started()
	if _, changed := r.Look(t.Context(), true); changed {
		t.Error("a change without one")
	}
	s.write("eni_conf", `{"max_pool_size": 7}`)
	if found, changed := r.Look(t.Context(), false); !changed || found.ENI.MaxPoolSize != 7 {
		t.Errorf("changed %t, %+v", changed, found.ENI)
	}
	s.override = Override{Name: "small", ENIConf: `{"max_pool_size": 3}`}
	if _, changed := r.Look(t.Context(), false); changed {
		t.Error("the Node was read though nobody asked")
	}
	if found, changed := r.Look(t.Context(), true); !changed || found.ENI.MaxPoolSize != 3 {
		t.Errorf("changed %t, %+v", changed, found.ENI)
	}
}

func TestABadChangeKeepsTheLastGoodConfigurationAndSaysSoOnce(t *testing.T) {
	for name, spoil := range map[string]func(s *source){
		"no JSON":              func(s *source) { s.write("eni_conf", `{`) },
		"bad value":            func(s *source) { s.write("eni_conf", `{"max_pool_size": "many"}`) },
		"bad plugin":           func(s *source) { s.write("10-terway.conf", `{"mtu": 1}`) },
		"file gone":            func(s *source) { os.Remove(filepath.Join(s.dir, "eni_conf")) },
		"bad override":         func(s *source) { s.override = Override{Name: "small", ENIConf: `{"ip_stack": "ipv7"}`} },
		"override is no JSON":  func(s *source) { s.override = Override{Name: "small", ENIConf: `max_pool_size: 3`} },
		"override not there":   func(s *source) { s.override = Override{Name: "small", Problem: "there is no such ConfigMap"} },
		"override placeholder": func(s *source) { s.override = Override{Name: "small", ENIConf: `{"region_id": "{{.Region}}"}`} },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSource(t, `{"max_pool_size": 9}`)
			r, _ := s.started()
			spoil(s)
			for range 3 {
				if _, changed := r.Look(t.Context(), true); changed {
					t.Error("taken up")
				}
			}
			if len(s.events) != 1 || !strings.HasPrefix(s.events[0], string(Refused)) || !strings.Contains(s.events[0], "the last configuration") {
				t.Errorf("events: %q", s.events)
			}
			if _, found := s.started(); found.ENI.MaxPoolSize != 9 {
				t.Errorf("a restart works by %+v", found.ENI)
			}
			s.write("eni_conf", `{"max_pool_size": 4}`)
			s.write("10-terway.conf", `{}`)
			s.override = Override{}
			if found, changed := r.Look(t.Context(), true); !changed || found.ENI.MaxPoolSize != 4 {
				t.Errorf("after it was corrected: %t, %+v", changed, found.ENI)
			}
		})
	}
}

func TestWithoutAGoodConfigurationABadOneEndsTheStart(t *testing.T) {
	s := newSource(t, `{"max_pool_size": "many"}`)
	_, err := s.reader().Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "eni_conf.max_pool_size") || !strings.Contains(err.Error(), "kubectl -n kube-system edit configmap eni-config") {
		t.Errorf("got %v", err)
	}
}

func TestABadOverrideAtTheFirstStartLeavesTheClustersConfiguration(t *testing.T) {
	s := newSource(t, `{"max_pool_size": 9}`)
	s.override = Override{Name: "small", ENIConf: `{"max_pool_size": -1}`}
	_, found := s.started()
	if found.ENI.MaxPoolSize != 9 || len(s.events) != 1 || !strings.Contains(s.events[0], "edit configmap small") {
		t.Errorf("%+v, events %q", found.ENI, s.events)
	}
}

func TestWithoutAnAPIServerTheNodesConfigurationStaysAsItWas(t *testing.T) {
	s := newSource(t, `{"max_pool_size": 9}`)
	s.override = Override{Name: "small", ENIConf: `{"max_pool_size": 2}`}
	s.started()
	s.down = errors.New("connection refused")
	r, found := s.started()
	if found.ENI.MaxPoolSize != 2 {
		t.Errorf("after a restart without an API server: %+v", found.ENI)
	}
	s.write("eni_conf", `{"max_pool_size": 9, "min_pool_size": 1}`)
	if found, changed := r.Look(t.Context(), true); !changed || found.ENI.MaxPoolSize != 2 || found.ENI.MinPoolSize != 1 {
		t.Errorf("changed %t, %+v", changed, found.ENI)
	}
	if len(s.events) > 0 {
		t.Errorf("events: %q", s.events)
	}
}

func TestTheAccessKeyIsNotWrittenToTheNode(t *testing.T) {
	s := newSource(t, `{"access_key": "LTAIBASE", "access_secret": "s3cret1"}`)
	s.override = Override{Name: "small", ENIConf: `{"access_key": "LTAIOVER", "access_secret": "s3cret2"}`}
	s.started()
	text, err := os.ReadFile(filepath.Join(s.dir, "good.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"LTAIBASE", "LTAIOVER", "s3cret1", "s3cret2"} {
		if strings.Contains(string(text), secret) {
			t.Errorf("%s is in %s", secret, text)
		}
	}
}
