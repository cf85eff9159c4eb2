package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/ledger"
	"github.com/onectl/onectl/pkg/node/pool"
)

// check compares what ADD made with what is there: the record, the kernel's state, the address on the ENI, and what the
// runtime remembers. It repairs nothing: a pod that differs is made anew by whoever asked.
func (d *Daemon) check(ctx context.Context, r cni.Request, sandbox cni.Sandbox, steps *steps) error {
	known, found := d.record(r.Owner())
	if !found {
		return &cni.Error{Code: cni.CodeUnknownContainer, Msg: fmt.Sprintf("terwayd has no record of sandbox %s; delete the pod so that it gets another sandbox", r.Owner())}
	}
	unlock, err := d.lock(ctx, known)
	if err != nil {
		return err
	}
	defer unlock()
	steps.done("wait")
	if known, err = d.located(ctx, known); err != nil {
		return err
	}
	host, pod, err := d.content(ctx, known)
	if err != nil {
		return err
	}
	differences, err := d.opts.Kernel.Check(ctx, sandbox, host, pod)
	steps.done("kernel")
	if err != nil {
		return err
	}
	if d.vanished(known.Owner()) {
		differences = append(differences, fmt.Sprintf("address %s is not assigned to ENI %s any more", known.IPv4, known.ENI))
	}
	differences = append(differences, remembered(r.Config, known)...)
	if len(differences) == 0 {
		return nil
	}
	return &cni.Error{
		Code:    cni.CodeInternal,
		Msg:     fmt.Sprintf("pod %s/%s is not as ADD left it; delete the pod so that it gets another sandbox", known.PodNamespace, known.PodName),
		Details: strings.Join(differences, "; "),
	}
}

// remembered compares the result that the runtime kept (prevResult) with the record. Other plugins of the list may have
// added addresses; ours must be among them.
func remembered(config []byte, r ledger.Record) []string {
	var keys struct {
		Previous *struct {
			IPs []struct {
				Address netip.Prefix `json:"address"`
			} `json:"ips"`
		} `json:"prevResult"`
	}
	if err := json.Unmarshal(config, &keys); err != nil {
		return []string{fmt.Sprintf("prevResult cannot be read: %v", err)}
	}
	if keys.Previous == nil {
		return nil
	}
	for _, ip := range keys.Previous.IPs {
		if ip.Address.Addr() == r.IPv4 {
			return nil
		}
	}
	return []string{fmt.Sprintf("the runtime remembers another address than %s", r.IPv4)}
}

func holdingOf(owner string) func(pool.Holding) bool {
	return func(h pool.Holding) bool { return h.Owner == owner }
}

// status says whether an ADD could be served. A node whose instance carries no more addresses is healthy: kubelet makes a
// node NotReady, and evicts its pods, when STATUS fails.
func (d *Daemon) status() error {
	now := d.opts.Pool.Status()
	if !now.Ready {
		return &cni.Error{Code: cni.CodeUnavailable, Msg: "the address pool has not read the instance's ENIs yet" + because(now.Problems)}
	}
	if now.Idle > 0 || now.Coming > 0 {
		return nil
	}
	blocking := slices.DeleteFunc(slices.Clone(now.Problems), func(p pool.Problem) bool { return p.Reason == pool.Full || p.Reason == pool.Busy })
	if len(blocking) == 0 {
		return nil
	}
	code := cni.CodeUnavailable
	if len(now.Vanished) > 0 {
		code = cni.CodeLimited
	}
	return &cni.Error{Code: code, Msg: "no address is idle and none can be had" + because(blocking)}
}

func because(problems []pool.Problem) string {
	var text strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&text, ": %s %s: %s", p.Reason, p.Subject, p.Message)
	}
	return text.String()
}
