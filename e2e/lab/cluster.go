package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/log"

	"github.com/onectl/onectl/e2e/lab/command"
)

// clusterLabel is the container label by which kind finds its nodes; our cloud nodes carry it too, so kind deletes them.
const clusterLabel = "io.x-k8s.kind.cluster"

// Addresses of the lab's data centre. The VPC's are in world.go.
const (
	podSubnet     = "10.244.0.0/16"
	serviceSubnet = "10.96.0.0/16"
)

// createCluster makes the data centre: a control plane and workers, without a CNI. kind has no contexts; when ctx ends
// first, the caller deletes the cluster, which ends kind's work too.
func (l *Lab) createCluster(ctx context.Context, nodeImage string) error {
	provider, err := l.kind()
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		done <- provider.Create(l.Name,
			cluster.CreateWithV1Alpha4Config(clusterConfig(l.opts.Workers, nodeImage, l.opts.Scenario)),
			cluster.CreateWithKubeconfigPath(l.Kubeconfig()),
			cluster.CreateWithDisplayUsage(false),
			cluster.CreateWithDisplaySalutation(false),
			cluster.CreateWithRetain(true), // Up deletes it after it has read the logs
		)
	}()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("create cluster %s: %w", l.Name, err)
		}
		return nil
	case <-ctx.Done():
		return errors.Join(ctx.Err(), l.abandon(context.WithoutCancel(ctx), done))
	}
}

// abandon deletes what kind is making until kind notices: it would go on making containers otherwise.
func (l *Lab) abandon(ctx context.Context, done <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if err := l.deleteCluster(ctx); err != nil {
			return err
		}
		select {
		case <-done:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// kind is the library's entry point, tied to the lab's engine. kind runs the docker command line, which finds the engine
// through the environment; there is no other way to tell it.
func (l *Lab) kind() (*cluster.Provider, error) {
	if err := os.Setenv("DOCKER_HOST", l.eng.Host); err != nil {
		return nil, err
	}
	return cluster.NewProvider(cluster.ProviderWithDocker(), cluster.ProviderWithLogger(kindLog{l.opts.Progress})), nil
}

// proxyPatch tells kube-proxy which traffic comes from pods of its own node. In the cloud it is told by the name of the
// pods' link: the pods' subnet would make it hide VPC addresses behind the node's, which the VPC then drops. In an overlay
// the pods' subnet is all there is.
func proxyPatch(s Scenario) string {
	if s == Overlay {
		return "kind: KubeProxyConfiguration\ndetectLocalMode: ClusterCIDR\n"
	}
	return "kind: KubeProxyConfiguration\ndetectLocalMode: InterfaceNamePrefix\ndetectLocal:\n  interfaceNamePrefix: cali\n"
}

// clusterConfig is what the lab wants of kind.
func clusterConfig(workers int, nodeImage string, s Scenario) *v1alpha4.Cluster {
	nodes := []v1alpha4.Node{{Role: v1alpha4.ControlPlaneRole, Image: nodeImage}}
	for range workers {
		nodes = append(nodes, v1alpha4.Node{Role: v1alpha4.WorkerRole, Image: nodeImage})
	}
	return &v1alpha4.Cluster{
		TypeMeta: v1alpha4.TypeMeta{Kind: "Cluster", APIVersion: "kind.x-k8s.io/v1alpha4"},
		Nodes:    nodes,
		Networking: v1alpha4.Networking{
			DisableDefaultCNI: true,
			PodSubnet:         podSubnet,
			ServiceSubnet:     serviceSubnet,
			KubeProxyMode:     v1alpha4.NFTablesProxyMode,
			APIServerAddress:  "127.0.0.1",
		},
		ContainerdConfigPatches: []string{
			"[plugins.\"io.containerd.cri.v1.runtime\"]\n  restrict_oom_score_adj = true\n",
		},
		KubeadmConfigPatches: []string{
			"kind: ClusterConfiguration\netcd:\n  local:\n    extraArgs:\n    - name: unsafe-no-fsync\n      value: \"true\"\n",
			"kind: InitConfiguration\nnodeRegistration:\n  ignorePreflightErrors: [\"all\"]\n",
			"kind: JoinConfiguration\nnodeRegistration:\n  ignorePreflightErrors: [\"all\"]\n",
			"kind: KubeletConfiguration\nfailCgroupV1: false\nlocalStorageCapacityIsolation: false\nsyncFrequency: 10s\n",
			proxyPatch(s),
		},
	}
}

// kindLog passes kind's steps on as ours and drops its debugging.
type kindLog struct{ progress func(string) }

func (k kindLog) Warn(message string)           { k.progress("kind: " + message) }
func (k kindLog) Warnf(format string, a ...any) { k.Warn(fmt.Sprintf(format, a...)) }
func (k kindLog) Error(message string)          { k.progress("kind: " + message) }
func (k kindLog) Errorf(format string, a ...any) {
	k.Error(fmt.Sprintf(format, a...))
}
func (k kindLog) V(level log.Level) log.InfoLogger { return kindInfo{k, level <= 0} }

type kindInfo struct {
	kindLog
	enabled bool
}

func (k kindInfo) Enabled() bool { return k.enabled }
func (k kindInfo) Info(message string) {
	if k.enabled && strings.TrimSpace(message) != "" {
		k.progress(strings.TrimSpace(message))
	}
}
func (k kindInfo) Infof(format string, a ...any) { k.Info(fmt.Sprintf(format, a...)) }

// deleteCluster removes every container of the lab, cloud nodes too. No cluster is fine.
func (l *Lab) deleteCluster(ctx context.Context) error {
	provider, err := l.kind()
	if err != nil {
		return err
	}
	if err := provider.Delete(l.Name, l.Kubeconfig()); err != nil {
		return fmt.Errorf("delete cluster %s: %w", l.Name, err)
	}
	names, err := l.containers(ctx)
	if err != nil || len(names) == 0 {
		return err
	}
	_, err = l.docker(ctx, append([]string{"rm", "--force", "--volumes"}, names...)...)
	return err
}

// waitNodes waits until the API server calls every node of facts Ready.
func (l *Lab) waitNodes(ctx context.Context, facts Facts) error {
	for _, name := range slices.Sorted(maps.Keys(facts.Nodes)) {
		l.step("Waiting for %s", name)
		if err := l.waitNode(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// waitNode waits until the API server calls the node Ready.
func (l *Lab) waitNode(ctx context.Context, node string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	err := until(ctx, func() (bool, error) {
		out, err := l.kubectl(ctx, "get", "node", node, "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].status}`)
		return err == nil && strings.TrimSpace(out) == "True", nil
	})
	if err == nil {
		return nil
	}
	out, _ := l.inNode(context.WithoutCancel(ctx), node, "journalctl", "-u", "kubelet", "-n", "15", "--no-pager", "-o", "cat")
	return fmt.Errorf("node %s is not Ready: %w; the end of its kubelet's log:\n%s", node, err, command.Tail(out, 15))
}

// kubectl runs in the control plane's container: the machine itself needs none.
func (l *Lab) kubectl(ctx context.Context, args ...string) (string, error) {
	return l.inNode(ctx, l.Name+"-control-plane", append([]string{"kubectl", "--kubeconfig=/etc/kubernetes/admin.conf"}, args...)...)
}
