package connectivity

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/onectl/onectl/pkg/onectl/connectivity/job"
)

// options are those of most tests.
func options() Options {
	return Options{Run: "abcd", Image: "registry/terway:v1", Port: 21000, Timeout: time.Minute, Patience: time.Second, Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

// running is a plan of n nodes a side whose agents all run and whose Services have addresses.
func running(o Options, n int) Plan {
	var nodes []Node
	for i := range n {
		nodes = append(nodes, Node{Name: fmt.Sprintf("dc-%d", i+1), Side: DataCentre, Ready: true}, Node{Name: fmt.Sprintf("cloud-%d", i+1), Side: Cloud, Ready: true})
	}
	p := NewPlan(o, Choose(nodes, n))
	for i := range p.Agents {
		p.Agents[i].Addresses = []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)})}
	}
	p.Service[DataCentre] = []netip.Addr{netip.MustParseAddr("10.96.0.1")}
	p.Service[Cloud] = []netip.Addr{netip.MustParseAddr("10.96.0.2")}
	return p
}

// network says what becomes of a packet from an end to another, for one check: "tcp", "udp", "large" or "dns".
type network func(from, to End, check string) job.Fault

// measure has every client ask what its job says, and the network answer.
func (p Plan) measure(n network) Plan {
	for i, client := range p.Clients {
		p.Clients[i].Results = nil
		j := p.Job(client)
		for _, target := range j.Targets {
			p.Clients[i].Results = append(p.Clients[i].Results, p.reach(n, client.End, target.ID))
		}
		for _, lookup := range j.Lookups {
			p.Clients[i].Results = append(p.Clients[i].Results, job.Result{ID: lookup.ID, DNS: answer(n(client.End, End{Kind: Names}, "dns")), Latency: time.Millisecond})
		}
	}
	return p
}

func (p Plan) reach(n network, from End, id string) job.Result {
	to := p.endOf(id)
	result := job.Result{ID: id, TCP: answer(n(from, to, "tcp")), UDP: answer(n(from, to, "udp"))}
	if result.TCP.Passed() {
		result.Latency = 300 * time.Microsecond
	}
	if result.UDP.Passed() {
		result.Large = answer(n(from, to, "large"))
		result.MTU, result.PathMTU = 1500, 1500
		if result.Large.Failed() {
			result.PathMTU = 1400
		}
	}
	return result
}

func (p Plan) endOf(id string) End {
	name, _, _ := strings.Cut(id, "/")
	for _, agent := range p.Agents {
		if agent.Name == name {
			return agent.End
		}
	}
	return End{Service, Side(strings.TrimPrefix(name, "service-"))}
}

func answer(fault job.Fault) job.Answer {
	if fault == "" {
		return job.Answer{Done: true}
	}
	return job.Answer{Done: true, Fault: fault, Detail: "as the test wants it"}
}

// behindServices has Services fare as the pods behind them, and DNS as a Service of the data centre.
func behindServices(n network) network {
	return func(from, to End, check string) job.Fault {
		switch to.Kind {
		case Service:
			return n(from, End{Pod, to.Side}, check)
		case Names:
			return n(from, End{Pod, DataCentre}, "udp")
		}
		return n(from, to, check)
	}
}
