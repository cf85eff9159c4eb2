package connectivity

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/onectl/connectivity/job"
	"github.com/onectl/onectl/pkg/onectl/preflight"
)

// Hop is where packets are likely lost: what to look at first.
type Hop string

// The hops.
const (
	Route         Hop = "route"          // a router does not know where to send them, there or back
	SecurityGroup Hop = "security group" // a filter drops them: a security group, a firewall, a NetworkPolicy
	Separation    Hop = "separation"     // the data centre's network plugin is on cloud nodes
	MTU           Hop = "MTU"            // a link on the way is smaller than those at the ends
	DNS           Hop = "DNS"            // the cluster's DNS server
	KubeProxy     Hop = "kube-proxy"     // what turns a Service's address into a pod's, on the asking node
	Overlap       Hop = "overlap"        // two machines or ranges have the same address
	PodStart      Hop = "pod start"      // a probe pod does not run
)

// Clues are what preflight found wrong, by the hop it speaks for. They decide between hops that the pattern of failures
// leaves open; without them the pattern alone decides.
type Clues map[Hop][]string

// prefixes of check IDs, which are stable, and the hop a failure of such a check speaks for.
func clueOf(check string) Hop {
	for _, known := range []struct {
		hop   Hop
		words []string
	}{
		{Overlap, []string{"overlap", "overlaps"}},
		{MTU, []string{"mtu"}},
		{Separation, []string{"separation"}},
		{SecurityGroup, []string{"security-group", "security-groups"}},
		{KubeProxy, []string{"kube-proxy"}},
		{DNS, []string{"dns"}},
		{Route, []string{"bgp", "vbr", "cen", "route", "routes", "rp-filter"}},
	} {
		for _, word := range known.words {
			if strings.Contains("-"+check+"-", "-"+word+"-") {
				return known.hop
			}
		}
	}
	return ""
}

// CluesOf takes the clues out of a preflight report.
func CluesOf(r preflight.Report) Clues {
	clues := Clues{}
	for _, result := range r.Results {
		bad := result.Outcome == preflight.OutcomeFail || result.Outcome == preflight.OutcomeWarn
		if hop := clueOf(result.Check); bad && hop != "" {
			clues[hop] = append(clues[hop], fmt.Sprintf("%s: %s", result.Check, result.Summary))
		}
	}
	return clues
}

// guess is a hop with what speaks for it.
type guess struct {
	hop Hop
	why string
}

// likely is the hop of a cell that is not OK. Of several guesses the first one that preflight confirms counts, or else the
// first.
func (r Report) likely(c Cell, clues Clues) (Hop, string, []string) {
	guesses := r.guesses(c)
	if len(guesses) == 0 {
		return "", c.Why, nil
	}
	best := guesses[0]
	if i := slices.IndexFunc(guesses, func(g guess) bool { return len(clues[g.hop]) > 0 }); i >= 0 {
		best = guesses[i]
	}
	return best.hop, best.why, clues[best.hop]
}

func (r Report) guesses(c Cell) []guess {
	bad := firstBad(c)
	switch {
	case c.State == Unknown:
		return []guess{{PodStart, c.Why}}
	case c.To.Kind == Names:
		return r.dns(c)
	case bad.Fault == job.Stranger:
		return []guess{{Overlap, "somebody else answers at this address: two ranges overlap, or an address is used twice"}}
	case c.Large.Bad() && !c.TCP.Bad() && !c.UDP.Bad():
		return []guess{{MTU, sizes(c)}}
	case c.To.Kind == Service:
		return r.service(c)
	case c.TCP.Bad() != c.UDP.Bad() && c.TCP.Passed+c.UDP.Passed > 0:
		return []guess{{SecurityGroup, "one protocol passes and the other does not, which only a filter does"}}
	case bad.Fault == job.Refused:
		return []guess{{SecurityGroup, "the connection is rejected although the probe there listens: a filter rejects it"}, {Overlap, "another host answers there"}}
	case bad.Fault == job.Unreachable:
		return append([]guess{{Route, "a router on the way, or the asking node, says that it has no route"}}, separation(c)...)
	}
	return r.silence(c)
}

func firstBad(c Cell) Check {
	for _, check := range []Check{c.TCP, c.UDP, c.Large, c.DNS} {
		if check.Bad() {
			return check
		}
	}
	return Check{}
}

func sizes(c Cell) string {
	told := "and nobody says so: connections hang as soon as much is sent"
	if c.Told {
		told = "a router says so (ICMP), which TCP copes with"
	}
	return fmt.Sprintf("both ends take packets of %d bytes, the way between takes %d, %s", c.MTU, c.PathMTU, told)
}

// dns: asking the cluster's DNS is asking a Service, so what the Services' cells say comes first.
func (r Report) dns(c Cell) []guess {
	if c.DNS.Fault == job.NotFound {
		return []guess{{DNS, "the DNS server answers, but not with this Service's address"}}
	}
	for _, side := range []Side{DataCentre, Cloud} {
		if service, found := r.At(c.From, End{Service, side}, c.Family); found && service.State == Failed && (service.TCP.Bad() || service.UDP.Bad()) {
			guesses := r.guesses(service)
			for i := range guesses {
				guesses[i].why = fmt.Sprintf("as for the %s, and the cluster's DNS is a Service: %s", service.To, guesses[i].why)
			}
			return guesses
		}
	}
	return []guess{{DNS, "Services can be reached from here, the cluster's DNS does not answer"}}
}

// service: when its endpoints can be reached, what is wrong is the asking node's translation.
func (r Report) service(c Cell) []guess {
	for _, kind := range []Kind{Pod, Host} {
		direct, found := r.At(c.From, End{kind, c.To.Side}, c.Family)
		switch {
		case found && direct.State == OK:
			return []guess{{KubeProxy, fmt.Sprintf("the %s behind it can be reached directly, through the Service it can not", direct.To)}}
		case found && direct.State == Failed:
			return r.guesses(direct)
		}
	}
	return []guess{{KubeProxy, "the Service does not lead to its endpoints"}}
}

// separation is a guess for every path that begins or ends at a cloud node.
func separation(c Cell) []guess {
	if c.From.Side != Cloud && c.To.Side != Cloud {
		return nil
	}
	return []guess{{Separation, "packets vanish at a cloud node: the data centre's network plugin is there and takes them"}}
}
