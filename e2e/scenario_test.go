package e2e

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/onectl/onectl/e2e/lab"
	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/cloud/openapi"
)

// tale is the story of one hybrid network: preflight says what is missing, that is done, everything is green, packets
// prove it, and then things break.
type tale struct {
	scenario lab.Scenario
	red      []string                 // what preflight finds in the data centre before anything is done
	terway   bool                     // cloud nodes get Terway
	proof    func(*story, *testing.T) // that the network is what it says
	faults   []fault
}

func tales() []tale {
	return []tale{
		{lab.Overlay, nil, false, (*story).overlay, overlayFaults()},
		{lab.BGP, []string{"addon-key-exists", "separation-cni"}, true, (*story).bgp, bgpFaults()},
		{lab.Host, []string{"addon-key-exists", "separation-workloads"}, true, (*story).host, hostFaults()},
	}
}

// TestScenarios tells each tale on a lab of its own.
func TestScenarios(t *testing.T) {
	for _, told := range tales() {
		t.Run(string(told.scenario), func(t *testing.T) {
			s := newStory(t, "scenario-"+string(told.scenario), lab.Options{Workers: 1, Scenario: told.scenario})
			steps := []struct {
				name string
				run  func(*testing.T)
			}{
				{"preflight is red, and what it says to type makes it green", func(t *testing.T) { s.prepare(t, told) }},
				{"Terway is installed", func(t *testing.T) { s.installFor(t, told) }},
				{"cloud nodes join and preflight stays green", s.join},
				{"every path of the matrix works", s.matrix},
				{"packets prove the network", func(t *testing.T) { told.proof(s, t) }},
			}
			for _, step := range steps {
				if !t.Run(step.name, step.run) {
					t.Fatalf("the tale ends at %q", step.name)
				}
			}
			for _, f := range told.faults {
				mended := false
				t.Run("fault: "+f.name, func(t *testing.T) { s.suffer(t, f); mended = true })
				if !mended {
					t.Fatalf("the tale ends at %q, which was not mended", f.name)
				}
			}
		})
	}
}

// prepare sees what preflight says of the data centre alone and types each fix that it gives.
func (s *story) prepare(t *testing.T, told tale) {
	if told.scenario == lab.Host {
		s.apply(t, toleratesAll)
	}
	found := s.waitProblems(t, slices.Clone(told.red)...)
	for _, check := range told.red {
		s.typeFix(t, found[check].Fix)
	}
	s.waitProblems(t)
}

func (s *story) installFor(t *testing.T, told tale) {
	if told.terway {
		s.mustOnectl(t, "addon", "install", "terway-eniip")
	}
}

func (s *story) join(t *testing.T) {
	if _, err := s.lab.AddCloudNode(t.Context(), lab.NodeSpec{}); err != nil {
		t.Fatal(err)
	}
	s.kubectl(t, "wait", "--for=condition=Ready", "nodes", "--all", withPatience)
	s.waitProblems(t)
}

// matrix runs the connectivity test until it finds every path good: the data centre's nodes come to know of a node that is a
// moment old one after the other.
func (s *story) matrix(t *testing.T) {
	eventually(t, func() string {
		if out, stderr, code := s.onectl(t, "connectivity", "test"); code != 0 || !strings.Contains(out, "paths work.") {
			return fmt.Sprintf("the matrix says (exit code %d) %s%s", code, out, stderr)
		}
		return ""
	})
	if left := s.kubectl(t, "get", "pods", "-A", "-l", "app.kubernetes.io/managed-by=onectl", "-o", "name"); left != "" {
		t.Errorf("probe pods are left: %s", left)
	}
}

// toleratesAll is a workload of the data centre that would run on cloud nodes, too.
const toleratesAll = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: san-backup}
spec:
  selector: {matchLabels: {app: san-backup}}
  template:
    metadata: {labels: {app: san-backup}}
    spec:
      hostNetwork: true
      tolerations: [{operator: Exists}]
      terminationGracePeriodSeconds: 1
      containers:
      - {name: probe, image: "docker.io/onectl/probe:lab", imagePullPolicy: Never, args: [serve, -listen, ":8484"]}
`

// overlay: all pods are of one range, on whichever side, and what they say crosses the border inside VXLAN.
func (s *story) overlay(t *testing.T) {
	s.kubectl(t, "-n", "kube-flannel", "rollout", "status", "ds/kube-flannel-ds", withPatience)
	s.threePods(t, false)
	pods := s.meshed(t, "plane", "worker", "cloud")
	for name, ip := range pods {
		if !netip.MustParsePrefix("10.244.0.0/16").Contains(netip.MustParseAddr(ip)) {
			t.Errorf("pod %s has %s, which is not of the overlay", name, ip)
		}
	}
	s.reaches(t, "cloud", served("plane-service.default.svc.cluster.local"))
	s.apply(t, hostPod(s.lab.Name+"-control-plane"))
	s.kubectl(t, "wait", "--for=condition=Ready", "pod/host", withPatience)
	s.kubectl(t, "exec", "cloud", "--", "/probe", "get", "http://"+s.kubectl(t, "get", "pod", "host", "-o", "jsonpath={.status.podIP}")+":8181")
	sent, err := s.lab.Output(t.Context(), s.cloudNodes(t)[0], "cat", "/sys/class/net/flannel.1/statistics/tx_packets")
	if n, _ := strconv.Atoi(strings.TrimSpace(sent)); err != nil || n == 0 {
		t.Errorf("nothing went through VXLAN: %q, %v", sent, err)
	}
}

// bgp: the VPC reaches what is announced to it, as long as it is.
func (s *story) bgp(t *testing.T) {
	s.threePods(t, false)
	pods := s.meshed(t, "plane", "worker", "cloud")
	if got := s.peer(t); got.BGPStatus != cloud.BGPEstablished || got.ReceivedRoutes < 5 {
		t.Errorf("the VBR's peer is %+v", got)
	}
	worker := netip.PrefixFrom(netip.MustParseAddr(pods["worker"]), 24).Masked()

	s.kubectl(t, "-n", "kube-system", "patch", "ds/calico-node", "-p",
		fmt.Sprintf(`{"spec":{"template":{"spec":{"nodeSelector":{"kubernetes.io/hostname":"%s-control-plane"}}}}}`, s.lab.Name))
	eventually(t, func() string { return s.routed(t, worker, false) })
	s.losesSight(t, "worker", pods["cloud"])
	s.kubectl(t, "-n", "kube-system", "patch", "ds/calico-node", "--type=json", "-p", `[{"op":"remove","path":"/spec/template/spec/nodeSelector/kubernetes.io~1hostname"}]`)
	eventually(t, func() string { return s.routed(t, worker, true) })
	s.reaches(t, "worker", served(pods["cloud"]))

	if err := s.lab.StopSpeaker(t.Context(), lab.SpeakerRouter); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string { return s.routed(t, worker, false) })
	if got := s.peer(t); got.BGPStatus == cloud.BGPEstablished {
		t.Errorf("the VBR's peer is %+v although nobody is there", got)
	}
	s.losesSight(t, "plane", pods["cloud"])
	status, err := s.lab.Status(t.Context())
	if err != nil || status.Up || !strings.Contains(status.Problem, lab.SpeakerRouter) || !strings.Contains(status.Problem, "the end of") {
		t.Errorf("a lab without its speaker: %+v, %v", status, err)
	}
	if err := s.lab.StartSpeaker(t.Context(), lab.SpeakerRouter); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string { return s.routed(t, worker, true) })
	s.reaches(t, "plane", served(pods["cloud"]))
}

// host: what has its node's network reaches the cloud's pods, and what has not gets no network at all.
func (s *story) host(t *testing.T) {
	s.threePods(t, true)
	pods := s.meshed(t, "plane", "cloud")
	if node := s.kubectl(t, "get", "pod", "plane", "-o", "jsonpath={.status.hostIP}"); pods["plane"] != node {
		t.Errorf("the data centre's pod has %s, its node %s", pods["plane"], node)
	}
	s.reaches(t, "cloud", served("plane-service.default.svc.cluster.local"))
	s.apply(t, probePod("podnetwork", s.lab.Name+"-worker", false))
	eventually(t, func() string {
		events := s.kubectl(t, "get", "events", "--field-selector=involvedObject.name=podnetwork,reason=FailedCreatePodSandBox", "-o", "name")
		if events == "" {
			return "a pod that wants a network of its own gets one"
		}
		return ""
	})
}

// threePods starts a pod on the control plane, one on the worker and one on the cloud node.
func (s *story) threePods(t *testing.T, hostNetwork bool) {
	t.Helper()
	nodes := map[string]string{"plane": s.lab.Name + "-control-plane", "worker": s.lab.Name + "-worker", "cloud": s.cloudNodes(t)[0]}
	for name, node := range nodes {
		s.apply(t, probePod(name, node, hostNetwork && name != "cloud"))
	}
	for name := range nodes {
		s.kubectl(t, "wait", "--for=condition=Ready", "pod/"+name, withPatience)
	}
	s.kubectl(t, "expose", "pod/plane", "--name=plane-service", "--port=8383")
}

// meshed checks that each of the pods reaches each other, under its own address, and returns their addresses.
func (s *story) meshed(t *testing.T, names ...string) map[string]string {
	t.Helper()
	ips := map[string]string{}
	for _, name := range names {
		ips[name] = s.kubectl(t, "get", "pod", name, "-o", "jsonpath={.status.podIP}")
	}
	for _, from := range names { // routes to a node that is a moment old may still be on their way
		s.reaches(t, from, served(ips["cloud"]))
	}
	for _, from := range names {
		for _, to := range names {
			if seen := s.get(t, from, ips[to]); seen != ips[from] && s.ownNetwork(t, from) {
				t.Errorf("%s sees %s at %s, not at %s", to, from, seen, ips[from])
			}
		}
	}
	return ips
}

func (s *story) ownNetwork(t *testing.T, pod string) bool {
	t.Helper()
	return s.kubectl(t, "get", "pod", pod, "-o", "jsonpath={.spec.hostNetwork}") != "true"
}

// peer is the data centre's BGP peer as the cloud's API shows it.
func (s *story) peer(t *testing.T) cloud.BGPPeer {
	t.Helper()
	facts, err := s.lab.Facts()
	if err != nil {
		t.Fatal(err)
	}
	client, err := openapi.New(openapi.Options{
		Key:    cloud.AccessKey{ID: facts.KeyID, Secret: cloud.NewSecret(facts.KeySecret)},
		Region: facts.Region, Endpoint: facts.Endpoint, UserAgent: "story",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	peers, err := client.DescribeBGPPeers(t.Context(), lab.VBR)
	if err != nil || len(peers) != 1 {
		t.Fatalf("BGP peers of %s: %v, %v", lab.VBR, peers, err)
	}
	return peers[0]
}

// routed is the problem when the VPC routes the prefix to the data centre, and should not, or the other way round.
func (s *story) routed(t *testing.T, prefix netip.Prefix, want bool) string {
	t.Helper()
	network, err := s.lab.Cloud().Network(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(network.Routes, prefix) == want {
		return ""
	}
	return fmt.Sprintf("the VPC routes %v to the data centre; is %s there shall be %v", network.Routes, prefix, want)
}
