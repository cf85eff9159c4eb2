package connectivity

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/onectl/onectl/pkg/onectl/connectivity/job"
	"github.com/onectl/onectl/pkg/onectl/preflight"
	"github.com/onectl/onectl/pkg/testkit"
)

func TestChooseSpreadsOverZonesAndLeavesUnreadyNodes(t *testing.T) {
	nodes := []Node{
		{"c1", Cloud, true, "i"}, {"c2", Cloud, true, "i"}, {"c3", Cloud, true, "j"}, {"c0", Cloud, false, "k"},
		{"d2", DataCentre, true, ""}, {"d1", DataCentre, true, ""}, {"d3", DataCentre, true, ""},
	}
	for perSide, want := range map[int]string{1: "d1 c1", 2: "d1 d2 c1 c3", 3: "d1 d2 d3 c1 c3 c2", 9: "d1 d2 d3 c1 c3 c2"} {
		var got []string
		for _, n := range Choose(nodes, perSide) {
			got = append(got, n.Name)
		}
		if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
			t.Errorf("%d a side: %s", perSide, diff)
		}
	}
}

func TestObjectsGolden(t *testing.T) {
	p := running(options(), 1)
	clients, err := p.Then()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, object := range append(p.First(), clients[:1]...) {
		part, err := yaml.Marshal(object.Object)
		if err != nil {
			t.Fatal(err)
		}
		text.WriteString("---\n" + string(part))
	}
	testkit.Golden(t, "testdata/objects.golden", text.String())
}

func TestWithoutAPodNetworkInTheDataCentreItsServiceLeadsToNodes(t *testing.T) {
	o := options()
	o.NoPods = true
	p := running(o, 1)
	var ends []string
	for _, e := range p.ends() {
		ends = append(ends, e.String())
	}
	if diff := cmp.Diff([]string{"data centre node", "cloud pod", "cloud node"}, ends); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"agent-node-data-centre-1"}, p.behind(DataCentre)); diff != "" {
		t.Error(diff)
	}
	r := Assess(p.measure(func(End, End, string) job.Fault { return "" }), nil)
	if !r.Passed || len(r.Cells) != 3*6 {
		t.Errorf("%d cells, passed %v: %v", len(r.Cells), r.Passed, r.Bad())
	}
}

func TestAJobLeavesOutWhatDoesNotRun(t *testing.T) {
	p := running(options(), 1)
	for i, agent := range p.Agents {
		if agent.End == cloudPod {
			p.Agents[i].Addresses, p.Agents[i].Problem = nil, "ErrImagePull"
		}
	}
	text, err := json.Marshal(p.Job(p.Clients[0]))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "agent-pod-cloud") || strings.Contains(string(text), "service-cloud") {
		t.Errorf("it asks for what is not there: %s", text)
	}
	r := Assess(p.measure(func(End, End, string) job.Fault { return "" }), nil)
	for _, to := range []End{cloudPod, cloudService} {
		if cell, _ := r.At(dcPod, to, "IPv4"); cell.State != Unknown || cell.Hop != PodStart || !strings.Contains(cell.Why, "ErrImagePull") {
			t.Errorf("%s: %+v", to, cell)
		}
	}
	if cell, _ := r.At(dcPod, cloudNode, "IPv4"); cell.State != OK || r.Passed {
		t.Errorf("the rest is measured all the same, got %+v, passed %v", cell, r.Passed)
	}
}

func TestBothFamiliesAreMeasured(t *testing.T) {
	p := running(options(), 1)
	for i := range p.Agents {
		p.Agents[i].Addresses = append(p.Agents[i].Addresses, netip.AddrFrom16([16]byte{0: 0xfd, 15: byte(i + 1)}))
	}
	p.Service[Cloud] = append(p.Service[Cloud], netip.MustParseAddr("fd00::2"))
	p.Service[DataCentre] = append(p.Service[DataCentre], netip.MustParseAddr("fd00::1"))
	r := Assess(p.measure(func(End, End, string) job.Fault { return "" }), nil)
	if diff := cmp.Diff([]string{"IPv4", "IPv6"}, r.Families); diff != "" || !r.Passed || len(r.Cells) != 4*7+4*6 {
		t.Errorf("%s; %d cells, bad: %+v", diff, len(r.Cells), r.Bad())
	}
	if m := r.Matrix("IPv6"); len(m.Cols) != 6 || m.At(0, 5).State != "ok" {
		t.Errorf("got %+v", m)
	}
}

func TestLeftoversAreThoseWhoseTimeIsOver(t *testing.T) {
	o := options()
	kept := o
	kept.Keep = true
	foreign := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": NamespacePrefix + "mine", "annotations": map[string]any{annotationUntil: "2020-01-01T00:00:00Z"}}}}
	tests := []struct {
		name      string
		namespace *unstructured.Unstructured
		after     time.Duration
		want      bool
	}{
		{"its time is over", o.namespace(), o.Timeout + time.Second, true},
		{"it may still go on", o.namespace(), o.Timeout - time.Second, false},
		{"kept on purpose", kept.namespace(), time.Hour, false},
		{"without our label", foreign, time.Hour, false},
	}
	for _, tt := range tests {
		if got := Leftover(*tt.namespace, o.Now.Add(tt.after)); got != tt.want {
			t.Errorf("%s: want %v, got %v", tt.name, tt.want, got)
		}
	}
}

func TestADataCentreWithoutPodsOfItsOwnNetworkHasNone(t *testing.T) {
	facts := func(cloudPods, dcPods int) preflight.Facts {
		return preflight.Facts{Nodes: preflight.Known([]preflight.Node{{Name: "c", Cloud: true, Pods: cloudPods}, {Name: "d", Pods: dcPods}})}
	}
	tests := []struct {
		name     string
		scenario string
		facts    preflight.Facts
		want     bool
	}{
		{"host, and only the cloud has such pods", "host", facts(3, 0), true},
		{"no plugin was recognised, but there are such pods", "host", facts(3, 1), false},
		{"another scenario", "bgp", facts(3, 0), false},
		{"nodes are not known", "host", preflight.Facts{}, false},
	}
	for _, tt := range tests {
		if got := NoPods(tt.scenario, tt.facts); got != tt.want {
			t.Errorf("%s: want %v, got %v", tt.name, tt.want, got)
		}
	}
}
