package build

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/onectl/onectl/e2e/lab/cache"
)

// KubernetesPrograms are the names under which Kubernetes' multi-call binary "kubernetes" can be called.
func KubernetesPrograms() []string {
	return []string{"kubeadm", "kubectl", "kubelet", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler"}
}

// Kubernetes is a folder with the binary "kubernetes" and a symbolic link to it for each of KubernetesPrograms.
func Kubernetes(ctx context.Context, progress cache.Progress) (string, error) {
	version, err := KubernetesVersion()
	if err != nil {
		return "", err
	}
	p := parts{folder: "kubernetes", flags: []string{versionFlags(version)}, packages: []string{"."}, about: version + ", about 5 min"}
	return ensure(ctx, progress, p, func(dir string) error {
		for _, name := range KubernetesPrograms() {
			if err := os.Symlink("kubernetes", filepath.Join(dir, name)); err != nil {
				return err
			}
		}
		return nil
	})
}

// KubernetesVersion is the version that Kubernetes builds, "v1.36.3".
func KubernetesVersion() (string, error) { return Version("kubernetes", "k8s.io/kubernetes") }

// versionFlags makes every program report the version, where Kubernetes' own build scripts put it.
func versionFlags(version string) string {
	numbers := strings.Split(strings.TrimPrefix(version, "v"), ".")
	flags := []string{"-s", "-w"}
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		flags = append(flags,
			"-X", pkg+".gitVersion="+version,
			"-X", pkg+".gitMajor="+numbers[0],
			"-X", pkg+".gitMinor="+numbers[1],
			"-X", pkg+".gitTreeState=clean")
	}
	return "-ldflags=" + strings.Join(flags, " ")
}

// Containerd is a folder with containerd, containerd-shim-runc-v2 and ctr.
func Containerd(ctx context.Context, progress cache.Progress) (string, error) {
	const commands = "github.com/containerd/containerd/v2/cmd/"
	version, err := Version("containerd", "github.com/containerd/containerd/v2")
	if err != nil {
		return "", err
	}
	flags := []string{
		"-tags=no_btrfs,no_zfs,no_devmapper",
		"-ldflags=-s -w -X github.com/containerd/containerd/v2/version.Version=" + version,
	}
	packages := []string{commands + "containerd", commands + "containerd-shim-runc-v2", commands + "ctr"}
	return ensure(ctx, progress, parts{folder: "containerd", flags: flags, packages: packages, about: version + ", about 1 min"}, nothing)
}

// CNIPlugins is a folder with the plugins bandwidth, bridge, host-local, loopback, portmap and ptp, and with cnitool,
// which calls a plugin as a container runtime does.
func CNIPlugins(ctx context.Context, progress cache.Progress) (string, error) {
	return ensure(ctx, progress, parts{folder: "cniplugins", packages: []string{"tool"}, about: "half a minute"}, nothing)
}

// Etcd is a folder with the server "etcd".
func Etcd(ctx context.Context, progress cache.Progress) (string, error) {
	p := parts{folder: "etcd", packages: []string{"go.etcd.io/etcd/server/v3"}, about: "about 1 min"}
	return ensure(ctx, progress, p, func(dir string) error {
		return os.Rename(filepath.Join(dir, "server"), filepath.Join(dir, "etcd"))
	})
}

// CoreDNS is a folder with "coredns".
func CoreDNS(ctx context.Context, progress cache.Progress) (string, error) {
	return ensure(ctx, progress, parts{folder: "coredns", packages: []string{"github.com/coredns/coredns"}, about: "about 2 min"}, nothing)
}

func nothing(string) error { return nil }
