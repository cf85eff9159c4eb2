package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/onectl/onectl/e2e/lab/command"
	"github.com/onectl/onectl/pkg/fakecloud"
	"github.com/onectl/onectl/pkg/node/conf"
)

// NodeSpec says what a new cloud node shall be. The zero value is a node of the lab's usual type in zone i.
type NodeSpec struct {
	Name string // "" picks cloud-1, cloud-2, …
	Zone string // ZoneI or ZoneJ
	Type string // instance type
}

// AddCloudNode runs an instance in the simulator and joins it to the cluster. The node has no network but its ENI. Its
// kubelet registers it with label alibabacloud.com/external=true and providerID REGION.INSTANCE, as a node of a registered
// cluster's node pool. It returns when the node is registered; Ready comes with a CNI.
func (l *Lab) AddCloudNode(ctx context.Context, spec NodeSpec) (*Node, error) {
	release, err := l.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	facts, err := l.running(ctx)
	if err != nil {
		return nil, err
	}
	spec = l.complete(spec, facts)
	l.step("Starting %s (%s in %s)", spec.Name, spec.Type, spec.Zone)
	node, err := l.startCloudNode(ctx, spec, facts)
	if err != nil {
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		return nil, errors.Join(err, l.dropCloudNode(undo, Node{Name: l.Name + "-" + spec.Name}))
	}
	facts.Nodes[node.Name] = node
	return node, l.save(facts)
}

func (l *Lab) complete(spec NodeSpec, facts Facts) NodeSpec {
	if spec.Zone == "" {
		spec.Zone = ZoneI
	}
	if spec.Type == "" {
		spec.Type = NodeType
	}
	for n := 1; spec.Name == ""; n++ {
		if name := fmt.Sprintf("cloud-%d", n); facts.Nodes[l.Name+"-"+name] == nil {
			spec.Name = name
		}
	}
	return spec
}

func (l *Lab) startCloudNode(ctx context.Context, spec NodeSpec, facts Facts) (*Node, error) {
	name := l.Name + "-" + spec.Name
	plane := facts.Nodes[l.Name+"-control-plane"]
	if plane == nil {
		return nil, fmt.Errorf("lab %s has no control plane: run `hybridlab down --name %s` and start again", l.Name, l.Name)
	}
	if err := l.runContainer(ctx, name, facts.NodeImage, plane); err != nil {
		return nil, err
	}
	pid, err := l.pidOf(ctx, name)
	if err != nil {
		return nil, err
	}
	vswitch := map[string]string{ZoneI: NodesI, ZoneJ: NodesJ}[spec.Zone]
	if vswitch == "" {
		return nil, fmt.Errorf("zone %s: the lab has zones %s and %s", spec.Zone, ZoneI, ZoneJ)
	}
	instance, _, err := l.Cloud().AddInstance(ctx, fakecloud.InstanceSpec{Name: name, Type: spec.Type, VSwitchID: vswitch, NetNS: netnsOf(pid)})
	if err != nil {
		return nil, fmt.Errorf("run instance for %s: %w", name, err)
	}
	node := &Node{Name: name, Role: RoleCloud, Address: instance.PrimaryIP, Instance: instance.ID, Zone: spec.Zone, PID: pid}
	if err := l.waitLink(ctx, *node); err != nil {
		return nil, err
	}
	// The machine image of a cloud node filters loosely: replies may leave by another ENI than the one that requests came by.
	if err := l.looseFilter(ctx, name); err != nil {
		return nil, err
	}
	if err := l.loadImages(ctx, name); err != nil {
		return nil, err
	}
	if err := l.loadDataCentreImages(ctx, facts.Scenario, name); err != nil {
		return nil, err
	}
	if err := l.kubeadmJoin(ctx, *node, spec.Type); err != nil || facts.Scenario != Overlay {
		return node, err
	}
	return node, l.joinOverlay(ctx, name)
}

// runContainer starts a node container with the options kind gives its own, waits until its services can start, and
// takes it off the engine's network: from then on its only link is what the VPC gives it.
func (l *Lab) runContainer(ctx context.Context, name, image string, plane *Node) error {
	_, err := l.docker(ctx, "run", "--name", name, "--hostname", name, "--detach", "--tty",
		"--label", clusterLabel+"="+l.Name, "--label", "io.x-k8s.kind.role=worker",
		"--net", "kind",
		"--privileged", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
		"--tmpfs", "/tmp", "--tmpfs", "/run", "--volume", "/var", "--volume", "/lib/modules:/lib/modules:ro",
		"--restart=on-failure:1", "--init=false", "--cgroupns=private",
		"--env", "KIND_EXPERIMENTAL_CONTAINERD_SNAPSHOTTER", image)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = until(ctx, func() (bool, error) {
		_, err := l.inNode(ctx, name, "ctr", "--namespace=k8s.io", "containers", "list", "--quiet")
		return err == nil, nil
	})
	if err != nil {
		out, _ := l.docker(context.WithoutCancel(ctx), "logs", "--tail", "15", name)
		return fmt.Errorf("node container %s does not start: %w; the end of its log:\n%s", name, err, command.Tail(out, 15))
	}
	if _, err = l.docker(ctx, "network", "disconnect", "kind", name); err != nil {
		return err
	}
	// The engine's name service went with its network.
	hosts := fmt.Appendf(nil, "%s %s\n", plane.Address, plane.Name)
	_, err = l.dockerInput(ctx, hosts, "exec", "-i", name, "tee", "-a", "/etc/hosts")
	return err
}

// waitLink waits until the VPC has given the node its primary ENI.
func (l *Lab) waitLink(ctx context.Context, node Node) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	err := until(ctx, func() (bool, error) {
		out, err := l.inNode(ctx, node.Name, "ip", "-4", "-o", "addr", "show", "dev", "eth0")
		return err == nil && strings.Contains(out, node.Address.String()+"/"), nil
	})
	if err != nil {
		return fmt.Errorf("the VPC gave %s no link: %w; %s", node.Name, err, l.process("fakecloud").tail())
	}
	return nil
}

// kubeadmJoin registers the node with the cluster.
func (l *Lab) kubeadmJoin(ctx context.Context, node Node, instanceType string) error {
	l.step("Joining %s (%s, %s)", node.Name, node.Instance, node.Address)
	token, err := l.inNode(ctx, l.Name+"-control-plane", "kubeadm", "token", "create", "--ttl", "10m")
	if err != nil {
		return err
	}
	config := joinConfiguration(l.Name+"-control-plane", strings.TrimSpace(token), node, instanceType)
	if err := l.writeInNode(ctx, node.Name, "/kind/kubeadm.conf", []byte(config)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	if _, err := l.inNode(ctx, node.Name, "kubeadm", "join", "--config", "/kind/kubeadm.conf"); err != nil {
		return fmt.Errorf("join %s: %w", node.Name, err)
	}
	err = until(ctx, func() (bool, error) {
		_, err := l.kubectl(ctx, "get", "node", node.Name)
		return err == nil, nil
	})
	if err != nil {
		return fmt.Errorf("join %s: it does not register: %w", node.Name, err)
	}
	return nil
}

// joinConfiguration is what a node pool gives a node's kubelet: identity, labels, and no more pods than its instance type
// has addresses for.
func joinConfiguration(plane, token string, node Node, instanceType string) string {
	limits, known := conf.LimitsOf(instanceType)
	if !known {
		limits = conf.Conservative(instanceType)
	}
	return fmt.Sprintf(`apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
discovery:
  bootstrapToken:
    apiServerEndpoint: %s:6443
    token: %s
    unsafeSkipCAVerification: true
nodeRegistration:
  criSocket: unix:///run/containerd/containerd.sock
  ignorePreflightErrors: ["all"]
  kubeletExtraArgs:
  - name: node-ip
    value: %s
  - name: provider-id
    value: %s.%s
  - name: node-labels
    value: alibabacloud.com/external=true,topology.kubernetes.io/region=%s,topology.kubernetes.io/zone=%s,node.kubernetes.io/instance-type=%s
  - name: max-pods
    value: "%d"
`, plane, token, node.Address, Region, node.Instance, Region, node.Zone, instanceType, (limits.ENIs-1)*limits.IPv4PerENI)
}

// RemoveCloudNode takes a cloud node away as a scale-in does: the Node object, the machine, the instance with its ENIs.
func (l *Lab) RemoveCloudNode(ctx context.Context, name string) error {
	release, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	facts, err := l.running(ctx)
	if err != nil {
		return err
	}
	node := facts.Nodes[name]
	if node == nil {
		node = facts.Nodes[l.Name+"-"+name]
	}
	if node == nil || node.Role != RoleCloud {
		return fmt.Errorf("%s is no cloud node of lab %s; there are: %s", name, l.Name, strings.Join(cloudNodes(facts), ", "))
	}
	l.step("Removing %s", node.Name)
	if _, err := l.kubectl(ctx, "delete", "node", node.Name, "--ignore-not-found"); err != nil {
		return err
	}
	if err := l.dropCloudNode(ctx, *node); err != nil {
		return err
	}
	delete(facts.Nodes, node.Name)
	return l.save(facts)
}

func (l *Lab) dropCloudNode(ctx context.Context, node Node) error {
	if _, err := l.docker(ctx, "rm", "--force", "--volumes", node.Name); err != nil {
		return err
	}
	if node.Instance == "" {
		return nil
	}
	return l.Cloud().RemoveInstance(ctx, node.Instance)
}

func cloudNodes(facts Facts) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(facts.Nodes)) {
		if facts.Nodes[name].Role == RoleCloud {
			names = append(names, name)
		}
	}
	return names
}
