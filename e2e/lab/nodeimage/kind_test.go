package nodeimage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/kind/pkg/cluster"

	"github.com/onectl/onectl/e2e/lab/engine"
)

// TestKindMakesAClusterOfTheImageMadeHere takes about a minute once everything is in the cache, and ten before. The
// stories in e2e go the same way; this one tells whether the image or the lab is to blame.
func TestKindMakesAClusterOfTheImageMadeHere(t *testing.T) {
	if os.Getenv("HYBRIDLAB_KIND_TEST") == "" {
		t.Skip("HYBRIDLAB_KIND_TEST is not set: it takes minutes, and the stories in e2e do the same in each run")
	}
	if os.Geteuid() != 0 {
		t.Skip("starting a container engine needs root")
	}
	eng, err := engine.Ensure(t.Context(), func(step string) { t.Log(step) })
	if err != nil {
		t.Fatal(err)
	}
	ref, err := Make(t.Context(), eng, func(step string) { t.Log(step) })
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCKER_HOST", eng.Host) // kind runs the docker command line
	kind := cluster.NewProvider(cluster.ProviderWithDocker())
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	const name = "nodeimage-test"
	t.Cleanup(func() {
		if err := kind.Delete(name, kubeconfig); err != nil {
			t.Error(err)
		}
	})
	err = kind.Create(name, cluster.CreateWithV1Alpha4Config(clusterConfig(t, ref)), cluster.CreateWithKubeconfigPath(kubeconfig))
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, eng, name+"-control-plane", "kube-proxy", "pods", "--selector", "k8s-app=kube-proxy",
		"--output", "jsonpath={.items[*].status.containerStatuses[*].ready}", "true true")
	waitFor(t, eng, name+"-control-plane", "CoreDNS", "pods", "--selector", "k8s-app=kube-dns",
		"--output", "jsonpath={.items[*].status.containerStatuses[*].ready}", "true true")
	waitFor(t, eng, name+"-control-plane", "nodes", "nodes",
		"--output", `jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}`, "True True")
}

// waitFor asks kubectl until it answers want, the last argument.
func waitFor(t *testing.T, eng engine.Engine, node, what string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	want := args[len(args)-1]
	args = append([]string{"exec", node, "kubectl", "--namespace", "kube-system", "get"}, args[:len(args)-1]...)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		got, err := eng.Docker(ctx, args...)
		if err == nil && strings.TrimSpace(got) == want {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: got %q, %v; want %q", what, got, err, want)
		case <-tick.C:
		}
	}
}

// clusterConfig wants no CNI of kind's; each node gets a network by a file, so that pods can start.
func clusterConfig(t *testing.T, ref string) *v1alpha4.Cluster {
	t.Helper()
	const network = `{"cniVersion":"1.0.0","name":"test","plugins":[{"type":"ptp","ipam":{"type":"host-local","ranges":[[{"subnet":"10.244.%d.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}]}},{"type":"portmap","capabilities":{"portMappings":true}}]}`
	node := func(role v1alpha4.NodeRole, number int) v1alpha4.Node {
		path := filepath.Join(t.TempDir(), "test.conflist")
		if err := os.WriteFile(path, fmt.Appendf(nil, network, number), 0o644); err != nil {
			t.Fatal(err)
		}
		mount := v1alpha4.Mount{HostPath: path, ContainerPath: "/etc/cni/net.d/10-test.conflist", Readonly: true}
		return v1alpha4.Node{Role: role, Image: ref, ExtraMounts: []v1alpha4.Mount{mount}}
	}
	return &v1alpha4.Cluster{
		TypeMeta:   v1alpha4.TypeMeta{Kind: "Cluster", APIVersion: "kind.x-k8s.io/v1alpha4"},
		Nodes:      []v1alpha4.Node{node(v1alpha4.ControlPlaneRole, 1), node(v1alpha4.WorkerRole, 2)},
		Networking: v1alpha4.Networking{DisableDefaultCNI: true, KubeProxyMode: v1alpha4.NFTablesProxyMode, APIServerAddress: "127.0.0.1"},
		KubeadmConfigPatches: []string{
			"kind: InitConfiguration\nnodeRegistration:\n  ignorePreflightErrors: [\"all\"]\n",
			"kind: JoinConfiguration\nnodeRegistration:\n  ignorePreflightErrors: [\"all\"]\n",
			"kind: KubeletConfiguration\nfailCgroupV1: false\nlocalStorageCapacityIsolation: false\n",
		},
	}
}
