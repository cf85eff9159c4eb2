// Package settings gives the node daemon its configuration: ConfigMap kube-system/eni-config as it is mounted, changed by
// the ConfigMap that the Node's label terway-config names. It looks again and again; a change that cannot be used keeps
// the last good configuration, over restarts too, and is told in an Event.
package settings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/conf"
)

// Label of a Node is the name of a ConfigMap in kube-system whose eni_conf is merged over that of eni-config.
const Label = "terway-config"

// Causes of the Event about a configuration that cannot be used, and of that about values that wait for a restart.
const (
	Refused      = cause.ConfigurationRefused
	NeedsRestart = cause.ConfigurationNeedsRestart
)

// Settings is a configuration that can be used.
type Settings struct {
	ENI     conf.ENIConf
	CNI     conf.CNIConf
	CNIText []byte // 10-terway.conf as it is, for the plugin
}

// Override is what a Node has besides the cluster's configuration. The zero Override is nothing.
type Override struct {
	Name    string // of the ConfigMap
	ENIConf string // its key eni_conf, a JSON merge patch
	Problem string // why it cannot be used; "" when it can
}

// Sources are where the configuration comes from.
type Sources struct {
	Dir      string                                      // where eni-config is mounted
	Override func(ctx context.Context) (Override, error) // fails when the API server does not answer; nil: there is none
	Good     string                                      // path of the file that keeps the last good configuration
	Event    func(why cause.Code, message string)        // shown at the Node
	Logger   *slog.Logger
}

// Reader reads the configuration. Its methods are called from one goroutine, but for State.
type Reader struct {
	sources   Sources
	state     atomic.Pointer[State]
	unread    bool     // the last reading failed
	texts     texts    // as last read
	override  Override // as last read, or as the file has it
	complaint string   // what was told last; "" when all is well
}

// texts is all that a configuration is made of.
type texts struct {
	eni, cni string
	override Override
}

// New makes a reader. It reads nothing yet.
func New(sources Sources) *Reader { return &Reader{sources: sources} }

// Start reads the configuration that the daemon starts with: the present one; when that cannot be used, the last good one;
// when there is none, the cluster's without the Node's. Its error says what is wrong, in which key, and what to do.
func (r *Reader) Start(ctx context.Context) (Settings, error) {
	kept, saved := r.load()
	r.override = kept.Override
	err := r.read(ctx, true)
	if err == nil {
		var found Settings
		if found, err = r.judge(r.texts); err == nil {
			return found, nil
		}
	}
	if saved {
		if found, errKept := kept.settings(); errKept == nil {
			r.refuse(err, "the last configuration that could be used")
			return found, nil
		}
	}
	if r.texts.override == (Override{}) {
		return Settings{}, err
	}
	found, _, errBase := parse([]byte(r.texts.eni), []byte(r.texts.cni))
	if errBase != nil {
		return Settings{}, err
	}
	r.refuse(err, clusterConfig+" alone")
	return found, nil
}

// Look reads again; changed is false when nothing changed, or the change cannot be used. The Node's override is asked for
// only when askNode is set.
func (r *Reader) Look(ctx context.Context, askNode bool) (found Settings, changed bool) {
	before := r.texts
	again := r.unread
	err := r.read(ctx, askNode)
	if r.unread = err != nil; err == nil && r.texts == before && !again {
		return Settings{}, false
	}
	if err == nil {
		found, err = r.judge(r.texts)
	}
	if err != nil {
		r.refuse(err, "the last configuration that could be used")
		return Settings{}, false
	}
	return found, true
}

// read reads all texts. What the API server does not tell is as it was.
func (r *Reader) read(ctx context.Context, askNode bool) error {
	var files [2]string
	for i, name := range []string{"eni_conf", "10-terway.conf"} {
		text, err := os.ReadFile(filepath.Join(r.sources.Dir, name))
		if err != nil {
			return fmt.Errorf("%w; ConfigMap kube-system/eni-config must have the keys eni_conf and 10-terway.conf and be mounted there: onectl addon install terway-eniip", err)
		}
		files[i] = string(text)
	}
	if askNode && r.sources.Override != nil {
		now, err := r.sources.Override(ctx)
		if err != nil {
			r.sources.Logger.Warn("the Node's label is not read; its configuration stays as it was", "cause", cause.APIServerUnavailable, "label", Label, "err", err)
		} else {
			r.override = now
		}
	}
	r.texts = texts{eni: files[0], cni: files[1], override: r.override}
	return nil
}

// judge merges and parses, says what has no effect, and keeps what can be used.
func (r *Reader) judge(t texts) (Settings, error) {
	eni, err := t.merged()
	if err != nil {
		return Settings{}, advise(err, t.override)
	}
	found, warnings, err := parse(eni, []byte(t.cni))
	if err != nil {
		return Settings{}, advise(err, t.override)
	}
	for _, w := range warnings {
		r.sources.Logger.Warn("configuration", "cause", cause.ConfigurationIgnored, "key", w.Path, "effect", w.Text)
	}
	r.complaint = ""
	r.state.Store(&State{Source: t.source(), Texts: t.named()})
	if err := r.save(good{ENIConf: eni, CNIConf: t.cni, Override: t.override}); err != nil {
		r.sources.Logger.Warn("a restart would not know this configuration", "err", err)
	}
	return found, nil
}

func (t texts) merged() ([]byte, error) {
	if t.override == (Override{}) {
		return []byte(t.eni), nil
	}
	name := "ConfigMap kube-system/" + t.override.Name
	if t.override.Problem != "" {
		return nil, fmt.Errorf("%s, which the Node's label %s names: %s", name, Label, t.override.Problem)
	}
	return conf.Merge(name+" eni_conf", []byte(t.eni), []byte(t.override.ENIConf))
}

func parse(eni, cni []byte) (s Settings, warnings []conf.Warning, err error) {
	eniConf, of, errENI := conf.ParseENI(eni)
	cniConf, more, errCNI := conf.ParseCNI(cni)
	return Settings{ENI: eniConf, CNI: cniConf, CNIText: cni}, append(of, more...), errors.Join(errENI, errCNI)
}

func advise(err error, o Override) error {
	const edit = "kubectl -n kube-system edit configmap "
	if o != (Override{}) {
		return fmt.Errorf("%w\ncorrect ConfigMap kube-system/%s, which is merged over eni-config: %s%s", err, o.Name, edit, o.Name)
	}
	return fmt.Errorf("%w\ncorrect ConfigMap kube-system/eni-config: %seni-config", err, edit)
}

// refuse tells of a configuration that cannot be used, once.
func (r *Reader) refuse(err error, instead string) {
	if err.Error() == r.complaint {
		return
	}
	r.complaint = err.Error()
	r.state.Store(&State{Source: instead, Refused: err.Error(), Since: time.Now(), Texts: r.texts.named()})
	r.sources.Logger.Error("the configuration cannot be used", "cause", Refused, "instead", instead, "err", err)
	r.sources.Event(Refused, err.Error()+"\nuntil then the node works by "+instead)
}
