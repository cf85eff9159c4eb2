package connectivity

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/onectl/onectl/pkg/onectl/connectivity/job"
)

// State is what became of a cell.
type State string

// The states.
const (
	OK      State = "ok"
	Failed  State = "fail"
	Unknown State = "unknown" // a probe did not run, or told nothing
)

// Check is one kind of check over all pairs of pods of a cell.
type Check struct {
	Passed int       `json:"passed"`
	Failed int       `json:"failed"`
	Fault  job.Fault `json:"fault,omitempty"`  // of the first pair that failed
	Detail string    `json:"detail,omitempty"` // who, and what it was told
}

// Bad reports whether a pair failed.
func (c Check) Bad() bool { return c.Failed > 0 }

// Cell is what was measured from one end to another.
type Cell struct {
	From     End           `json:"from"`
	To       End           `json:"to"`
	Family   string        `json:"family"` // IPv4 or IPv6; DNS is asked once, in the first family's row
	State    State         `json:"state"`
	TCP      Check         `json:"tcp,omitzero"`
	UDP      Check         `json:"udp,omitzero"`
	Large    Check         `json:"large,omitzero"` // packets of MTU bytes arrive whole
	DNS      Check         `json:"dns,omitzero"`
	P50      time.Duration `json:"p50,omitzero"`     // nanoseconds, to connect or to resolve: the median of the pairs' medians
	MTU      int           `json:"mtu,omitzero"`     // bytes that both ends' links allow, the least of the pairs
	PathMTU  int           `json:"pathMTU,omitzero"` // bytes that arrive, the least of the pairs
	Told     bool          `json:"told,omitempty"`   // routers say when a packet is too big
	Hop      Hop           `json:"hop,omitempty"`    // where packets are likely lost
	Why      string        `json:"why,omitempty"`    // what speaks for that, or why the cell is unknown
	Evidence []string      `json:"evidence,omitempty"`
}

// Report is the outcome of a test.
type Report struct {
	Scenario string   `json:"scenario,omitempty"`
	Image    string   `json:"image"`
	Nodes    []string `json:"nodes"` // probed, "cloud-1 (cloud)"
	Passed   bool     `json:"passed"`
	Families []string `json:"families"`
	Rows     []End    `json:"rows"`
	Cols     []End    `json:"cols"`
	Cells    []Cell   `json:"cells"`
}

// Assess makes the report of a plan whose clients have been heard. Clues may be zero.
func Assess(p Plan, clues Clues) Report {
	r := Report{Scenario: p.Options.Scenario, Image: p.Options.Image, Families: p.Families(), Rows: p.ends(), Cols: p.targets(), Passed: true}
	if len(r.Families) == 0 {
		r.Families = []string{"IPv4"} // no agent runs: every cell says why
	}
	for i, family := range r.Families {
		for _, from := range r.Rows {
			for _, to := range r.Cols {
				if to.Kind != Names || i == 0 {
					r.Cells = append(r.Cells, p.cell(from, to, family))
				}
			}
		}
	}
	for i, cell := range r.Cells {
		if cell.State != OK {
			r.Cells[i].Hop, r.Cells[i].Why, r.Cells[i].Evidence = r.likely(cell, clues)
			r.Passed = false
		}
	}
	for _, agent := range p.Agents {
		if label := fmt.Sprintf("%s (%s)", agent.Node, agent.End.Side); !slices.Contains(r.Nodes, label) {
			r.Nodes = append(r.Nodes, label)
		}
	}
	return r
}

// At is the cell of two ends; false when there is none.
func (r Report) At(from, to End, family string) (Cell, bool) {
	i := slices.IndexFunc(r.Cells, func(c Cell) bool { return c.From == from && c.To == to && c.Family == family })
	if i < 0 {
		return Cell{}, false
	}
	return r.Cells[i], true
}

// Bad are the cells that are not OK.
func (r Report) Bad() []Cell {
	return slices.DeleteFunc(slices.Clone(r.Cells), func(c Cell) bool { return c.State == OK })
}

// cols are the targets of a family's table: DNS is in the first only.
func (r Report) cols(family string) []End {
	return slices.DeleteFunc(slices.Clone(r.Cols), func(to End) bool { return to.Kind == Names && family != r.Families[0] })
}

// pair is what one client told of one target.
type pair struct {
	client string // "client-pod-cloud-1 on cloud-1"
	target string
	result job.Result
}

// cell sums up the pairs of two ends.
func (p Plan) cell(from, to End, family string) Cell {
	cell := Cell{From: from, To: to, Family: family, Told: true}
	pairs, silent := p.pairs(from, to, family)
	var took []time.Duration
	for _, pair := range pairs {
		cell.add(pair)
		if pair.result.Latency > 0 {
			took = append(took, pair.result.Latency)
		}
	}
	slices.Sort(took)
	if len(took) > 0 {
		cell.P50 = took[(len(took)-1)/2]
	}
	switch {
	case cell.TCP.Bad() || cell.UDP.Bad() || cell.Large.Bad() || cell.DNS.Bad():
		cell.State = Failed
	case len(silent) > 0 || len(pairs) == 0:
		cell.State, cell.Why = Unknown, strings.Join(silent, "; ")
	default:
		cell.State = OK
	}
	cell.Told = cell.Told && cell.Large.Bad()
	return cell
}

func (c *Cell) add(p pair) {
	for _, part := range []struct {
		check  *Check
		answer job.Answer
	}{{&c.TCP, p.result.TCP}, {&c.UDP, p.result.UDP}, {&c.Large, p.result.Large}, {&c.DNS, p.result.DNS}} {
		switch {
		case part.answer.Passed():
			part.check.Passed++
		case part.answer.Failed():
			if part.check.Failed++; part.check.Failed == 1 {
				part.check.Fault, part.check.Detail = part.answer.Fault, fmt.Sprintf("%s to %s: %s", p.client, p.target, part.answer.Detail)
			}
		}
	}
	if r := p.result; r.PathMTU > 0 && (c.MTU == 0 || r.PathMTU < c.PathMTU || r.PathMTU == c.PathMTU && r.MTU < c.MTU) {
		c.MTU, c.PathMTU = r.MTU, r.PathMTU
	}
	if p.result.Large.Failed() {
		c.Told = c.Told && p.result.Told
	}
}

// pairs are what the clients of from told of the targets of to; silent are the pods that told nothing, and why.
func (p Plan) pairs(from, to End, family string) (pairs []pair, silent []string) {
	wanted, silent := p.wanted(to, family)
	for _, client := range p.Clients {
		if client.End != from {
			continue
		}
		if client.Problem != "" {
			silent = append(silent, fmt.Sprintf("%s on %s: %s", client.Name, client.Node, client.Problem))
		}
		for _, result := range client.Results {
			if target, found := wanted[result.ID]; found {
				pairs = append(pairs, pair{client.Name + " on " + client.Node, target, result})
			}
		}
	}
	return pairs, silent
}

// wanted are the IDs of an end's targets, and how a person calls each.
func (p Plan) wanted(to End, family string) (ids map[string]string, silent []string) {
	ids = map[string]string{}
	switch to.Kind {
	case Names:
		ids["kubernetes"] = "kubernetes.default"
		for _, side := range []Side{DataCentre, Cloud} {
			ids[ServiceName(side)] = ServiceName(side) + "." + p.Options.Namespace()
		}
		return ids, nil
	case Service:
		for _, a := range p.Service[to.Side] {
			if Family(a) == family {
				ids[targetID(ServiceName(to.Side), a)] = a.String()
			}
		}
		to = End{p.Behind(to.Side), to.Side} // when all of its endpoints are silent, so is the Service
		return ids, p.silent(to, true)
	}
	for _, agent := range p.Agents {
		for _, a := range agent.Addresses {
			if agent.End == to && Family(a) == family {
				ids[targetID(agent.Name, a)] = fmt.Sprintf("%s on %s", a, agent.Node)
			}
		}
	}
	return ids, p.silent(to, false)
}

// silent are the agents of an end that do not run; only if none does, with all.
func (p Plan) silent(end End, all bool) []string {
	var lines []string
	for _, agent := range p.Agents {
		if agent.End != end {
			continue
		}
		if agent.Problem == "" && all {
			return nil
		}
		if agent.Problem != "" {
			lines = append(lines, fmt.Sprintf("%s on %s: %s", agent.Name, agent.Node, agent.Problem))
		}
	}
	return lines
}
