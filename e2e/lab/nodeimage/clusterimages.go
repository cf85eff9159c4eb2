package nodeimage

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/onectl/onectl/e2e/lab/command"
	"github.com/onectl/onectl/e2e/lab/image"
)

// clusterImages makes every image that kubeadm names for this Kubernetes version; sandbox is the name of the one that
// holds a pod's namespaces.
func clusterImages(ctx context.Context, version string, p programs) (images []image.Image, sandbox string, err error) {
	out, err := command.Run(ctx, filepath.Join(p.kubernetes, "kubeadm"), "config", "images", "list", "--kubernetes-version", version)
	if err != nil {
		return nil, "", err
	}
	kubernetes, err := image.NewLayer(image.File{Path: bin + "/kubernetes", Source: filepath.Join(p.kubernetes, "kubernetes")})
	if err != nil {
		return nil, "", err
	}
	for _, ref := range strings.Fields(out) {
		name, _, _ := strings.Cut(path.Base(ref), ":")
		if name == "pause" {
			sandbox = ref
		}
		spec, err := clusterImage(name, kubernetes, p)
		if err != nil {
			return nil, "", err
		}
		spec.Name = ref
		built, err := image.Build(spec)
		if err != nil {
			return nil, "", err
		}
		images = append(images, built)
	}
	return images, sandbox, nil
}

const bin = "/usr/local/bin"

// clusterImage says what is in one image. Kubernetes' programs are links to one binary in a layer they share.
func clusterImage(name string, kubernetes image.Layer, p programs) (image.Spec, error) {
	env := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	temp := image.File{Path: "/tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777}
	switch name {
	case "kube-apiserver", "kube-controller-manager", "kube-scheduler":
		link := image.File{Path: bin + "/" + name, Link: "kubernetes"}
		return image.Spec{Base: []image.Layer{kubernetes}, Files: []image.File{link, temp}, Env: env, Entrypoint: []string{name}}, nil
	case "kube-proxy":
		files, err := withLibraries(p.debian, "/usr/sbin/nft")
		files = append(files, image.File{Path: bin + "/" + name, Link: "kubernetes"}, temp)
		return image.Spec{Base: []image.Layer{kubernetes}, Files: files, Env: env, Entrypoint: []string{name}}, err
	case "etcd":
		return image.Spec{Binaries: map[string]string{bin + "/etcd": filepath.Join(p.etcd, "etcd")}, Files: []image.File{temp}, Env: env, Entrypoint: []string{"etcd"}}, nil
	case "coredns":
		return image.Spec{Binaries: map[string]string{"/coredns": filepath.Join(p.coredns, "coredns")}, Entrypoint: []string{"/coredns"}}, nil
	case "pause":
		return image.Spec{Binaries: map[string]string{"/pause": filepath.Join(p.own, "pause")}, Entrypoint: []string{"/pause"}, User: "65535:65535"}, nil
	default:
		return image.Spec{}, fmt.Errorf("kubeadm wants an image %q that the lab cannot make", name)
	}
}
