package connectivity

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/onectl/onectl/pkg/onectl/connectivity/job"
	"github.com/onectl/onectl/pkg/onectl/kube/kubetest"
	"github.com/onectl/onectl/pkg/testkit"
)

// kubelets stands for every kubelet and kube-proxy at once: the probe really runs, each agent at a loopback address of its
// own, and each Service's address is one where an agent of it answers too.
type kubelets struct {
	t      *testing.T
	server *kubetest.Server
	probe  string
	broken func(pod string) string // why a pod does not start; "" when it does
	net    [2]byte                 // by chance: tests run side by side

	mu       sync.Mutex
	started  map[string]bool
	services map[string]netip.Addr // by name
	names    map[string]netip.Addr // what DNS knows, "service-cloud.namespace.svc."
	dns      string
	wait     sync.WaitGroup
}

// buildProbe builds cmd/probe.
func buildProbe(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "probe")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../../../../cmd/probe").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// run looks for pods until ctx ends, and waits for all of its processes then.
func run(t *testing.T, server *kubetest.Server, broken func(string) string) {
	k := &kubelets{t: t, server: server, probe: buildProbe(t), broken: broken, net: [2]byte{byte(1 + rand.IntN(250)), byte(1 + rand.IntN(120))}, started: map[string]bool{}, services: map[string]netip.Addr{}, names: map[string]netip.Addr{}}
	k.dns = testkit.DNS(t, 0, func(name string) netip.Addr {
		k.mu.Lock()
		defer k.mu.Unlock()
		return k.names[name]
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(func() { cancel(); k.wait.Wait() })
	k.wait.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			for _, name := range server.Names() {
				k.see(ctx, name)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
}

// see starts what is new: "Pod namespace/name".
func (k *kubelets) see(ctx context.Context, id string) {
	kind, at, _ := strings.Cut(id, " ")
	namespace, name, _ := strings.Cut(at, "/")
	if k.started[id] || kind == "Pod" && serviceOf(name) != "" && !k.services[serviceOf(name)].IsValid() {
		return
	}
	k.started[id] = true
	n := byte(len(k.started))
	switch object := k.server.Object("v1", kind, namespace, name); {
	case object == nil:
	case kind == "Service":
		address := netip.AddrFrom4([4]byte{127, k.net[0], n, 2 * k.net[1]})
		k.mu.Lock()
		k.services[name], k.names[name+"."+namespace+".svc."] = address, address
		k.names["kubernetes.default.svc."] = netip.MustParseAddr("10.96.0.1")
		k.mu.Unlock()
		_ = unstructured.SetNestedField(object.Object, address.String(), "spec", "clusterIP")
		k.put(object)
	case kind == "Pod" && k.broken(name) != "":
		k.status(object, map[string]any{"phase": "Pending", "containerStatuses": []any{map[string]any{"state": map[string]any{"waiting": map[string]any{"reason": k.broken(name)}}}}})
	case kind == "Pod" && strings.HasPrefix(name, "agent-"):
		k.agent(ctx, object, netip.AddrFrom4([4]byte{127, k.net[0], n, 2*k.net[1] + 1}))
	case kind == "Pod":
		k.wait.Go(func() { k.client(ctx, object) })
	}
}

func (k *kubelets) put(object *unstructured.Unstructured) {
	text, err := yaml.Marshal(object.Object)
	if err != nil {
		k.t.Error(err)
	}
	k.server.Put(k.t, string(text))
}

func (k *kubelets) status(pod *unstructured.Unstructured, status map[string]any) {
	pod.Object["status"] = status
	k.put(pod)
}

// args are those of the pod's container, with its address in place of the variable.
func args(pod *unstructured.Unstructured, address netip.Addr) []string {
	containers, _, _ := unstructured.NestedSlice(pod.Object, "spec", "containers")
	list, _, _ := unstructured.NestedStringSlice(containers[0].(map[string]any), "args")
	for i, arg := range list {
		list[i] = strings.ReplaceAll(arg, "$(ADDRESSES)", address.String())
	}
	return list
}

func (k *kubelets) agent(ctx context.Context, pod *unstructured.Unstructured, address netip.Addr) {
	k.start(ctx, args(pod, address))
	if service := serviceOf(pod.GetName()); service != "" {
		k.start(ctx, []string{"agent", "-listen=" + k.services[service].String(), fmt.Sprintf("-port=%d", job.Port), "-name=" + pod.GetName()})
	}
	k.status(pod, map[string]any{"phase": "Running", "podIP": address.String()})
}

// serviceOf is the Service that an agent is behind, "" for none.
func serviceOf(pod string) string {
	side, behind := strings.CutPrefix(pod, "agent-pod-")
	if !behind {
		return ""
	}
	return "service-" + strings.TrimRight(side, "-0123456789")
}

func (k *kubelets) start(ctx context.Context, args []string) {
	k.wait.Go(func() {
		var out bytes.Buffer
		c := exec.CommandContext(ctx, k.probe, args...)
		c.Stderr = &out
		if err := c.Run(); ctx.Err() == nil {
			k.t.Errorf("%v: %v: %s", args, err, &out)
		}
	})
}

// client runs a client to its end; its lookups ask the test's DNS server.
func (k *kubelets) client(ctx context.Context, pod *unstructured.Unstructured) {
	given := args(pod, netip.Addr{})
	var j job.Job
	if err := json.Unmarshal([]byte(given[1]), &j); err != nil {
		k.t.Error(err)
	}
	for i := range j.Lookups {
		j.Lookups[i].Server = k.dns
		j.Lookups[i].Name += "." // not completed by what this machine searches
	}
	j.Patience = 2 * time.Second
	text, err := json.Marshal(j)
	if err != nil {
		k.t.Error(err)
	}
	out, err := exec.CommandContext(ctx, k.probe, given[0], string(text)).Output()
	if err != nil {
		return // the test is over
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	k.status(pod, map[string]any{"phase": "Succeeded", "containerStatuses": []any{map[string]any{"state": map[string]any{"terminated": map[string]any{"message": lines[len(lines)-1]}}}}})
}
