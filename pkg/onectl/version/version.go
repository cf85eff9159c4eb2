// Package version says which build this is. The values are set at link time (go build -ldflags "-X …"), the rest is what
// the Go toolchain recorded.
package version

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// Set by the linker: -X github.com/onectl/onectl/pkg/onectl/version.version=v1.2.3+774dea0, and likewise the others.
var (
	version      = "v0.1.0+unknown" // v<semver>+<first seven of the commit>, ".dirty" appended when the tree was not clean
	gitCommit    = ""
	gitTreeState = "" // clean or dirty
	buildDate    = "" // RFC 3339, UTC
)

// Info is what `onectl version` prints; its JSON keys are the names of the printed fields.
type Info struct {
	Version      string `json:"onectl"`
	BuildDate    string `json:"BuildDate"`
	GitCommit    string `json:"GitCommit"`
	GitTreeState string `json:"GitTreeState"`
	GoVersion    string `json:"GoVersion"`
	Compiler     string `json:"Compiler"`
	Platform     string `json:"Platform"`
}

// Get returns the build's Info. Fields that neither the linker nor the toolchain filled read "unknown".
func Get() Info {
	info := Info{
		Version:      version,
		BuildDate:    buildDate,
		GitCommit:    gitCommit,
		GitTreeState: gitTreeState,
		GoVersion:    runtime.Version(),
		Compiler:     runtime.Compiler,
		Platform:     runtime.GOOS + "/" + runtime.GOARCH,
	}
	if build, ok := debug.ReadBuildInfo(); ok {
		info.fill(build.Settings)
	}
	for _, field := range []*string{&info.BuildDate, &info.GitCommit, &info.GitTreeState} {
		if *field == "" {
			*field = "unknown"
		}
	}
	return info
}

// fill takes what the linker did not set from the toolchain's record of the version control system.
func (i *Info) fill(settings []debug.BuildSetting) {
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision" && i.GitCommit == "":
			i.GitCommit = s.Value
		case s.Key == "vcs.time" && i.BuildDate == "":
			i.BuildDate = s.Value
		case s.Key == "vcs.modified" && i.GitTreeState == "":
			i.GitTreeState = map[string]string{"true": "dirty", "false": "clean"}[s.Value]
		}
	}
	if commit, known := strings.CutSuffix(i.Version, "+unknown"); known && len(i.GitCommit) >= 7 {
		i.Version = commit + "+" + i.GitCommit[:7]
		if i.GitTreeState == "dirty" {
			i.Version += ".dirty"
		}
	}
}

// String is the text of `onectl version`: the version, then one indented line a field.
func (i Info) String() string {
	return fmt.Sprintf("onectl: %s\n  BuildDate: %s\n  GitCommit: %s\n  GitTreeState: %s\n  GoVersion: %s\n  Compiler: %s\n  Platform: %s\n",
		i.Version, i.BuildDate, i.GitCommit, i.GitTreeState, i.GoVersion, i.Compiler, i.Platform)
}
