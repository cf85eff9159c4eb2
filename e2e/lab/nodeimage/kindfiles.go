package nodeimage

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/onectl/onectl/e2e/lab/build"
	"github.com/onectl/onectl/e2e/lab/command"
	"github.com/onectl/onectl/e2e/lab/image"
)

// module is a Go module as `go list -m -json` describes it.
type module struct{ version, dir string }

// kindModule finds the kind that our own module requires, in the module cache; it is downloaded when it is not there.
func kindModule(ctx context.Context) (module, error) {
	source, err := build.Source()
	if err != nil {
		return module{}, err
	}
	out, err := command.Command{Args: []string{"go", "mod", "download", "-json", "sigs.k8s.io/kind"}, Dir: source}.Output(ctx)
	if err != nil {
		return module{}, fmt.Errorf("find kind's files: %w", err)
	}
	var found struct{ Version, Dir string }
	if err := json.Unmarshal([]byte(out), &found); err != nil {
		return module{}, fmt.Errorf("find kind's files: %w", err)
	}
	return module{version: found.Version, dir: found.Dir}, nil
}

//go:embed config.toml
var containerdConfig []byte

// kindFiles is what kind's base image adds to Debian (images/base of its module): the files, and what its Dockerfile does
// to systemd's units.
func kindFiles(kindDir string) ([]image.File, error) {
	files, err := image.Tree(filepath.Join(kindDir, "images", "base", "files"), "/", nil)
	if err != nil {
		return nil, fmt.Errorf("read kind's files: %w", err)
	}
	for i, file := range files { // the module cache is read-only and has no owners or programs
		file.UID, file.GID = 0, 0
		file.Mode = file.Mode&fs.ModeDir | 0o644
		if strings.HasPrefix(file.Path, "/usr/local/bin/") || strings.HasPrefix(file.Path, "/kind/bin/") || file.Mode.IsDir() {
			file.Mode |= 0o755
		}
		files[i] = file
	}
	const units = "/etc/systemd/system/"
	return append(files,
		image.File{Path: units + "multi-user.target.wants/kubelet.service", Link: units + "kubelet.service"},
		image.File{Path: units + "multi-user.target.wants/containerd.service", Link: units + "containerd.service"},
		image.File{Path: units + "multi-user.target.wants/undo-mount-hacks.service", Link: units + "undo-mount-hacks.service"},
		image.File{Path: units + "systemd-binfmt.service", Link: "/dev/null"}, // would register with the machine's kernel
		image.File{Path: "/etc/systemd/journald.conf.d/kind.conf", Content: []byte("[Journal]\nReadKMsg=no\n")},
		image.File{Path: "/etc/kubernetes/manifests", Mode: fs.ModeDir | 0o755},
		// The engine may leave forwarding to us; a node forwards for its pods.
		image.File{Path: "/etc/sysctl.d/20-forward.conf", Content: []byte("net.ipv4.ip_forward=1\n")},
	), nil
}

// unwanted are Debian's files that a node has no use for, or that kind's Dockerfile removes: units that a container must
// not start, and what belongs to the machine that Debian was unpacked on.
func unwanted(path string) bool {
	patterns := []string{
		"/dev/*", "/proc/*", "/sys/*", "/run/*", "/tmp/*", "/var/log/*", "/var/cache/apt/*", "/var/lib/apt/lists/*",
		"/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*",
		"/etc/resolv.conf", "/etc/hostname", "/debootstrap",
		"/usr/lib/sysctl.d/*", "/etc/sysctl.d/*", "/etc/sysctl.conf", // a node's systemd would set the whole machine's limits
		"/usr/lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service",
		"/usr/lib/systemd/system/multi-user.target.wants/*", "/etc/systemd/system/*.wants/*",
		"/usr/lib/systemd/system/local-fs.target.wants/*", "/usr/lib/systemd/system/sockets.target.wants/*udev*",
		"/usr/lib/systemd/system/sockets.target.wants/*initctl*", "/usr/lib/systemd/system/basic.target.wants/*",
	}
	for _, pattern := range patterns {
		if match, _ := filepath.Match(pattern, path); match {
			return true
		}
	}
	return false
}

// baseSpec is what containerd starts every container from: its own default without limits, and kind's hook that gives
// each node a product UUID of its own. kind's Dockerfile makes it the same way.
func baseSpec(ctx context.Context, ctr string) ([]byte, error) {
	out, err := command.Run(ctx, ctr, "oci", "spec")
	if err != nil {
		return nil, err
	}
	var spec map[string]any
	if err := json.Unmarshal([]byte(out), &spec); err != nil {
		return nil, fmt.Errorf("read the default OCI specification: %w", err)
	}
	if process, ok := spec["process"].(map[string]any); ok {
		delete(process, "rlimits")
	}
	spec["hooks"] = map[string]any{"createContainer": []any{map[string]any{"path": "/kind/bin/mount-product-files.sh"}}}
	return json.Marshal(spec)
}
