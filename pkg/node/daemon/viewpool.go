package daemon

import (
	"context"
	"time"

	"github.com/onectl/onectl/pkg/node/daemon/inspect"
	"github.com/onectl/onectl/pkg/node/pool"
)

// enis is the pool's ENIs with what the node has of them.
func (d *Daemon) enis(ctx context.Context) (inspect.ENIs, error) {
	s, err := d.opts.Pool.Snapshot(ctx)
	if err != nil {
		return inspect.ENIs{}, err
	}
	names, onNode := d.podsByOwner(), d.opts.ENIs.all()
	all := inspect.ENIs{Now: s.Taken, ENIs: []inspect.ENI{}}
	for _, e := range s.Stock.ENIs {
		one := inspect.ENI{ID: e.ID, MAC: e.MAC, VSwitch: e.VSwitchID, Status: string(e.Status), Addresses: []inspect.Address{}}
		if e.Missing {
			one.Status += ", not shown by the last reading"
		}
		if on, there := onNode[e.ID]; there {
			one.Link, one.Slot = on.Name, on.Slot
			if !d.opts.ENIs.exclusive {
				one.Table = on.Table()
			}
		}
		if e.Step != nil {
			one.Step = e.Step.String()
		}
		one.Problem = problemOfHold(e.Hold, s.Taken)
		for _, a := range e.Addresses {
			one.Addresses = append(one.Addresses, addressOf(a, s, names))
		}
		all.ENIs = append(all.ENIs, one)
	}
	return all, nil
}

func addressOf(a pool.Address, s pool.Snapshot, names map[string]string) inspect.Address {
	one := inspect.Address{IP: a.IP, IPv6: a.IPv6, Prefix: a.Prefix, Owner: a.Owner, Pod: names[a.Owner], Use: inspect.Idle}
	switch {
	case a.Missing:
		one.Use = inspect.Missing
	case a.Owner != "":
		one.Use = inspect.Used
	case a.Leaving:
		one.Use = inspect.Leaving
	case a.Half:
		one.Use = inspect.Half
	case a.Cooling(s.Marks, s.Taken):
		one.Use = inspect.Cooling
	}
	if a.Owner == "" {
		one.Since = a.FreeSince
	}
	return one
}

// problemOfHold is why something waits, nil when it does not.
func problemOfHold(h pool.Hold, now time.Time) *inspect.Problem {
	if h.Reason == "" || h.Over(now) {
		return nil
	}
	p := problemOfError(&pool.Error{Reason: h.Reason, Subject: h.Subject, Err: h.Err})
	p.Since, p.RetryAt = h.Since, h.Until
	return p
}

func problemOfError(e *pool.Error) *inspect.Problem {
	return &inspect.Problem{Code: string(e.Reason), Subject: e.Subject, Text: e.Error()}
}

// forecast is how far ahead the pool's plans are shown.
const forecast = 30 * time.Minute

// stock is the pool: numbers, who waits, and what it does and will do.
func (d *Daemon) stock(ctx context.Context) (inspect.Pool, error) {
	s, err := d.opts.Pool.Snapshot(ctx)
	if err != nil {
		return inspect.Pool{}, err
	}
	status, names := d.opts.Pool.Status(), d.podsByOwner()
	p := inspect.Pool{Now: s.Taken, Counts: countsOf(status), ReadAt: s.Stock.ReadAt, VSwitches: []inspect.VSwitch{}, Problems: problemsOf(status)}
	for _, w := range s.Waiters {
		p.Waiting = append(p.Waiting, inspect.Wait{Owner: w.Owner, Pod: names[w.Owner], Since: w.Since})
	}
	if s.Obstacle != nil {
		p.Obstacle = problemOfError(s.Obstacle)
	}
	for _, v := range status.VSwitches {
		if givesAddresses(s.Stock, v.ID) {
			p.VSwitches = append(p.VSwitches, vswitchOf(v))
		}
	}
	p.Runway = d.runway(s, status)
	for _, step := range s.Stock.InFlight() {
		p.Doing = append(p.Doing, step.String())
	}
	for _, i := range pool.Forecast(s.Stock, s.Marks, s.Taken, forecast) {
		p.Next = append(p.Next, inspect.Intention{At: i.At, Step: i.Step.String(), Why: i.Why})
	}
	return p, nil
}

func countsOf(s pool.Status) inspect.Counts {
	return inspect.Counts{
		Capacity: s.Capacity, Used: s.Used, Idle: s.Idle, Cooling: s.Cooling, Coming: s.Coming, Waiting: s.Waiting,
		MinIdle: s.MinIdle, MaxIdle: s.MaxIdle, ENIs: len(s.ENIs),
	}
}

func vswitchOf(v pool.VSwitchStatus) inspect.VSwitch {
	one := inspect.VSwitch{ID: v.ID, Zone: v.ZoneID, Free: v.Free, State: "usable", RetryAt: v.RetryAt}
	switch {
	case v.Why != "":
		one.State = v.Why
	case v.Exhausted:
		one.State = "exhausted"
	}
	return one
}
