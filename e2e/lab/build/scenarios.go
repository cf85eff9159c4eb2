package build

import (
	"context"
	"os"
	"path/filepath"

	"github.com/onectl/onectl/e2e/lab/cache"
)

// Scenarios names the files and folders of this package that only some labs need: the node image is made without them,
// so it need not be made anew when they change.
func Scenarios() []string { return []string{"scenarios.go", "flannel", "gobgp"} }

// Flannel is a folder with "flanneld".
func Flannel(ctx context.Context, progress cache.Progress) (string, error) {
	version, err := FlannelVersion()
	if err != nil {
		return "", err
	}
	const pkg = "github.com/flannel-io/flannel"
	p := parts{
		folder: "flannel", packages: []string{pkg}, about: version + ", about 2 min",
		// As its Makefile does: one of its backends is C where the processor is amd64.
		cgo: true, flags: []string{"-tags=osusergo,netgo", "-ldflags=-s -w -X " + pkg + "/pkg/version.Version=" + version + ` -extldflags "-static"`},
	}
	return ensure(ctx, progress, p, func(dir string) error {
		return os.Rename(filepath.Join(dir, "flannel"), filepath.Join(dir, "flanneld"))
	})
}

// FlannelVersion is the version that Flannel builds, "v0.26.7".
func FlannelVersion() (string, error) { return Version("flannel", "github.com/flannel-io/flannel") }

// BGPSpeaker is a folder with "bgp-speaker": the nested module gobgp, a speaker made of GoBGP.
func BGPSpeaker(ctx context.Context, progress cache.Progress) (string, error) {
	p := parts{folder: "gobgp", packages: []string{"."}, about: "half a minute"}
	return ensure(ctx, progress, p, func(dir string) error {
		return os.Rename(filepath.Join(dir, "gobgp"), filepath.Join(dir, "bgp-speaker"))
	})
}
