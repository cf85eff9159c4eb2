package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/onectl/onectl/e2e/lab"
	"github.com/onectl/onectl/pkg/cloud"
)

const grantLine = "Ram policy ack-one-registered-cluster-policy-terway-eniip granted to ram user ack-one-user-"

// TestFirstPath is the product's first story, each step on the state the one before left. See issue "The first path".
func TestFirstPath(t *testing.T) {
	s := newStory(t, "story", lab.Options{})
	steps := []struct {
		name string
		run  func(*testing.T)
	}{
		{"grant gives rights and writes the Secret", s.grant},
		{"install without cloud nodes wants no pod", s.install},
		{"two cloud nodes become ready", s.grow},
		{"a right taken away is named in the pod's event, granting heals it", s.denied},
		{"ten pods get addresses of the pod vSwitches", s.deploy},
		{"all pods reach each other over the fabric", s.allPairs},
		{"pods reach the data centre and a Service", s.acrossTheBorder},
		{"traffic survives kill -9 of the daemon", s.killDaemon},
		{"the simulator is killed, starts again, and nothing is lost", s.restartCloud},
		{"a second lab is killed and leaves nothing", s.secondLab},
		{"the container runtime is heard where the operator lets it be", s.hearRuntime},
		{"a node gives each pod an ENI of its own", s.ownENIs},
		{"an exhausted vSwitch is said in an event and heals", s.exhaustion},
		{"scale to zero returns addresses down to the pool's maximum", s.scaleDown},
		{"uninstall leaves no ENI of ours", s.uninstall},
	}
	for _, step := range steps {
		if !t.Run(step.name, step.run) {
			t.Fatalf("the story ends at %q", step.name)
		}
	}
}

func (s *story) grant(t *testing.T) {
	first := s.mustOnectl(t, "ram-user", "grant", "--addon", "terway-eniip")
	if !strings.HasPrefix(first, grantLine) || !strings.HasSuffix(first, " successfully.\n") {
		t.Fatalf("grant printed %q", first)
	}
	before := s.secret(t)
	if again := s.mustOnectl(t, "ram-user", "grant", "--addon", "terway-eniip"); again != first {
		t.Errorf("a second grant printed %q, the first %q", again, first)
	}
	if after := s.secret(t); after != before {
		t.Error("a second grant changed the Secret")
	}
}

func (s *story) secret(t *testing.T) string {
	t.Helper()
	return s.kubectl(t, "-n", "kube-system", "get", "secret", "alibaba-addon-secret", "-o", "jsonpath={.type} {.data.access-key-id} {.data.access-key-secret}")
}

func (s *story) install(t *testing.T) {
	out := s.mustOnectl(t, "addon", "install", "terway-eniip")
	if !strings.HasPrefix(out, "Addon terway-eniip, version ") || !strings.HasSuffix(out, " installed.\n") {
		t.Fatalf("install printed %q", out)
	}
	row := strings.Fields(s.kubectl(t, "-n", "kube-system", "get", "ds", "terway-eniip", "--no-headers"))
	want := []string{"terway-eniip", "0", "0", "0", "0", "0", "alibabacloud.com/external=true"}
	if len(row) < 7 || !slices.Equal(row[:7], want) {
		t.Errorf("DaemonSet row is %v, want %v", row, want)
	}
	config := s.kubectl(t, "-n", "kube-system", "get", "cm", "eni-config", "-o", `jsonpath={.data.eni_conf}`)
	var conf struct {
		AccessKey    string              `json:"access_key"`
		AccessSecret string              `json:"access_secret"`
		VSwitches    map[string][]string `json:"vswitches"`
	}
	if err := json.Unmarshal([]byte(config), &conf); err != nil {
		t.Fatalf("eni_conf: %v\n%s", err, config)
	}
	if conf.AccessKey != "" || conf.AccessSecret != "" {
		t.Error("eni_conf carries a key")
	}
	if got := conf.VSwitches[lab.ZoneI]; !slices.Equal(got, []string{lab.PodsI}) {
		t.Errorf("vSwitches of zone i are %v, want %s", got, lab.PodsI)
	}
}

func (s *story) grow(t *testing.T) {
	for range 2 {
		node, err := s.lab.AddCloudNode(t.Context(), lab.NodeSpec{})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := s.kubectl(t, "get", "node", node.Name, "-o", "jsonpath={.spec.providerID}"), lab.Region+"."+node.Instance; got != want {
			t.Errorf("providerID is %q, want %q", got, want)
		}
	}
	s.kubectl(t, "wait", "--for=condition=Ready", "nodes", "--all", withPatience)
	s.kubectl(t, "-n", "kube-system", "rollout", "status", "ds/terway-eniip", withPatience)
}

func (s *story) deploy(t *testing.T) {
	s.apply(t, deployment("hello", 10))
	s.kubectl(t, "rollout", "status", "deploy/hello", withPatience)
	nodes := map[string]int{}
	for ip, node := range s.podIPs(t, "hello") {
		nodes[node]++
		if !strings.HasPrefix(ip, "10.0.16.") {
			t.Errorf("pod address %s is not of vSwitch %s (10.0.16.0/24)", ip, lab.PodsI)
		}
	}
	if len(nodes) != 2 {
		t.Errorf("the pods are on %v, want both cloud nodes", nodes)
	}
	s.apply(t, datacentrePod(s.lab.Name+"-control-plane"))
	s.kubectl(t, "expose", "deployment", "hello", "--port=80", "--target-port=8080")
	s.kubectl(t, "wait", "--for=condition=Ready", "pod/datacentre", withPatience)
	// What an operator types, in an image without a shell.
	if said := s.kubectl(t, "-n", "kube-system", "exec", "ds/terway-eniip", "-c", "terway", "--", "terwayd", "pods"); !strings.Contains(said, "hello-") {
		t.Errorf("terwayd pods does not show the node's pods:\n%s", said)
	}
}

func (s *story) allPairs(t *testing.T) {
	ips := s.podIPs(t, "hello")
	if len(ips) != 10 {
		t.Fatalf("%d pods run, want 10", len(ips))
	}
	var urls []string
	for ip := range ips {
		urls = append(urls, "http://"+ip+":8080")
	}
	for _, pod := range s.pods(t, "hello") {
		own := s.kubectl(t, "get", "pod", pod, "-o", "jsonpath={.status.podIP}")
		out := s.kubectl(t, append([]string{"exec", pod, "--", "/probe", "get"}, urls...)...)
		for line := range strings.Lines(out) {
			// "URL NAME CLIENT": the server must see the pod's own address, not the node's.
			if fields := strings.Fields(line); len(fields) != 3 || fields[2] != own {
				t.Errorf("from %s (%s): %s", pod, own, line)
			}
		}
	}
	s.fabricCarries(t)
}

// fabricCarries checks that traffic between nodes has no other way than the VPC: cloud nodes have no link but ENIs.
func (s *story) fabricCarries(t *testing.T) {
	t.Helper()
	status, err := s.lab.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range status.Nodes {
		if node.Role != lab.RoleCloud {
			continue
		}
		out, err := s.lab.Output(t.Context(), node.Name, "ip", "-4", "route", "show", "default")
		if err != nil {
			t.Fatal(err)
		}
		if want := "default via 10.0.1.253 dev eth0"; !strings.HasPrefix(out, want) {
			t.Errorf("%s: default route is %q, want %q", node.Name, out, want)
		}
	}
}

func (s *story) acrossTheBorder(t *testing.T) {
	pod := s.pods(t, "hello")[0]
	own := s.kubectl(t, "get", "pod", pod, "-o", "jsonpath={.status.podIP}")
	far := s.kubectl(t, "get", "pod", "datacentre", "-o", "jsonpath={.status.podIP}")
	out := s.kubectl(t, "exec", pod, "--", "/probe", "get", "http://"+far+":8080")
	if !strings.HasSuffix(out, " "+own) {
		t.Errorf("the data-centre pod sees %q, want the client at %s", out, own)
	}
	plane := s.kubectl(t, "get", "node", s.lab.Name+"-control-plane", "-o", `jsonpath={.status.addresses[?(@.type=="InternalIP")].address}`)
	s.reaches(t, pod, "http://hello.default.svc.cluster.local")
	s.apply(t, hostPod(s.lab.Name+"-control-plane"))
	s.kubectl(t, "wait", "--for=condition=Ready", "pod/host", withPatience)
	s.kubectl(t, "exec", pod, "--", "/probe", "get", "http://"+plane+":8181")
	near := slices.Collect(maps.Keys(s.podIPs(t, "hello")))[0]
	s.kubectl(t, "exec", "datacentre", "--", "/probe", "get", "http://"+near+":8080")
}

func (s *story) cloudNodes(t *testing.T) []string {
	t.Helper()
	status, err := s.lab.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, node := range status.Nodes {
		if node.Role == lab.RoleCloud {
			names = append(names, node.Name)
		}
	}
	return names
}

// enis are the ENIs that Terway made.
func (s *story) enis(t *testing.T) []cloud.ENI {
	t.Helper()
	summary, err := s.lab.Cloud().Summary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ours []cloud.ENI
	for _, eni := range summary.ENIs {
		if eni.Tags["creator"] == "terway" {
			ours = append(ours, eni.ENI)
		}
	}
	return ours
}

func (s *story) scaleDown(t *testing.T) {
	s.kubectl(t, "scale", "deploy/hello", "--replicas=0")
	const most = 5 // max_pool_size of document 1's sample
	eventually(t, func() string {
		idle := map[string]int{}
		for _, eni := range s.enis(t) {
			idle[eni.Instance] += len(eni.IPv4)
		}
		for instance, n := range idle {
			if n > most {
				return fmt.Sprintf("instance %s holds %d addresses without a pod, at most %d may stay", instance, n, most)
			}
		}
		return ""
	})
}

func (s *story) uninstall(t *testing.T) {
	s.kubectl(t, "delete", "deploy/hello", "svc/hello", "pod/host", "--wait")
	s.kubectl(t, "wait", "--for=delete", "pod", "-l", "app=hello", withPatience)
	out := s.mustOnectl(t, "addon", "uninstall", "terway-eniip")
	if !strings.HasSuffix(out, " uninstalled.\n") {
		t.Errorf("uninstall printed %q", out)
	}
	if left := s.enis(t); len(left) > 0 {
		t.Errorf("ENIs left: %v", left)
	}
	for _, node := range s.cloudNodes(t) {
		conf, err := s.lab.Output(t.Context(), node, "ls", "/etc/cni/net.d")
		if err != nil || strings.Contains(conf, "terway") {
			t.Errorf("%s: CNI configuration left: %q %v", node, conf, err)
		}
		rules, err := s.lab.Output(t.Context(), node, "ip", "rule")
		if err != nil || strings.Count(rules, "\n") != 3 {
			t.Errorf("%s: rules left:\n%s%v", node, rules, err)
		}
	}
}

// exhaustion fills the pod vSwitch from elsewhere, sees a pod wait with the reason in its event, and frees it again.
func (s *story) exhaustion(t *testing.T) {
	release := s.fill(t, lab.PodsI)
	s.kubectl(t, "scale", "deploy/hello", "--replicas=30")
	eventually(t, func() string {
		events := s.kubectl(t, "get", "events", "--field-selector=reason=AllocIPFailed", "-o", "jsonpath={.items[*].message}")
		if !strings.Contains(events, lab.PodsI) {
			return "no event names the exhausted vSwitch; events: " + events
		}
		return ""
	})
	release()
	eventually(t, func() string {
		ready := s.kubectl(t, "get", "deploy/hello", "-o", "jsonpath={.status.readyReplicas}")
		if n, _ := strconv.Atoi(ready); n != 30 {
			return ready + " of 30 pods are ready"
		}
		return ""
	})
}
