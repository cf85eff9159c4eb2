package nodeimage

import (
	"bytes"
	"context"
	"os"
	"path"
	"path/filepath"

	"github.com/onectl/onectl/e2e/lab/build"
	"github.com/onectl/onectl/e2e/lab/cache"
	"github.com/onectl/onectl/e2e/lab/image"
)

// programs are folders with everything that the node image is made of.
type programs struct {
	debian, kubernetes, containerd, cni, etcd, coredns string

	// own is made for one recipe of the node image: the programs pause and runc-lab, containerd's filled folder
	// "containerd", and its files config.toml and cri-base.json.
	own string
}

// assemble puts the node image together. All that it reads is in the cache and stays as it is.
func assemble(ctx context.Context, r recipe, progress cache.Progress) (image.Image, error) {
	p, err := gather(ctx, progress)
	if err != nil {
		return image.Image{}, err
	}
	p.own, err = cache.Ensure(ctx, "node", r.key, func(ctx context.Context, dir string) error {
		progress.Step("Making the cluster's images")
		p := p
		p.own = dir
		return makeOwn(ctx, r, p)
	})
	if err != nil {
		return image.Image{}, err
	}
	progress.Step("Putting the node image together")
	layers, err := nodeLayers(p, r)
	if err != nil {
		return image.Image{}, err
	}
	return image.Build(image.Spec{
		Name: r.ref(), Base: layers, Env: []string{"container=docker"}, StopSignal: "SIGRTMIN+3",
		Entrypoint: []string{"/usr/local/bin/entrypoint", "/sbin/init"},
	})
}

// gather makes or finds the third-party parts, one after another: each build uses every processor there is.
func gather(ctx context.Context, progress cache.Progress) (p programs, err error) {
	for _, part := range []struct {
		dir  *string
		make func(context.Context, cache.Progress) (string, error)
	}{
		{&p.debian, debian}, {&p.kubernetes, build.Kubernetes}, {&p.containerd, build.Containerd},
		{&p.cni, build.CNIPlugins}, {&p.etcd, build.Etcd}, {&p.coredns, build.CoreDNS},
	} {
		if *part.dir, err = part.make(ctx, progress); err != nil {
			return p, err
		}
	}
	return p, nil
}

// makeOwn fills p.own.
func makeOwn(ctx context.Context, r recipe, p programs) error {
	if err := build.Static(ctx, p.own, "e2e/lab/nodeimage/pause", "e2e/lab/engine/runc-lab"); err != nil {
		return err
	}
	images, sandbox, err := clusterImages(ctx, r.kubernetes, p)
	if err != nil {
		return err
	}
	if err := store(ctx, p.containerd, filepath.Join(p.own, "containerd"), images); err != nil {
		return err
	}
	spec, err := baseSpec(ctx, filepath.Join(p.containerd, "ctr"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(p.own, "cri-base.json"), spec, 0o644); err != nil {
		return err
	}
	config := bytes.ReplaceAll(containerdConfig, []byte("@SANDBOX@"), []byte(sandbox))
	return os.WriteFile(filepath.Join(p.own, "config.toml"), config, 0o644)
}

// nodeLayers are the node's file system: Debian, then kind's files and all programs, then containerd's images.
func nodeLayers(p programs, r recipe) ([]image.Layer, error) {
	system, err := image.Tree(p.debian, "/", unwanted)
	if err != nil {
		return nil, err
	}
	node, err := kindFiles(r.kind.dir)
	if err != nil {
		return nil, err
	}
	node = append(node, programFiles(p)...)
	node = append(node, image.File{Path: "/kind/version", Content: []byte(r.kubernetes)})
	content, err := image.Tree(filepath.Join(p.own, "containerd"), "/var/lib/containerd", nil)
	if err != nil {
		return nil, err
	}
	var layers []image.Layer
	for _, files := range [][]image.File{system, node, content} {
		layer, err := image.NewPlainLayer(files...)
		if err != nil {
			return nil, err
		}
		layers = append(layers, layer)
	}
	return layers, nil
}

func programFiles(p programs) []image.File {
	files := []image.File{
		{Path: "/usr/bin/kubernetes", Source: filepath.Join(p.kubernetes, "kubernetes")},
		{Path: "/usr/local/sbin/runc", Source: filepath.Join(p.own, "runc-lab")}, // before /usr/sbin/runc in PATH
		{Path: "/usr/local/bin/cnitool", Source: filepath.Join(p.cni, "cnitool")},
		{Path: "/etc/containerd/config.toml", Source: filepath.Join(p.own, "config.toml"), Mode: 0o644},
		{Path: "/etc/containerd/cri-base.json", Source: filepath.Join(p.own, "cri-base.json"), Mode: 0o644},
	}
	for _, name := range []string{"kubeadm", "kubectl", "kubelet"} {
		files = append(files, image.File{Path: path.Join("/usr/bin", name), Link: "kubernetes"})
	}
	for _, name := range []string{"containerd", "containerd-shim-runc-v2", "ctr"} {
		files = append(files, image.File{Path: path.Join(bin, name), Source: filepath.Join(p.containerd, name)})
	}
	for _, name := range []string{"bandwidth", "bridge", "host-local", "loopback", "portmap", "ptp"} {
		files = append(files, image.File{Path: path.Join("/opt/cni/bin", name), Source: filepath.Join(p.cni, name)})
	}
	return files
}
