package connectivity

import "fmt"

// silence is for packets that vanish. What tells routes from filters: filters are stateful, routes are not. If connections in
// the other direction work, packets of these two ends find their way in both directions, and only a filter knows who began.
func (r Report) silence(c Cell) []guess {
	if c.From.Side == c.To.Side {
		return r.within(c)
	}
	filter := func(format string, a ...any) []guess {
		return append([]guess{{SecurityGroup, fmt.Sprintf(format, a...)}}, separation(c)...)
	}
	route := func(format string, a ...any) []guess {
		why := fmt.Sprintf(format, a...)
		return append([]guess{{Route, why}}, append(separation(c), guess{SecurityGroup, why})...)
	}
	switch {
	case r.works(c.To, c.From, c.Family):
		return filter("the other way round it works, so there are routes both ways: what begins in the %s is dropped on the other side, by security group or firewall", c.From.Side)
	case !r.crosses(c.Family):
		return route("nothing crosses between data centre and cloud: the connection (Express Connect, VPN, CEN) or its routes")
	case !r.reachedBy(c.To, c.From.Side, c.Family) && r.reaches(c.From, c.To.Side, c.Family):
		if r.reaches(c.To, c.From.Side, c.Family) {
			return filter("the %s gets answers from the %s, so it has a route there: what others begin towards it is dropped", c.To, c.From.Side)
		}
		return route("nothing of the %s reaches a %s or hears from it: its addresses have no route, or are let through nowhere", c.From.Side, c.To)
	case !r.reaches(c.From, c.To.Side, c.Family) && r.reachedBy(c.To, c.From.Side, c.Family):
		if r.reachedBy(c.From, c.To.Side, c.Family) {
			return filter("the %s answers to the %s, so there is a route back: what it begins is dropped, its addresses are let through nowhere", c.From, c.To.Side)
		}
		return route("a %s reaches nothing of the %s nor is it reached: there is no route to its addresses there, or they are let through nowhere", c.From, c.To.Side)
	}
	return route("packets between %s and %s vanish", c.From, c.To)
}

// within is for packets that vanish on one side.
func (r Report) within(c Cell) []guess {
	if c.From.Side == Cloud {
		guesses := []guess{{SecurityGroup, "inside the VPC everything has a route: the security group does not let its own members through"}}
		return append(guesses, append(separation(c), guess{Route, "a cloud node sends packets of pods to the wrong ENI"})...)
	}
	return []guess{{Route, "this is inside the data centre: its own network plugin does not connect its nodes"}, {SecurityGroup, "a firewall inside the data centre"}}
}

// works reports whether something passed from one end to another.
func (r Report) works(from, to End, family string) bool {
	cell, found := r.At(from, to, family)
	return found && cell.TCP.Passed+cell.UDP.Passed > 0 && cell.TCP.Failed+cell.UDP.Failed == 0
}

// reaches reports whether an end reaches any pod or node of a side.
func (r Report) reaches(from End, side Side, family string) bool {
	return r.works(from, End{Pod, side}, family) || r.works(from, End{Host, side}, family)
}

// reachedBy reports whether any pod or node of a side reaches an end.
func (r Report) reachedBy(to End, side Side, family string) bool {
	return r.works(End{Pod, side}, to, family) || r.works(End{Host, side}, to, family)
}

// crosses reports whether anything gets across the border.
func (r Report) crosses(family string) bool {
	for _, side := range []Side{DataCentre, Cloud} {
		for _, kind := range []Kind{Pod, Host} {
			if r.reaches(End{kind, side}, side.Other(), family) {
				return true
			}
		}
	}
	return false
}
