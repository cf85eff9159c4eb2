package connectivity

import (
	"strings"
	"testing"

	"github.com/onectl/onectl/pkg/onectl/connectivity/job"
	"github.com/onectl/onectl/pkg/onectl/preflight"
)

var (
	dcPod, dcNode, dcService          = End{Pod, DataCentre}, End{Host, DataCentre}, End{Service, DataCentre}
	cloudPod, cloudNode, cloudService = End{Pod, Cloud}, End{Host, Cloud}, End{Service, Cloud}
	dns                               = End{Kind: Names}
)

// lost has packets vanish if drop says so, there or, as nothing can be heard then, back.
func lost(drop func(from, to End) bool) network {
	return behindServices(func(from, to End, _ string) job.Fault {
		if drop(from, to) || drop(to, from) {
			return job.Timeout
		}
		return ""
	})
}

// filtered has what begins from one end to another vanish; answers pass.
func filtered(drop func(from, to End) bool) network {
	return behindServices(func(from, to End, _ string) job.Fault {
		if drop(from, to) {
			return job.Timeout
		}
		return ""
	})
}

func only(check string, fault job.Fault, is func(from, to End) bool) network {
	return func(from, to End, c string) job.Fault {
		if c == check && is(from, to) {
			return fault
		}
		return ""
	}
}

func TestFailuresNameTheLikelyHop(t *testing.T) {
	across := func(from, to End) bool { return from.Side != to.Side && to.Side != "" }
	type path struct {
		from, to End
		hop      Hop
	}
	tests := []struct {
		name  string
		net   network
		clues Clues
		want  []path // the rest must be OK, or of no interest when others is set
		other bool
	}{
		{name: "all works", net: func(End, End, string) job.Fault { return "" }},
		{name: "nothing crosses", net: lost(across), other: true,
			want: []path{{cloudPod, dcPod, Route}, {dcNode, cloudNode, Route}, {dcPod, cloudService, Route}, {cloudPod, dns, Route}}},
		{name: "the VPC has no route to the data centre's pods", net: lost(func(from, to End) bool { return from.Side == Cloud && to == dcPod }), other: true,
			want: []path{{cloudPod, dcPod, Route}, {dcPod, cloudNode, Route}, {cloudNode, dcService, Route}, {cloudNode, dns, Route}}},
		{name: "the data centre has no route to cloud pods", net: lost(func(from, to End) bool { return from.Side == DataCentre && to == cloudPod }), other: true,
			want: []path{{dcPod, cloudPod, Route}, {cloudPod, dcNode, Route}, {dcNode, cloudService, Route}}},
		{name: "the security group lets nothing from the data centre in", net: filtered(func(from, to End) bool { return across(from, to) && to.Side == Cloud }), other: true,
			want: []path{{dcPod, cloudPod, SecurityGroup}, {dcNode, cloudNode, SecurityGroup}, {dcPod, cloudService, SecurityGroup}}},
		{name: "the security group lacks the data centre's pods", net: filtered(func(from, to End) bool { return from == dcPod && to.Side == Cloud }), other: true,
			want: []path{{dcPod, cloudPod, SecurityGroup}, {dcPod, cloudNode, SecurityGroup}}},
		{name: "the security group lets nobody to cloud pods, not even each other", net: filtered(func(_, to End) bool { return to == cloudPod }), other: true,
			want: []path{{cloudPod, cloudPod, SecurityGroup}, {dcPod, cloudPod, SecurityGroup}, {cloudNode, cloudService, SecurityGroup}}},
		{name: "UDP is filtered", net: only("udp", job.Timeout, func(from, to End) bool { return from == dcPod && to == cloudPod }),
			want: []path{{dcPod, cloudPod, SecurityGroup}}},
		{name: "a filter rejects", net: only("tcp", job.Refused, func(from, to End) bool { return from == dcPod && to == cloudPod }),
			want: []path{{dcPod, cloudPod, SecurityGroup}}},
		{name: "a router has no route", net: behindServices(func(from, to End, _ string) job.Fault {
			if from == cloudPod && to == dcPod {
				return job.Unreachable
			}
			return ""
		}), other: true, want: []path{{cloudPod, dcPod, Route}, {cloudPod, dcService, Route}, {cloudPod, dns, Route}}},
		{name: "large packets do not cross", net: only("large", job.TooBig, across), other: true,
			want: []path{{cloudPod, dcPod, MTU}, {dcNode, cloudNode, MTU}, {dcPod, cloudService, MTU}}},
		{name: "kube-proxy does not run on cloud nodes", net: func(from, to End, _ string) job.Fault {
			if from.Side == Cloud && (to.Kind == Service || to.Kind == Names) {
				return job.Timeout
			}
			return ""
		}, want: []path{{cloudPod, dcService, KubeProxy}, {cloudPod, cloudService, KubeProxy}, {cloudNode, dcService, KubeProxy}, {cloudNode, cloudService, KubeProxy}, {cloudPod, dns, KubeProxy}, {cloudNode, dns, KubeProxy}}},
		{name: "the DNS server is down", net: only("dns", job.Timeout, func(End, End) bool { return true }),
			want: []path{{dcPod, dns, DNS}, {dcNode, dns, DNS}, {cloudPod, dns, DNS}, {cloudNode, dns, DNS}}},
		{name: "the DNS server does not know", net: only("dns", job.NotFound, func(from, _ End) bool { return from == cloudPod }), want: []path{{cloudPod, dns, DNS}}},
		{name: "somebody else has the address", net: only("tcp", job.Stranger, func(from, to End) bool { return from == cloudNode && to == dcPod }), want: []path{{cloudNode, dcPod, Overlap}}},
		{name: "the data centre's own network is broken", net: lost(func(from, to End) bool { return from == dcPod && to == dcPod }), other: true, want: []path{{dcPod, dcPod, Route}}},
		{name: "preflight saw the data centre's plugin on cloud nodes", net: lost(func(from, to End) bool { return from.Side == DataCentre && to == cloudPod }), other: true,
			clues: Clues{Separation: {"separation-cni-pods: calico-node runs on cloud-1"}}, want: []path{{dcPod, cloudPod, Separation}}},
		{name: "preflight saw a closed security group", net: lost(across), other: true,
			clues: Clues{SecurityGroup: {"security-group-pods: closed"}}, want: []path{{dcPod, cloudPod, SecurityGroup}}},
		{name: "what preflight saw elsewhere does not count", net: only("large", job.TooBig, func(from, to End) bool { return from == cloudPod && to == dcPod }),
			clues: Clues{SecurityGroup: {"closed"}, Separation: {"there"}}, want: []path{{cloudPod, dcPod, MTU}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := Assess(running(options(), 2).measure(tt.net), tt.clues)
			for _, want := range tt.want {
				got, found := r.At(want.from, want.to, "IPv4")
				if !found || got.State != Failed || got.Hop != want.hop || got.Why == "" {
					t.Errorf("%s to %s: want %s, got %s %q: %s", want.from, want.to, want.hop, got.State, got.Hop, got.Why)
				}
			}
			if bad := len(r.Bad()); !tt.other && bad != len(tt.want) || r.Passed != (len(tt.want) == 0) {
				t.Errorf("%d cells are bad, want %d; passed: %v", bad, len(tt.want), r.Passed)
			}
		})
	}
}

func TestEvidenceOfPreflightIsShownWithTheCell(t *testing.T) {
	clues := Clues{MTU: {"mtu-end-to-end: 1400 on the way"}}
	r := Assess(running(options(), 1).measure(only("large", job.TooBig, func(from, to End) bool { return from == cloudPod && to == dcPod })), clues)
	cell, _ := r.At(cloudPod, dcPod, "IPv4")
	if len(cell.Evidence) != 1 || cell.Evidence[0] != clues[MTU][0] || !strings.Contains(cell.Why, "1500") || !strings.Contains(cell.Why, "1400") {
		t.Errorf("got %+v", cell)
	}
}

func TestCluesAreWhatPreflightFoundWrong(t *testing.T) {
	results := []preflight.Result{}
	for id, outcome := range map[string]preflight.Outcome{
		"separation-cni-pods": preflight.OutcomeFail, "dns-ready": preflight.OutcomePass, "bgp-session": preflight.OutcomeWarn,
		"security-group-pods": preflight.OutcomeFail, "kube-proxy-mode": preflight.OutcomeUnknown, "agent-ready": preflight.OutcomeFail, "pod-cidr-overlap": preflight.OutcomeFail,
	} {
		results = append(results, preflight.Result{Finding: preflight.Finding{Check: id, Outcome: outcome, Summary: "so"}})
	}
	clues := CluesOf(preflight.Report{Results: results})
	for hop, want := range map[Hop]string{Separation: "separation-cni-pods: so", Route: "bgp-session: so", SecurityGroup: "security-group-pods: so", Overlap: "pod-cidr-overlap: so"} {
		if len(clues[hop]) != 1 || clues[hop][0] != want {
			t.Errorf("%s: got %q", hop, clues[hop])
		}
	}
	if len(clues) != 4 {
		t.Errorf("got %v", clues)
	}
}
