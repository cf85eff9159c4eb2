package nodeimage

import (
	"context"
	"debug/elf"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/onectl/onectl/e2e/lab/apt"
	"github.com/onectl/onectl/e2e/lab/cache"
	"github.com/onectl/onectl/e2e/lab/command"
	"github.com/onectl/onectl/e2e/lab/image"
)

// suite is the Debian release that nodes run.
const suite = "bookworm"

// packages are what kind's base image installs, with runc from Debian (one built without cgo knows no seccomp) and
// without storage clients and fuse-overlayfs.
func packages() []string {
	return []string{
		"systemd", "systemd-sysv", "dbus", "conntrack", "iptables", "nftables", "ebtables", "iproute2", "ethtool", "socat",
		"util-linux", "mount", "kmod", "libseccomp2", "pigz", "e2fsprogs", "ca-certificates", "curl", "jq", "procps",
		"rsync", "hostname", "runc", "tcpdump", "iputils-ping",
	}
}

// debian is a folder with a Debian system, as root left it.
func debian(ctx context.Context, progress cache.Progress) (string, error) {
	key := cache.NewKey(append([]string{"1", suite, runtime.GOARCH}, packages()...)...)
	return cache.Ensure(ctx, "debian", key.String(), func(ctx context.Context, dir string) error {
		if err := apt.Ensure(ctx, progress, apt.Tool{Program: "debootstrap", Package: "debootstrap"}); err != nil {
			return err
		}
		mirror, err := apt.Mirror()
		if err != nil {
			return err
		}
		progress.Step("Unpacking Debian %s (about 1 min, once)", suite)
		args := []string{"debootstrap", "--variant=minbase", "--include=" + strings.Join(packages(), ","), suite, dir, mirror}
		_, err = command.Command{Args: args, Private: true, Env: []string{"DEBIAN_FRONTEND=noninteractive"}}.Output(ctx)
		return err
	})
}

// withLibraries is a program of the Debian system at root with every library it needs and the loader that starts it.
func withLibraries(root, program string) ([]image.File, error) {
	triplets, err := filepath.Glob(filepath.Join(root, "usr", "lib", "*-linux-gnu*"))
	if err != nil || len(triplets) == 0 {
		return nil, fmt.Errorf("no library folder in %s (%v)", root, err)
	}
	libraries := "/usr/lib/" + filepath.Base(triplets[0])
	files := []image.File{{Path: program, Source: filepath.Join(root, program)}}
	seen := map[string]bool{}
	for next := 0; next < len(files); next++ {
		needed, interpreter, err := needs(files[next].Source)
		if err != nil {
			return nil, err
		}
		for _, name := range needed {
			if !seen[name] {
				seen[name] = true
				files = append(files, image.File{Path: filepath.Join(libraries, name), Source: filepath.Join(triplets[0], name)})
			}
		}
		if interpreter != "" {
			loader := filepath.Join(triplets[0], filepath.Base(interpreter))
			files = append(files, image.File{Path: interpreter, Source: loader})
		}
	}
	return files, nil
}

// needs reads what an ELF file asks the loader for, and the loader's own path if it names one.
func needs(path string) (libraries []string, interpreter string, err error) {
	file, err := elf.Open(path)
	if err != nil {
		return nil, "", fmt.Errorf("read %s: %w", path, err)
	}
	defer file.Close()
	if libraries, err = file.ImportedLibraries(); err != nil {
		return nil, "", fmt.Errorf("read %s: %w", path, err)
	}
	if section := file.Section(".interp"); section != nil {
		data, err := section.Data()
		if err != nil {
			return nil, "", fmt.Errorf("read %s: %w", path, err)
		}
		interpreter = strings.TrimRight(string(data), "\x00")
	}
	return libraries, interpreter, nil
}
