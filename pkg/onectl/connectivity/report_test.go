package connectivity

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/onectl/onectl/pkg/onectl/connectivity/job"
	"github.com/onectl/onectl/pkg/onectl/preflight"
	"github.com/onectl/onectl/pkg/testkit"
)

func TestReportGolden(t *testing.T) {
	tests := map[string]network{
		"passed":         func(End, End, string) job.Fault { return "" },
		"security-group": filtered(func(from, to End) bool { return from.Side == DataCentre && to.Side == Cloud }),
		"mtu":            only("large", job.TooBig, func(from, to End) bool { return from.Side != to.Side && to.Side != "" }),
	}
	for name, net := range tests {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			if err := Assess(running(options(), 2).measure(net), nil).Write(&text); err != nil {
				t.Fatal(err)
			}
			testkit.Golden(t, "testdata/report-"+name+".golden", text.String())
		})
	}
}

func TestOneBadPairOfManyMakesACellFailAndIsNamed(t *testing.T) {
	p := running(options(), 2).measure(func(End, End, string) job.Fault { return "" })
	last := &p.Clients[len(p.Clients)-2] // a pod of the second cloud node
	for i, r := range last.Results {
		if r.ID == "agent-pod-data-centre-1/IPv4" {
			last.Results[i].TCP = answer(job.Timeout)
		}
	}
	cell, _ := Assess(p, nil).At(cloudPod, dcPod, "IPv4")
	want := Check{Passed: 3, Failed: 1, Fault: job.Timeout, Detail: "client-pod-cloud-2 on cloud-2 to 10.0.0.1 on dc-1: as the test wants it"}
	if diff := cmp.Diff(want, cell.TCP); diff != "" || cell.State != Failed {
		t.Errorf("%s %s", cell.State, diff)
	}
}

func TestAClientThatTellsNothingLeavesItsCellsUnknown(t *testing.T) {
	p := running(options(), 1).measure(func(End, End, string) job.Fault { return "" })
	for i := range p.Clients {
		if p.Clients[i].End == cloudPod {
			p.Clients[i].Results, p.Clients[i].Problem = nil, "FailedCreatePodSandBox: no address"
		}
	}
	r := Assess(p, nil)
	if cell, _ := r.At(cloudPod, dcPod, "IPv4"); cell.State != Unknown || cell.Hop != PodStart || !strings.Contains(cell.Why, "no address") {
		t.Errorf("got %+v", cell)
	}
	if cell, _ := r.At(dcPod, cloudPod, "IPv4"); cell.State != OK || r.Passed {
		t.Errorf("got %+v, passed %v", cell, r.Passed)
	}
	if got := r.Matrix("IPv4").At(2, 0); got.State != preflight.CellUnknown || got.Note != "likely pod start" {
		t.Errorf("got %+v", got)
	}
}

func TestObserve(t *testing.T) {
	tests := []struct {
		name, status string
		want         Observed
	}{
		{"running", `{phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]}`, Observed{Running: true}},
		{"done", `{phase: Succeeded, containerStatuses: [{state: {terminated: {message: last words}}}]}`, Observed{Over: true, Message: "last words"}},
		{"waits", `{phase: Pending, containerStatuses: [{state: {waiting: {reason: ErrImagePull, message: not found}}}]}`, Observed{Waiting: "ErrImagePull: not found"}},
		{"refused by the kubelet", `{phase: Failed, reason: NodePorts, message: the port is taken}`, Observed{Over: true, Waiting: "NodePorts: the port is taken"}},
		{"not seen by the kubelet", `{phase: Pending}`, Observed{Waiting: "it is Pending"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pod := unstructured.Unstructured{Object: map[string]any{}}
			if err := yaml.Unmarshal([]byte("status: "+tt.status), &pod.Object); err != nil {
				t.Fatal(err)
			}
			got := Observe(pod)
			if tt.name == "running" && len(got.Addresses) != 2 {
				t.Errorf("addresses %v", got.Addresses)
			}
			got.Addresses = nil
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestClientsAreHeardByTheirLastWordsThenByTheirLog(t *testing.T) {
	line, err := job.Pack([]job.Result{{ID: "a"}})
	if err != nil {
		t.Fatal(err)
	}
	away := errors.New("dial tcp 10.0.1.1:10250: i/o timeout")
	tests := []struct {
		name    string
		pod     Observed
		log     string
		err     error
		results int
		problem string
	}{
		{"the message, though the log can not be read", Observed{Over: true, Message: line}, "", away, 1, ""},
		{"the log", Observed{Over: true}, line, nil, 1, ""},
		{"neither", Observed{Over: true}, "", away, 0, "i/o timeout"},
		{"another program", Observed{Over: true}, "usage: terwayd", nil, 0, "usage: terwayd"},
		{"out of time", Observed{Over: true, Waiting: "DeadlineExceeded: too long"}, "", nil, 0, "DeadlineExceeded"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var c Client
			c.Hear(tt.pod, func() ([]byte, error) { return []byte(tt.log), tt.err })
			if len(c.Results) != tt.results || !strings.Contains(c.Problem, tt.problem) || (tt.problem == "") != (c.Problem == "") {
				t.Errorf("%d results, problem %q", len(c.Results), c.Problem)
			}
		})
	}
}
