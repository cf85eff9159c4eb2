// Package nodeimage gets the lab the image of which kind's nodes are made: kind's own where a registry is in reach,
// otherwise one made here of Debian packages, kind's files and programs built from Go modules, which needs no registry.
//
// The image made here holds what kind's holds: systemd, containerd, kubelet, kubeadm, and in containerd's store the images
// that kubeadm starts a control plane from. It lacks kind's CNI and storage provisioner, and crictl, which is no module.
package nodeimage

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"sigs.k8s.io/kind/pkg/apis/config/defaults"

	"github.com/onectl/onectl/e2e/lab/build"
	"github.com/onectl/onectl/e2e/lab/cache"
	"github.com/onectl/onectl/e2e/lab/command"
	"github.com/onectl/onectl/e2e/lab/engine"
	"github.com/onectl/onectl/e2e/lab/image"
)

// EnvImage names the environment variable that gives the node image by name. It must be on the engine or in reach.
const EnvImage = "HYBRIDLAB_NODE_IMAGE"

// repository is the name of the images made here. No registry serves it.
const repository = "hybridlab.local/node"

// Ensure returns the name of a node image that is on the engine. The first time it takes as long as a download, or about
// ten minutes where the image must be made; then the image is there.
func Ensure(ctx context.Context, eng engine.Engine, progress cache.Progress) (ref string, err error) {
	if ref := os.Getenv(EnvImage); ref != "" {
		return ref, pullNamed(ctx, eng, ref)
	}
	r, err := currentRecipe(ctx)
	if err != nil {
		return "", err
	}
	for _, ref := range []string{r.ref(), defaults.Image} {
		if present(ctx, eng, ref) {
			return ref, nil
		}
	}
	progress.Step("Asking the registry for kind's node image")
	if err := pull(ctx, eng, defaults.Image, answerTime); err == nil {
		return defaults.Image, nil
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return r.ref(), r.make(ctx, eng, progress)
}

func present(ctx context.Context, eng engine.Engine, ref string) bool {
	_, err := eng.Docker(ctx, "image", "inspect", "--format", "{{.Id}}", ref)
	return err == nil
}

func pullNamed(ctx context.Context, eng engine.Engine, ref string) error {
	if present(ctx, eng, ref) {
		return nil
	}
	if _, err := eng.Docker(ctx, "pull", "--quiet", ref); err != nil {
		return fmt.Errorf("node image %s of $%s: %w", ref, EnvImage, err)
	}
	return nil
}

// answerTime is how long a registry may take to answer at all. The download itself may take as long as it does.
const answerTime = 10 * time.Second

// pull pulls an image and gives up when no registry answers in the given time.
func pull(ctx context.Context, eng engine.Engine, ref string, answer time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", "pull", ref)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+eng.Host)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	silent := time.AfterFunc(answer, cancel)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		silent.Stop() // the first line comes once the registry has answered
	}
	silent.Stop()
	return cmd.Wait()
}

// recipe is what a node image is made from; it gives the image its name.
type recipe struct {
	kubernetes string // version, "v1.36.3"
	kind       module
	key        string // of everything: sources, versions, compiler
}

func (r recipe) ref() string { return repository + ":" + r.kubernetes + "-" + r.key }

func currentRecipe(ctx context.Context) (r recipe, err error) {
	source, err := build.Source()
	if err != nil {
		return r, err
	}
	if r.kubernetes, err = build.KubernetesVersion(); err != nil {
		return r, err
	}
	if r.kind, err = kindModule(ctx); err != nil {
		return r, err
	}
	key := cache.NewKey(runtime.Version(), runtime.GOARCH, r.kind.version)
	for _, dir := range []string{"build", "nodeimage", "image", "engine/runc-lab"} {
		if err := key.Tree(filepath.Join(source, "e2e", "lab", dir), build.Scenarios()...); err != nil {
			return r, err
		}
	}
	r.key = key.String()
	return r, nil
}

// Make makes the node image without a registry and loads it into the engine. What is in the cache is used.
func Make(ctx context.Context, eng engine.Engine, progress cache.Progress) (ref string, err error) {
	r, err := currentRecipe(ctx)
	if err != nil {
		return "", err
	}
	return r.ref(), r.make(ctx, eng, progress)
}

func (r recipe) make(ctx context.Context, eng engine.Engine, progress cache.Progress) error {
	if os.Geteuid() != 0 {
		return errors.New("making a node image needs root: run as root, or set " + EnvImage + " to one that is there")
	}
	start := time.Now()
	node, err := assemble(ctx, r, progress)
	if err != nil {
		return fmt.Errorf("make node image: %w", err)
	}
	progress.Step("Loading the node image into the engine")
	if err := load(ctx, eng, node); err != nil {
		return fmt.Errorf("load node image: %w", err)
	}
	progress.Step("Made the node image in %s", time.Since(start).Round(time.Second))
	return removeOlder(ctx, eng, r.ref())
}

func load(ctx context.Context, eng engine.Engine, node image.Image) error {
	reader, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	written := make(chan error, 1)
	go func() { written <- errors.Join(image.WriteArchive(writer, node), writer.Close()) }()
	_, err = command.Command{Args: []string{"docker", "load"}, Env: []string{"DOCKER_HOST=" + eng.Host}, Stdin: reader}.Output(ctx)
	_ = reader.Close() // ends the writer, should docker have stopped reading
	return errors.Join(err, <-written)
}

// removeOlder removes the node images of earlier recipes. One that a container uses stays, until the next time.
func removeOlder(ctx context.Context, eng engine.Engine, keep string) error {
	out, err := eng.Docker(ctx, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", repository)
	if err != nil {
		return err
	}
	for _, ref := range strings.Fields(out) {
		if ref != keep {
			_, _ = eng.Docker(ctx, "image", "rm", ref)
		}
	}
	return nil
}
