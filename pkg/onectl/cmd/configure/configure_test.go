package configure

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/profile"
)

// person answers prompts in their order.
type person struct {
	answers []string
	asked   []string
}

func (p *person) next(label string) string {
	p.asked = append(p.asked, label)
	answer := p.answers[0]
	p.answers = p.answers[1:]
	return answer
}

func (p *person) Line(label, otherwise string) (string, error) {
	if answer := p.next(label + " [" + otherwise + "]"); answer != "" {
		return answer, nil
	}
	return otherwise, nil
}

func (p *person) Secret(label string) (string, error) { return p.next(label), nil }

type store struct{ config profile.Config }

func (s *store) Load() (profile.Config, error)    { return s.config, nil }
func (s *store) Save(config profile.Config) error { s.config = config; return nil }

func configure(t *testing.T, s *store, p cmdutil.Prompter) (string, error) {
	t.Helper()
	var out bytes.Buffer
	c := New(&cmdutil.Factory{IOStreams: genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &out}, Config: s, ConfigAt: "~/.onectl/config.json", Prompt: p}, nil)
	c.SetArgs(nil)
	c.SilenceErrors, c.SilenceUsage = true, true
	err := c.ExecuteContext(t.Context())
	return out.String(), err
}

func TestAskedAtATerminal(t *testing.T) {
	s, p := &store{}, &person{answers: []string{"LTAI-1", " hunter2 ", "", "c1", ""}}
	out, err := configure(t, s, p)
	if err != nil {
		t.Fatal(err)
	}
	want := profile.Config{AccessKeyID: "LTAI-1", AccessKeySecret: cloud.NewSecret("hunter2"), Region: "cn-hangzhou", ClusterID: "c1", KubeconfigPath: "~/.kube/config"}
	encoded := func(c profile.Config) string {
		text, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if diff := cmp.Diff(encoded(want), encoded(s.config)); diff != "" {
		t.Error(diff)
	}
	if strings.Contains(out, "hunter2") {
		t.Errorf("the secret is in the output: %s", out)
	}
}

func TestEmptyAnswersKeepWhatIsSaved(t *testing.T) {
	saved := profile.Config{AccessKeyID: "LTAI-1", AccessKeySecret: cloud.NewSecret("hunter2"), Region: "cn-beijing", ClusterID: "c1", KubeconfigPath: "/kc"}
	s, p := &store{config: saved}, &person{answers: []string{"", "", "", "", ""}}
	if _, err := configure(t, s, p); err != nil {
		t.Fatal(err)
	}
	if s.config.AccessKeySecret.Reveal() != "hunter2" || s.config.Region != "cn-beijing" || s.config.KubeconfigPath != "/kc" {
		t.Errorf("got %+v", s.config)
	}
	if strings.Contains(strings.Join(p.asked, "\n"), "hunter2") {
		t.Error("the saved secret is offered in a prompt")
	}
}

func TestANewIDWithoutItsSecretIsRefused(t *testing.T) {
	s := &store{config: profile.Config{AccessKeyID: "LTAI-1", AccessKeySecret: cloud.NewSecret("hunter2")}}
	_, err := configure(t, s, &person{answers: []string{"LTAI-2", "", "", "", ""}})
	if err == nil || !strings.Contains(err.Error(), "needs its secret") {
		t.Errorf("got %v", err)
	}
	if s.config.AccessKeyID != "LTAI-1" {
		t.Error("it was saved")
	}
}
