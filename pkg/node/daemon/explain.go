package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/node/daemon/inspect"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/ledger"
	"github.com/onectl/onectl/pkg/node/pool"
)

// explain follows one pod's way to its network, from its record to its own namespace, or says why it has none.
func (d *Daemon) explain(ctx context.Context, namespace, name string) (inspect.Explanation, error) {
	s, err := d.opts.Pool.Snapshot(ctx)
	if err != nil {
		return inspect.Explanation{}, err
	}
	e := inspect.Explanation{Now: d.opts.Clock.Now(), Namespace: namespace, Name: name, Refusals: d.adds.refusals(namespace + "/" + name)}
	for _, r := range d.recordsOf(namespace, name) {
		c := inspect.Chain{Owner: r.Owner(), IPs: addresses(r)}
		c.Links = append(d.inBooks(r, s), d.onHost(ctx, r)...)
		e.Attachments = append(e.Attachments, c)
	}
	held := func(w inspect.Wait) bool {
		return slices.ContainsFunc(e.Attachments, func(c inspect.Chain) bool { return c.Owner == w.Owner })
	}
	for _, w := range d.adds.waiting() {
		if w.Pod == namespace+"/"+name && !held(w) {
			e.Waiting = append(e.Waiting, w)
		}
	}
	if len(e.Waiting) > 0 && s.Obstacle != nil {
		e.Obstacle = problemOfError(s.Obstacle)
	}
	conclude(&e)
	return e, nil
}

// conclude says what the rest of e comes to, and what to type next.
func conclude(e *inspect.Explanation) {
	describe := fmt.Sprintf("kubectl -n %s describe pod %s", e.Namespace, e.Name)
	remake := fmt.Sprintf("kubectl -n %s delete pod %s   # it gets another sandbox", e.Namespace, e.Name)
	switch {
	case len(e.Attachments) > 0 && e.Healthy():
		e.Verdict = "everything that terwayd looks after is as it must be"
	case len(e.Attachments) > 0:
		e.Verdict = "something is not as it must be: " + firstBroken(e.Attachments)
		e.Type = []string{remake}
	case len(e.Waiting) > 0:
		e.Verdict = "it waits for an address"
		e.Type = []string{"terwayd pool   # what the pool does about it", describe}
	case len(e.Refusals) > 0:
		e.Verdict = "it has no address; its last request was refused"
		e.Type = []string{describe, "terwayd status"}
	default:
		e.Verdict = "terwayd has no record of it, and nobody asked for it lately: it is on another node, is on the host's network, does not exist, or its runtime has another CNI plugin"
		e.Type = []string{fmt.Sprintf("kubectl -n %s get pod %s -o wide", e.Namespace, e.Name), describe}
	}
}

func firstBroken(chains []inspect.Chain) string {
	for _, c := range chains {
		for _, l := range c.Links {
			if l.State == inspect.Differs {
				return l.Name + ": " + l.Text
			}
		}
	}
	return ""
}

// inBooks is what ledger, pool and the cloud's last reading say of a record.
func (d *Daemon) inBooks(r ledger.Record, s pool.Snapshot) []inspect.Link {
	links := []inspect.Link{{Name: "record", State: inspect.OK, Text: fmt.Sprintf("since %s, namespace %s", r.CreatedAt.UTC().Format("2006-01-02 15:04:05"), r.NetNS)}}
	held := inspect.Link{Name: "pool", State: inspect.Differs, Text: fmt.Sprintf("the pool does not hold %s for it", r.IPv4)}
	cloud := inspect.Link{Name: "cloud", State: inspect.OK, Text: fmt.Sprintf("shows %s on %s, as read %s ago", r.IPv4, r.ENI, s.Taken.Sub(s.Stock.ReadAt).Round(timeGrain))}
	if e, a := find(s.Stock, r.IPv4); a != nil && a.Owner == r.Owner() {
		held.State, held.Text = inspect.OK, fmt.Sprintf("holds %s for it on %s", a.IP, e.ID)
		if a.Missing || e.Missing {
			cloud.State, cloud.Text = inspect.Differs, "the last reading did not show it; a second one will tell whether it is gone"
		}
	}
	if e, found := s.OnOther(r.IPv4); found {
		held.State, held.Text = inspect.OK, fmt.Sprintf("%s is not the pool's any more by its tags (eni_tag_filter, eni_tag_block_list of eni-config); the pod goes on with it", e.ID)
	}
	switch {
	case d.vanished(r.Owner()):
		cloud.State, cloud.Text = inspect.Differs, unassigned(r)
	case !s.Stock.Read:
		held.State, held.Text = inspect.Unknown, "the pool has not read the instance's ENIs yet"
		cloud.State, cloud.Text = inspect.Unknown, "not read yet"
	}
	return append(links, held, cloud)
}

func find(s pool.Stock, ip netip.Addr) (*pool.ENI, *pool.Address) {
	for i := range s.ENIs {
		for j := range s.ENIs[i].Addresses {
			if s.ENIs[i].Addresses[j].IP == ip {
				return &s.ENIs[i], &s.ENIs[i].Addresses[j]
			}
		}
	}
	return nil, nil
}

// onHost is what the kernel shows of a record: its ENI, the host's end of its veth, and the pod's as far as it can be seen.
func (d *Daemon) onHost(ctx context.Context, r ledger.Record) []inspect.Link {
	if d.opts.Viewer == nil {
		return []inspect.Link{{Name: "kernel", State: inspect.Unknown, Text: "not looked at"}}
	}
	unlock, err := d.lock(ctx, r)
	if err != nil {
		return []inspect.Link{{Name: "kernel", State: inspect.Unknown, Text: err.Error()}}
	}
	defer unlock()
	if now, found := d.record(r.Owner()); !found || now != r {
		return []inspect.Link{{Name: "kernel", State: inspect.Unknown, Text: "a request changed it just now; ask again"}}
	}
	host, pod, err := d.content(ctx, r)
	if err != nil {
		return []inspect.Link{{Name: "eni", State: inspect.Differs, Text: err.Error()}}
	}
	links := []inspect.Link{d.eniLink(ctx, r.ENI)}
	got, err := d.opts.Viewer.Look(ctx, host)
	if err != nil {
		return append(links, inspect.Link{Name: "kernel", State: inspect.Unknown, Text: err.Error()})
	}
	links = append(links, byKind(host, datapath.Compare(host, got))...)
	return append(links, d.podLink(ctx, r, pod))
}

// eniLink compares what the host holds for one ENI.
func (d *Daemon) eniLink(ctx context.Context, id string) inspect.Link {
	eni, there := d.opts.ENIs.known(id)
	if !there {
		return inspect.Link{Name: "eni", State: inspect.Unknown, Text: "the pool has not set it up since terwayd started"}
	}
	want := d.opts.ENIs.content(eni)
	got, err := d.opts.Viewer.Look(ctx, want)
	if err != nil {
		return inspect.Link{Name: "eni", State: inspect.Unknown, Text: err.Error()}
	}
	if differences := datapath.Diff(want, got); len(differences) > 0 {
		return inspect.Link{Name: "eni", State: inspect.Differs, Text: strings.Join(differences, "; ")}
	}
	if d.opts.ENIs.exclusive {
		return inspect.Link{Name: "eni", State: inspect.OK, Text: id + " is in the pod; the host has its rule and table of nftables for such pods"}
	}
	return inspect.Link{Name: "eni", State: inspect.OK, Text: fmt.Sprintf("%s is %s, up, with its rule and table %d", id, eni.Dev(), eni.Table())}
}

// byKind is one link for each kind of thing that want has, in the order in which a packet meets them.
func byKind(want datapath.NetNS, differences []datapath.Difference) (links []inspect.Link) {
	veth := want.Links[0]
	add := func(name, kind, text string, wanted bool) {
		if !wanted {
			return
		}
		l := inspect.Link{Name: name, State: inspect.OK, Text: text}
		var found []string
		for _, d := range differences {
			if d.Kind == kind {
				found = append(found, d.Text)
			}
		}
		if len(found) > 0 {
			l.State, l.Text = inspect.Differs, strings.Join(found, "; ")
		}
		links = append(links, l)
	}
	add("veth", "link", veth.Name+" is up and carries "+veth.Alias, true)
	add("limit", "qdisc", fmt.Sprintf("%d bytes a second to the pod", veth.Limit), veth.Limit != 0)
	add("mark", "mark", "packets of the pod get "+veth.IngressMark.String(), !veth.IngressMark.IsZero())
	add("rule", "rule", joined(want.Rules), len(want.Rules) > 0)
	add("route", "route", joined(want.Routes), len(want.Routes) > 0)
	add("neighbour", "neighbour", joined(want.Neighs), len(want.Neighs) > 0)
	return links
}

func joined[T fmt.Stringer](items []T) string {
	texts := make([]string, 0, len(items))
	for _, item := range items {
		texts = append(texts, item.String())
	}
	return strings.Join(texts, "; ")
}

// podLink compares the pod's links and addresses. Its routes, neighbours and limits cannot be seen from the host: CHECK sees
// them, which the container runtime sends with the pod's namespace.
func (d *Daemon) podLink(ctx context.Context, r ledger.Record, pod datapath.NetNS) inspect.Link {
	want := datapath.NetNS{Links: slices.Clone(pod.Links), Addrs: pod.Addrs}
	for i := range want.Links {
		want.Links[i].Limit, want.Links[i].IngressLimit = 0, 0
	}
	got, err := d.opts.Viewer.LookIntoPod(ctx, r.HostIf, want.Links)
	if err != nil {
		return inspect.Link{Name: "pod", State: inspect.Differs, Text: err.Error()}
	}
	if differences := datapath.Diff(want, got); len(differences) > 0 {
		return inspect.Link{Name: "pod", State: inspect.Differs, Text: strings.Join(differences, "; ")}
	}
	return inspect.Link{Name: "pod", State: inspect.OK, Text: fmt.Sprintf("%s is up with its addresses; its routes cannot be seen from here, CHECK compares them", r.IfName)}
}
