package apt

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// EnvMirror names the environment variable that overrides what Mirror finds.
const EnvMirror = "HYBRIDLAB_DEBIAN_MIRROR"

// Mirror is the address of the Debian archive that this machine's apt uses. A mirror carries every release, so the
// machine's own need not be the one wanted.
func Mirror() (string, error) {
	if mirror := os.Getenv(EnvMirror); mirror != "" {
		return mirror, nil
	}
	return mirrorIn("/etc/apt")
}

// mirrorIn looks through the sources of apt's folder. Only an entry whose suite is a plain Debian release counts:
// security and third-party archives have no base system.
func mirrorIn(dir string) (string, error) {
	lists, _ := filepath.Glob(filepath.Join(dir, "sources.list.d", "*.list"))
	deb822, _ := filepath.Glob(filepath.Join(dir, "sources.list.d", "*.sources"))
	for _, path := range append([]string{filepath.Join(dir, "sources.list")}, append(lists, deb822...)...) {
		file, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		parse := oneLine
		if strings.HasSuffix(path, ".sources") {
			parse = stanzas
		}
		found := pick(parse(file))
		_ = file.Close()
		if found != "" {
			return found, nil
		}
	}
	return "", fmt.Errorf("no Debian archive in %s: set %s to a mirror's address", dir, EnvMirror)
}

type source struct {
	uris, suites, components []string
}

func pick(sources []source) string {
	releases := []string{"bookworm", "trixie", "forky", "bullseye", "sid", "stable", "testing", "unstable", "oldstable"}
	for _, s := range sources {
		debian := slices.ContainsFunc(s.suites, func(suite string) bool { return slices.Contains(releases, suite) })
		if debian && slices.Contains(s.components, "main") && len(s.uris) > 0 {
			return strings.TrimSuffix(s.uris[0], "/")
		}
	}
	return ""
}

// oneLine parses the classic form, "deb [options] URI suite component...", see sources.list(5).
func oneLine(r io.Reader) []source {
	var sources []source
	for lines := bufio.NewScanner(r); lines.Scan(); {
		line, _, _ := strings.Cut(lines.Text(), "#")
		line, isDeb := strings.CutPrefix(strings.TrimSpace(line), "deb ")
		if !isDeb {
			continue
		}
		if _, after, has := strings.Cut(line, "]"); has {
			line = after
		}
		if fields := strings.Fields(line); len(fields) > 2 {
			sources = append(sources, source{fields[:1], fields[1:2], fields[2:]})
		}
	}
	return sources
}

// stanzas parses the deb822 form: fields, a blank line between sources.
func stanzas(r io.Reader) []source {
	var sources []source
	var at source
	for lines := bufio.NewScanner(r); lines.Scan(); {
		if strings.TrimSpace(lines.Text()) == "" {
			sources, at = append(sources, at), source{}
			continue
		}
		field, value, _ := strings.Cut(lines.Text(), ":")
		switch strings.ToLower(field) {
		case "uris":
			at.uris = strings.Fields(value)
		case "suites":
			at.suites = strings.Fields(value)
		case "components":
			at.components = strings.Fields(value)
		}
	}
	return append(sources, at)
}
