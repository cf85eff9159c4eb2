package e2e

import (
	"context"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/onectl/onectl/e2e/lab"
	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud/wire"
)

const groupOfLab = "sg-lab"

func bgpFaults() []fault {
	return []fault{
		{
			name: "the BGP session is down", red: []string{"bgp-established"}, fix: "TCP port 179",
			cause: func(s *story, t *testing.T) { must(t, s.lab.StopSpeaker(t.Context(), lab.SpeakerRouter)) },
			mend:  func(s *story, t *testing.T) { must(t, s.lab.StartSpeaker(t.Context(), lab.SpeakerRouter)) },
		},
		{
			name: "a node's pods are not announced", red: []string{"pod-cidr-learned", "datacentre-nodes-routed"}, fix: "announce",
			cause: func(s *story, t *testing.T) { s.speakOnlyOn(t, s.lab.Name+"-control-plane") },
			mend:  (*story).speakEverywhere,
		},
		{
			name: "the border router is terminated", red: []string{"vbr-active"}, fix: "aliyun vpc RecoverVirtualBorderRouter",
			cause: withCloud(func(ctx context.Context, c *wire.ControlClient) error {
				return c.SetVBRStatus(ctx, lab.VBR, cloud.VBRTerminated)
			}),
		},
		{
			name: "the VPC has left the CEN instance", red: []string{"cen-vpc-attached"}, fix: "aliyun cbn AttachCenChildInstance",
			cause: withCloud(func(ctx context.Context, c *wire.ControlClient) error {
				return c.RemoveCENAttachment(ctx, lab.CEN, lab.VPC)
			}),
		},
		{
			name: "a vSwitch is not announced to the data centre", red: []string{"vpc-announced"}, fix: "aliyun vpc AddBgpNetwork",
			cause: withCloud(func(ctx context.Context, c *wire.ControlClient) error {
				return c.RemoveBGPNetwork(ctx, lab.VBR, netip.MustParsePrefix("10.0.16.0/24"))
			}),
		},
		{
			name: "the security group drops what the data centre's pods send", red: []string{"security-group-datacentre-in"}, fix: "aliyun ecs RevokeSecurityGroup",
			cause: func(s *story, t *testing.T) { s.drop(t, "", "TCP", "8000/8999", "10.244.0.0/16") },
		},
		{
			name: "the security group drops what pods send to the data centre", red: []string{"security-group-datacentre-out"}, fix: "aliyun ecs RevokeSecurityGroupEgress",
			cause: func(s *story, t *testing.T) { s.drop(t, "Egress", "TCP", "8000/8999", "10.244.0.0/16") },
		},
		{
			name: "a data-centre node's network card carries less", nodes: true, red: []string{"mtu-pods"}, fix: "raise the MTU",
			cause: onNode("worker", "ip link set eth0 mtu 1400"), mend: onNode("worker", "ip link set eth0 mtu 1500"),
		},
		{
			name: "a cloud node sends jumbo frames", nodes: true, red: []string{"mtu-line", "node-mtu"}, fix: "on NODE: ip link set dev eth0 mtu 1500",
			cause: onNode("cloud-1", "ip link set eth0 mtu 8500"),
		},
		{
			name: "somebody applied Calico's manifest again", nodes: true, red: []string{"separation-cni", "node-cni-conf"}, fix: "onectl isolate apply",
			cause: func(s *story, t *testing.T) {
				s.patch(t, "ds/calico-node", `[{"op":"remove","path":"/spec/template/spec/affinity"}]`)
				s.kubectl(t, "-n", "kube-system", "rollout", "status", "ds/calico-node", withPatience)
			},
			mend: func(s *story, t *testing.T) {
				s.typeFix(t, "onectl isolate apply")
				left := s.waitProblems(t, "node-cni-conf")
				s.typeFix(t, left["node-cni-conf"].Fix)
			},
		},
		{
			name: "Calico's pool overlaps the VPC", red: []string{"overlap-vswitch-datacentre-pods"}, fix: "use a vSwitch outside the range",
			cause: func(s *story, t *testing.T) { s.calicoPool(t, "10.0.0.0/17") },
			mend:  func(s *story, t *testing.T) { s.calicoPool(t, "10.244.0.0/16") },
		},
	}
}

func hostFaults() []fault {
	return []fault{
		{
			name: "the AccessKey is disabled", red: []string{"addon-key-valid"}, fix: "&& onectl ram-user grant --addon terway-eniip",
			cause: (*story).disableKey,
		},
		{
			name: "a right is taken away", red: []string{"addon-rights"}, fix: "onectl ram-user grant --addon terway-eniip",
			cause: (*story).takeRight,
		},
		{
			name: "a cloud node has lost its label", red: []string{"node-label"}, fix: "kubectl label node",
			cause: func(s *story, t *testing.T) {
				s.kubectl(t, "label", "node", s.cloudNodes(t)[0], "alibabacloud.com/external-")
			},
		},
		{
			name: "a cloud node filters strictly", nodes: true, red: []string{"node-rp-filter"}, fix: "on NODE: sysctl -w net.ipv4.conf.all.rp_filter",
			cause: onNode("cloud-1", "sysctl -w net.ipv4.conf.all.rp_filter=1"),
		},
		{
			name: "a cloud node does not forward", nodes: true, red: []string{"node-ip-forward"}, fix: "on NODE: sysctl -w net.ipv4.ip_forward=1",
			cause: onNode("cloud-1", "sysctl -w net.ipv4.ip_forward=0"),
		},
		{
			name: "the agent is scaled to zero", red: []string{"agent-ready"}, fix: "kubectl -n kube-system scale deployment/ack-cluster-agent",
			cause: func(s *story, t *testing.T) {
				s.kubectl(t, "-n", "kube-system", "scale", "deploy/ack-cluster-agent", "--replicas=0")
			},
			mend: func(s *story, t *testing.T) {
				s.kubectl(t, "-n", "kube-system", "scale", "deploy/ack-cluster-agent", "--replicas=1") // its port is the node's
			},
		},
		fullVSwitch(),
		typed(badENIConf(fault{name: "eni_conf names a vSwitch of another zone", red: []string{"vswitch-zone"}, fix: "onectl addon install terway-eniip --set 'vswitches="}, `"`+lab.PodsI+`"`, `"`+lab.PodsJ+`"`)),
		badENIConf(fault{name: "eni_conf is not JSON", red: []string{"eni-config-valid"}, fix: "eni-config"}, `"version"`, `version`),
		{
			name: "kube-proxy is kept off cloud nodes", red: []string{"kube-proxy-cloud-nodes"}, fix: "kube-proxy",
			cause: func(s *story, t *testing.T) {
				s.patch(t, "ds/kube-proxy", `[{"op":"add","path":"/spec/template/spec/nodeSelector/node-role.kubernetes.io~1control-plane","value":""}]`)
			},
			mend: func(s *story, t *testing.T) {
				s.patch(t, "ds/kube-proxy", `[{"op":"remove","path":"/spec/template/spec/nodeSelector/node-role.kubernetes.io~1control-plane"}]`)
			},
		},
		{
			name: "Terway may run in the data centre",
			red:  []string{"terway-selector", "separation-terway", "separation-terway-count", "separation-terway-pods", "terway-ready"}, fix: "onectl addon install terway-eniip",
			cause: func(s *story, t *testing.T) {
				s.patch(t, "ds/terway-eniip", `[{"op":"remove","path":"/spec/template/spec/nodeSelector/alibabacloud.com~1external"}]`)
			},
		},
		{
			name: "a cloud node's instance is stopped in the cloud", red: []string{"instance-running"}, fix: "aliyun ecs StartInstance",
			cause: func(s *story, t *testing.T) { s.setInstance(t, "Stopped") },
			mend:  func(s *story, t *testing.T) { s.setInstance(t, "Running") },
		},
	}
}

func overlayFaults() []fault {
	return []fault{
		{
			name: "the security group drops VXLAN", red: []string{"security-group-overlay"}, fix: "aliyun ecs RevokeSecurityGroup",
			cause: func(s *story, t *testing.T) { s.drop(t, "", "UDP", "8472/8472", "172.16.0.0/12") },
		},
		{
			name: "cloud nodes cannot have Flannel's image", red: []string{"overlay-images"}, fix: "image",
			cause: (*story).unpullable,
			mend: func(s *story, t *testing.T) {
				s.kubectl(t, "-n", "kube-flannel", "rollout", "undo", "ds/kube-flannel-ds")
				s.kubectl(t, "-n", "kube-flannel", "rollout", "status", "ds/kube-flannel-ds", withPatience)
			},
		},
		{
			name: "Flannel is kept off cloud nodes", red: []string{"overlay-cloud-nodes"}, fix: "isolate",
			cause: func(s *story, t *testing.T) {
				s.kubectl(t, "-n", "kube-flannel", "patch", "ds/kube-flannel-ds", "--type=merge", "-p",
					`{"spec":{"template":{"spec":{"nodeSelector":{"kubernetes.io/hostname":"`+s.lab.Name+`-worker"}}}}}`)
			},
			mend: func(s *story, t *testing.T) {
				s.kubectl(t, "-n", "kube-flannel", "patch", "ds/kube-flannel-ds", "--type=merge", "-p", `{"spec":{"template":{"spec":{"nodeSelector":null}}}}`)
				s.kubectl(t, "-n", "kube-flannel", "rollout", "status", "ds/kube-flannel-ds", withPatience)
			},
		},
		{
			name: "CoreDNS is scaled to zero", red: []string{"dns-ready"}, fix: "coredns",
			cause: func(s *story, t *testing.T) {
				s.kubectl(t, "-n", "kube-system", "scale", "deploy/coredns", "--replicas=0")
			},
			mend: func(s *story, t *testing.T) {
				s.kubectl(t, "-n", "kube-system", "scale", "deploy/coredns", "--replicas=2")
			},
		},
	}
}

func fullVSwitch() fault {
	var release func()
	return fault{
		name: "the pods' vSwitch is full", red: []string{"vswitch-free-addresses"}, fix: "pod vSwitch in zone " + lab.ZoneI,
		cause: func(s *story, t *testing.T) { release = s.fill(t, lab.PodsI) },
		mend:  func(*story, *testing.T) { release() },
	}
}

// typed has a fault mended by what its finding says.
func typed(f fault) fault {
	f.mend = nil
	return f
}

// badENIConf replaces a text in eni_conf and, to mend it, puts the ConfigMap back.
func badENIConf(f fault, from, to string) fault {
	var good string
	set := func(s *story, t *testing.T, conf string) {
		patch, err := json.Marshal(map[string]any{"data": map[string]string{"eni_conf": conf}})
		must(t, err)
		s.kubectl(t, "-n", "kube-system", "patch", "cm/eni-config", "--type=merge", "-p", string(patch))
	}
	f.cause = func(s *story, t *testing.T) {
		good = s.kubectl(t, "-n", "kube-system", "get", "cm", "eni-config", "-o", `jsonpath={.data.eni_conf}`)
		bad := strings.Replace(good, from, to, 1)
		if bad == good {
			t.Fatalf("eni_conf has no %s: %s", from, good)
		}
		set(s, t, bad)
	}
	f.mend = func(s *story, t *testing.T) { set(s, t, good) }
	return f
}
