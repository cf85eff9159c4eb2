package apt

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

func TestMirrorIsTheDebianArchiveOfTheMachinesSources(t *testing.T) {
	for name, test := range map[string]struct{ files, want string }{
		"deb822": {`
-- sources.list.d/debian.sources --
Types: deb
# a comment
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Types: deb
URIs: http://mirror.example/debian/
Suites: trixie trixie-updates
Components: main
`, "http://mirror.example/debian"},
		"one line": {`
-- sources.list --
# deb http://old.example/debian bookworm main
deb-src http://src.example/debian bookworm main
deb [arch=amd64 signed-by=/x] http://mirror.example/debian bookworm main contrib # here
`, "http://mirror.example/debian"},
		"third parties do not count": {`
-- sources.list.d/tool.list --
deb https://tools.example/apt stable-tools main
-- sources.list.d/other.list --
deb https://other.example/apt bookworm other
`, ""},
		"nothing": {``, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range txtar.Parse([]byte(test.files)).Files {
				path := filepath.Join(dir, file.Name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, file.Data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := mirrorIn(dir)
			if got != test.want || (err == nil) != (test.want != "") {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

func TestMirrorOfTheEnvironmentWins(t *testing.T) {
	t.Setenv(EnvMirror, "http://mine.example/debian")
	if got, err := Mirror(); err != nil || got != "http://mine.example/debian" {
		t.Errorf("got %q, %v", got, err)
	}
}
