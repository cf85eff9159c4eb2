package daemon

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/conf"
)

// Bundled is what a support bundle has besides what the commands show.
type Bundled struct {
	Log     func() []string        // the last lines
	Secrets func() []cloud.Secret  // what must not be in a bundle, wherever it came from
	Metrics func() ([]byte, error) // as text
	Folder  string                 // in the archive
}

// Bundle writes a tar.gz of everything that helps somebody else to understand this node. A part that cannot be had is a file
// with the reason; secrets are "***" everywhere.
func (i *Inspection) Bundle(ctx context.Context, to io.Writer) error {
	zipped := gzip.NewWriter(to)
	archive := tar.NewWriter(zipped)
	scrub := scrubber(i.Bundled.Secrets())
	for _, part := range i.parts() {
		text, err := part.text(ctx)
		if err != nil {
			part.name, text = part.name+".missing", []byte(err.Error()+"\n")
		}
		if err := write(archive, i.Bundled.Folder+"/"+part.name, []byte(scrub.Replace(string(text)))); err != nil {
			return fmt.Errorf("write %s: %w", part.name, err)
		}
	}
	return errors.Join(archive.Close(), zipped.Close())
}

func write(archive *tar.Writer, name string, text []byte) error {
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(text)), ModTime: time.Now(), Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err := archive.Write(text)
	return err
}

// part is one file of a bundle.
type part struct {
	name string
	text func(ctx context.Context) ([]byte, error)
}

func (i *Inspection) parts() []part {
	parts := []part{
		{"version.txt", func(context.Context) ([]byte, error) { return []byte(i.Version + "\n"), nil }},
		shown("status", i.Status), shown("pods", i.Pods), shown("enis", i.ENIs), shown("pool", i.Pool),
		{"gc.json", func(ctx context.Context) ([]byte, error) { return encoded(i.GC(ctx, true)) }},
		{"history.jsonl", i.wholeHistory},
		{"kernel.txt", i.kernel},
		{"metrics.txt", func(context.Context) ([]byte, error) { return i.Bundled.Metrics() }},
		{"log.jsonl", func(context.Context) ([]byte, error) { return []byte(strings.Join(i.Bundled.Log(), "")), nil }},
	}
	texts := i.Config().Texts
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		parts = append(parts, part{"config/" + name, func(context.Context) ([]byte, error) { return conf.Redact([]byte(texts[name])), nil }})
	}
	return parts
}

// shown is what a command shows, as JSON, which holds more than its table.
func shown[T any](name string, ask func(context.Context) (T, error)) part {
	return part{name + ".json", func(ctx context.Context) ([]byte, error) { return encoded(ask(ctx)) }}
}

func encoded(value any, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(value, "", "  ")
	return append(text, '\n'), err
}

func (i *Inspection) kernel(ctx context.Context) ([]byte, error) {
	d, err := i.running()
	if err != nil {
		return nil, err
	}
	if d.opts.Viewer == nil {
		return nil, errors.New("the kernel is not looked at")
	}
	lines, err := d.opts.Viewer.Listing(ctx)
	return []byte(strings.Join(lines, "\n") + "\n"), err
}

func (i *Inspection) wholeHistory(ctx context.Context) ([]byte, error) {
	d, err := i.running()
	if err != nil {
		return nil, err
	}
	if d.opts.History == nil {
		return nil, errors.New("this daemon keeps no history")
	}
	var text bytes.Buffer
	err = d.opts.History.Copy(ctx, &text)
	return text.Bytes(), err
}

// scrubber replaces secrets by "***". The configuration is redacted by its keys; this is for a secret that got somewhere else.
func scrubber(secrets []cloud.Secret) *strings.Replacer {
	var pairs []string
	for _, s := range secrets {
		if !s.IsZero() {
			pairs = append(pairs, s.Reveal(), "***")
		}
	}
	return strings.NewReplacer(pairs...)
}
