package daemon

import (
	"context"
	"fmt"
	"slices"
	"strings"

	types100 "github.com/containernetworking/cni/pkg/types/100"

	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/datapath"
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
	result, err := previous(r)
	if err != nil {
		return err
	}
	if known, err = d.located(ctx, known); err != nil {
		return err
	}
	host, pod, err := d.content(ctx, known)
	if err != nil {
		return err
	}
	host = datapath.Join(host, d.opts.ENIs.serving(known.ENI))
	differences, err := d.opts.Kernel.Check(ctx, sandbox, host, afterOthers(pod, result))
	steps.done("kernel")
	if err != nil {
		return ofKernel(err)
	}
	if d.vanished(known.Owner()) {
		differences = append(differences, fmt.Sprintf("address %s is not assigned to ENI %s any more", known.IPv4, known.ENI))
	}
	differences = append(differences, remembered(r, result, known)...)
	if len(differences) == 0 {
		return nil
	}
	return &cni.Error{
		Code:    cni.CodeDiffers,
		Msg:     fmt.Sprintf("pod %s/%s is not as ADD left it; delete the pod so that it gets another sandbox", known.PodNamespace, known.PodName),
		Details: strings.Join(differences, "; "),
	}
}

// remembered compares the result that the runtime kept with the record. Other plugins of the list may have added addresses
// and interfaces; ours must be among them.
func remembered(r cni.Request, result *types100.Result, known ledger.Record) (differences []string) {
	if result == nil {
		return nil
	}
	if !slices.ContainsFunc(result.IPs, func(ip *types100.IPConfig) bool { return ip.Address.IP.Equal(known.IPv4.AsSlice()) }) {
		differences = append(differences, fmt.Sprintf("the runtime remembers another address than %s", known.IPv4))
	}
	if len(result.Interfaces) > 0 && !made(result, r) {
		differences = append(differences, fmt.Sprintf("the runtime remembers no interface %s in %s", r.IfName, r.NetNS))
	}
	return differences
}

// status says whether the next ADD would be served. A node whose instance carries no more addresses is healthy: kubelet makes
// a node NotReady, and evicts its pods, when STATUS fails.
func (d *Daemon) status() error {
	now := d.opts.Pool.Status()
	if !now.Ready && now.Idle == 0 {
		return &cni.Error{Code: cni.CodeUnavailable, Cause: first(now.Problems, cause.PoolStarting), Msg: "the address pool has not read the instance's ENIs yet" + because(now.Problems)}
	}
	if now.Obstacle.Reason == "" || now.Obstacle.Reason == pool.Full {
		return nil
	}
	code := cni.CodeUnavailable
	if len(now.Vanished) > 0 {
		code = cni.CodeLimited
	}
	return &cni.Error{Code: code, Cause: now.Obstacle.Reason, Msg: "no address is idle and none can be had: " + now.Obstacle.Message}
}

// first is the first problem's reason, or otherwise when there is none.
func first(problems []pool.Problem, otherwise cause.Code) cause.Code {
	if len(problems) == 0 {
		return otherwise
	}
	return problems[0].Reason
}

func because(problems []pool.Problem) string {
	var text strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&text, ": %s %s: %s", p.Reason, p.Subject, p.Message)
	}
	return text.String()
}
