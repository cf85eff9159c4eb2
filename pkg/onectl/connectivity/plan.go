package connectivity

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/onectl/onectl/pkg/onectl/connectivity/job"
)

// Options say how a test is run.
type Options struct {
	Run      string        // a random word: part of the namespace's name
	Image    string        // has /probe
	Port     uint16        // of agents with their node's network, over TCP and UDP
	Timeout  time.Duration // after which the kubelets end every pod, whatever became of onectl
	Patience time.Duration // how long one check is tried
	Now      time.Time
	Keep     bool   // the namespace stays, and no later run takes it for a leftover
	Scenario string // overlay, bgp, host, or "" when it is not known; for the report
	NoPods   bool   // the data centre has no pod network: pods there have their nodes'
}

// Namespace is where everything of the run is.
func (o Options) Namespace() string { return NamespacePrefix + o.Run }

// Plan is what a test runs: an agent and later a client for each end, on each chosen node, and a Service a side.
type Plan struct {
	Options Options
	Agents  []Agent
	Clients []Client
	Service map[Side][]netip.Addr // addresses of each side's Service, known once they are made
}

// Agent is a pod that answers.
type Agent struct {
	Name      string
	End       End
	Node      string
	Addresses []netip.Addr // known once it runs; one a family
	Problem   string       // why it does not run
}

// Client is a pod that asks.
type Client struct {
	Name    string
	End     End
	Node    string
	Results []job.Result // known once it has finished
	Problem string       // why there are none
}

// NewPlan is the plan for some nodes.
func NewPlan(o Options, nodes []Node) Plan {
	p := Plan{Options: o, Service: map[Side][]netip.Addr{}}
	count := map[Side]int{}
	for _, node := range nodes {
		count[node.Side]++
		for _, kind := range []Kind{Pod, Host} {
			if kind == Pod && o.NoPods && node.Side == DataCentre {
				continue
			}
			name := fmt.Sprintf("%s-%s-%d", kind, string(node.Side), count[node.Side])
			end := End{Kind: kind, Side: node.Side}
			p.Agents = append(p.Agents, Agent{Name: "agent-" + name, End: end, Node: node.Name})
			p.Clients = append(p.Clients, Client{Name: "client-" + name, End: end, Node: node.Name})
		}
	}
	return p
}

// Behind is the kind of a side's agents that are the endpoints of its Service: pods, where there is a pod network.
func (p Plan) Behind(side Side) Kind {
	if slices.ContainsFunc(p.Agents, func(a Agent) bool { return a.End == End{Pod, side} }) {
		return Pod
	}
	return Host
}

// ends are the agents' ends in the order reports show them, each once.
func (p Plan) ends() []End {
	var all []End
	for _, side := range []Side{DataCentre, Cloud} {
		for _, kind := range []Kind{Pod, Host} {
			if end := (End{kind, side}); slices.ContainsFunc(p.Agents, func(a Agent) bool { return a.End == end }) {
				all = append(all, end)
			}
		}
	}
	return all
}

// targets are the columns of the matrix.
func (p Plan) targets() []End {
	var all []End
	for _, side := range []Side{DataCentre, Cloud} {
		for _, end := range p.ends() {
			if end.Side == side {
				all = append(all, end)
			}
		}
		all = append(all, End{Service, side})
	}
	return append(all, End{Kind: Names})
}

// Families are the IP families of the run: those of its agents' addresses, IPv4 first.
func (p Plan) Families() []string {
	seen := map[string]bool{}
	for _, agent := range p.Agents {
		for _, a := range agent.Addresses {
			seen[Family(a)] = true
		}
	}
	return slices.DeleteFunc([]string{"IPv4", "IPv6"}, func(f string) bool { return !seen[f] })
}

// IDs of what a job asks for: "agent-pod-cloud-1/IPv4", "service-cloud/IPv4", "kubernetes".
func targetID(name string, address netip.Addr) string { return name + "/" + Family(address) }

// Job is what a client is asked: every agent and Service, and the names of the Services. It is complete once the agents run.
func (p Plan) Job(c Client) job.Job {
	j := job.Job{Patience: p.Options.Patience, Fresh: c.End.Kind == Pod}
	for _, agent := range p.Agents {
		for _, a := range agent.Addresses {
			j.Targets = append(j.Targets, job.Target{ID: targetID(agent.Name, a), Address: netip.AddrPortFrom(a, p.PortOf(agent.End)), Names: []string{agent.Name}})
		}
	}
	j.Lookups = []job.Lookup{{ID: "kubernetes", Name: "kubernetes.default.svc"}}
	for _, side := range []Side{DataCentre, Cloud} {
		addresses := p.Service[side]
		names := p.behind(side)
		if len(addresses) == 0 || len(names) == 0 {
			continue
		}
		for _, a := range addresses {
			j.Targets = append(j.Targets, job.Target{ID: targetID(ServiceName(side), a), Address: netip.AddrPortFrom(a, job.Port), Names: names})
		}
		j.Lookups = append(j.Lookups, job.Lookup{ID: ServiceName(side), Name: ServiceName(side) + "." + p.Options.Namespace() + ".svc", Want: addresses})
	}
	return j
}

// behind are the names of the running agents of a side's Service.
func (p Plan) behind(side Side) []string {
	var names []string
	for _, agent := range p.Agents {
		if agent.End == (End{p.Behind(side), side}) && len(agent.Addresses) > 0 {
			names = append(names, agent.Name)
		}
	}
	return names
}

// PortOf is the port of an end's agents.
func (p Plan) PortOf(e End) uint16 {
	if e.Kind == Host {
		return p.Options.Port
	}
	return job.Port
}

// ServiceName is the name of a side's Service.
func ServiceName(side Side) string { return "service-" + string(side) }
