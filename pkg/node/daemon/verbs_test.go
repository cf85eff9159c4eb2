package daemon

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/pool"
)

func TestCheckTellsEveryDifference(t *testing.T) {
	b := newBench(t)
	b.ask(t, request(cni.Add, "c1"))
	if reply := b.ask(t, request(cni.Check, "c1")); reply.Error != nil {
		t.Fatalf("CHECK of what ADD left: %v", reply.Error)
	}
	b.kernel.differences = []string{"host: link calia is missing"}
	b.pool.status.Vanished = []pool.Holding{{Owner: "c1/eth0"}}
	r := request(cni.Check, "c1")
	r.Config = json.RawMessage(`{"cniVersion":"1.1.0","prevResult":{"ips":[{"address":"10.0.16.77/32"}]}}`)
	reply := b.ask(t, r)
	if reply.Error == nil {
		t.Fatal("CHECK succeeded")
	}
	want := "host: link calia is missing; address 10.0.16.1 is not assigned to ENI eni-1 any more; the runtime remembers another address than 10.0.16.1"
	if diff := cmp.Diff(want, reply.Error.Details); diff != "" {
		t.Error(diff)
	}
}

func TestStatus(t *testing.T) {
	exhausted := pool.Problem{Reason: pool.Exhausted, Subject: "vsw-1", Message: "no free address; add a vSwitch"}
	gone := []pool.Holding{{Owner: "c1/eth0"}}
	tests := []struct {
		name   string
		status pool.Status
		code   uint
	}{
		{"not read yet", pool.Status{}, cni.CodeUnavailable},
		{"idle addresses as the metadata service shows them", pool.Status{Idle: 1}, 0},
		{"one of two vSwitches is exhausted", pool.Status{Ready: true, Problems: []pool.Problem{exhausted}}, 0},
		{"nothing wrong", pool.Status{Ready: true}, 0},
		{"exhausted", pool.Status{Ready: true, Obstacle: exhausted}, cni.CodeUnavailable},
		{"exhausted, and pods without network", pool.Status{Ready: true, Obstacle: exhausted, Vanished: gone}, cni.CodeLimited},
		{"all that the instance carries is used", pool.Status{Ready: true, Used: 45, Capacity: 45, Obstacle: pool.Problem{Reason: pool.Full}}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t)
			b.pool.status = test.status
			reply := b.ask(t, cni.Request{Version: cni.Version, Verb: cni.Status})
			var got uint
			if reply.Error != nil {
				got = reply.Error.Code
			}
			if got != test.code {
				t.Errorf("code %d, want %d: %v", got, test.code, reply.Error)
			}
		})
	}
}

func TestGCGoesOnPastAFailureAndNeedsAList(t *testing.T) {
	b := newBench(t)
	for _, id := range []string{"c1", "c2", "c3"} {
		r := request(cni.Add, id)
		r.Args.PodName = id
		b.ask(t, r)
	}
	gc := cni.Request{Version: cni.Version, Verb: cni.GC, Network: "terway", Config: json.RawMessage(`{"name":"terway"}`)}
	if reply := b.ask(t, gc); reply.Error == nil || len(b.ledger.records) != 3 {
		t.Errorf("GC without a list: %v, %d records left", reply.Error, len(b.ledger.records))
	}
	b.script.breaks("pool.Release", errBroken)
	gc.Config = json.RawMessage(`{"name":"terway","cni.dev/valid-attachments":[{"containerID":"c2","ifname":"eth0"}]}`)
	reply := b.ask(t, gc)
	if reply.Error == nil || strings.Count(reply.Error.Msg, errBroken.Error()) != 2 {
		t.Errorf("GC = %v, want both failures", reply.Error)
	}
	if _, kept := b.ledger.records["c2/eth0"]; !kept || len(b.ledger.records) != 1 {
		t.Errorf("left: %v", b.ledger.records)
	}
}

func TestGCKeepsToItsNetworkAndReadsTheFormerKey(t *testing.T) {
	b := newBench(t)
	for id, network := range map[string]string{"c1": "terway", "c2": "other", "c3": ""} {
		r := request(cni.Add, id)
		r.Args.PodName, r.Network = id, network
		b.ask(t, r)
	}
	reply := b.ask(t, cni.Request{Version: cni.Version, Verb: cni.GC, Network: "terway", Config: json.RawMessage(`{"name":"terway","cni.dev/attachments":[]}`)})
	if _, kept := b.ledger.records["c2/eth0"]; reply.Error != nil || !kept || len(b.ledger.records) != 1 {
		t.Errorf("GC = %v, left: %v; want only the other network's", reply.Error, b.ledger.records)
	}
}

func TestResultIsOfTheVersionAskedFor(t *testing.T) {
	for _, version := range []string{"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"} {
		b := newBench(t)
		r := request(cni.Add, "c1")
		r.CNIVersion = version
		reply := b.ask(t, r)
		if reply.Error != nil {
			t.Errorf("%s: %v", version, reply.Error)
			continue
		}
		var got struct {
			CNIVersion string
			Interfaces []struct{ Name, Mac, Sandbox string }
			IPs        []struct {
				Version, Address, Gateway string
				Interface                 int
			}
			Routes []struct{ Dst, GW string }
		}
		if err := json.Unmarshal(reply.Result, &got); err != nil {
			t.Fatal(err)
		}
		if got.CNIVersion != version || len(got.Interfaces) != 2 || got.Interfaces[1].Sandbox != "/run/netns/c1" || got.Interfaces[0].Mac == "" ||
			got.IPs[0].Address != "10.0.16.1/32" || got.IPs[0].Gateway != "169.254.1.1" || got.IPs[0].Interface != 1 ||
			got.Routes[0].Dst != "0.0.0.0/0" || got.Routes[0].GW != "169.254.1.1" {
			t.Errorf("%s: %s", version, reply.Result)
		}
	}
	b := newBench(t)
	r := request(cni.Add, "c1")
	r.CNIVersion = "7.0.0"
	if reply := b.ask(t, r); reply.Error == nil || reply.Error.Code != cni.CodeIncompatible {
		t.Errorf("version 7.0.0: %v", reply.Error)
	}
}

func TestErrorsKeepTheirCode(t *testing.T) {
	b := newBench(t)
	b.script.breaks("kernel.Add", errors.Join(errBroken, &cni.Error{Code: cni.CodeInvalidNetNS, Msg: "gone"}))
	if reply := b.ask(t, request(cni.Add, "c1")); reply.Error == nil || reply.Error.Code != cni.CodeInvalidNetNS {
		t.Errorf("reply %v", reply.Error)
	}
}
