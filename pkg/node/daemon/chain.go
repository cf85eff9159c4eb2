package daemon

import (
	"encoding/json"
	"fmt"
	"slices"

	types100 "github.com/containernetworking/cni/pkg/types/100"

	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/datapath"
)

// previous is the result that came with a request (prevResult), nil without one. With ADD it is what the plugins before ours
// in the list made, with CHECK what the whole list made. The results of all versions from 0.3.0 on are read alike: what
// they differ in is nothing that we look at.
func previous(r cni.Request) (*types100.Result, error) {
	var keys struct {
		Previous *types100.Result `json:"prevResult"`
	}
	if len(r.Config) == 0 {
		return nil, nil
	}
	if err := json.Unmarshal(r.Config, &keys); err != nil {
		return nil, &cni.Error{Code: cni.CodeDecoding, Msg: fmt.Sprintf("read prevResult: %v; it must be a result of CNI %s", err, r.CNIVersion)}
	}
	if keys.Previous == nil {
		return nil, nil
	}
	if problem := holes(keys.Previous); problem != "" {
		return nil, &cni.Error{Code: cni.CodeDecoding, Msg: fmt.Sprintf("read prevResult: %s; it must be a result of CNI %s", problem, r.CNIVersion)}
	}
	return keys.Previous, nil
}

// holes says what makes a result unusable though it is JSON of the right shape; "" for a good one.
func holes(result *types100.Result) string {
	if slices.Contains(result.Interfaces, nil) || slices.Contains(result.IPs, nil) || slices.Contains(result.Routes, nil) {
		return "a list in it has a null"
	}
	for _, ip := range result.IPs {
		if ip.Interface != nil && (*ip.Interface < 0 || *ip.Interface >= len(result.Interfaces)) {
			return fmt.Sprintf("address %s is on interface %d of %d", ip.Address.IP, *ip.Interface, len(result.Interfaces))
		}
	}
	return ""
}

// admitPrevious refuses an ADD whose interface a plugin before ours has made: two plugins that make the pod's interface
// do not go together.
func admitPrevious(r cni.Request) error {
	before, err := previous(r)
	if err != nil || before == nil || !made(before, r) {
		return err
	}
	return &cni.Error{Code: cni.CodeInvalidArguments, Msg: fmt.Sprintf(
		"CNI_IFNAME %s: a plugin before terway in the list has made that interface; put terway first, or take the other one out", r.IfName)}
}

// made reports whether result has the request's interface.
func made(result *types100.Result, r cni.Request) bool {
	return slices.ContainsFunc(result.Interfaces, func(i *types100.Interface) bool { return i.Name == r.IfName && i.Sandbox == r.NetNS })
}

// chained is what the plugins before ours made with what we made after it. It keeps all of theirs, DNS too.
func chained(previous *types100.Result, ours types100.Result) types100.Result {
	if previous == nil {
		return ours
	}
	for _, ip := range ours.IPs {
		ip.Interface = types100.Int(*ip.Interface + len(previous.Interfaces))
	}
	return types100.Result{
		CNIVersion: ours.CNIVersion,
		Interfaces: slices.Concat(previous.Interfaces, ours.Interfaces),
		IPs:        slices.Concat(previous.IPs, ours.IPs),
		Routes:     slices.Concat(previous.Routes, ours.Routes),
		DNS:        previous.DNS,
	}
}

// afterOthers is what CHECK may want of a pod whose list goes on after our plugin: others may have set another MTU (tuning),
// and a default route that is not in the list's result is not ours any more.
func afterOthers(pod datapath.NetNS, result *types100.Result) datapath.NetNS {
	pod.Links = slices.Clone(pod.Links)
	for i := range pod.Links {
		pod.Links[i].MTU = 0
	}
	if result == nil {
		return pod
	}
	pod.Routes = slices.DeleteFunc(slices.Clone(pod.Routes), func(route datapath.Route) bool {
		return route.Dst.Bits() == 0 && !listed(result, route)
	})
	return pod
}

func listed(result *types100.Result, route datapath.Route) bool {
	for _, r := range result.Routes {
		if r.Dst.String() == route.Dst.String() {
			return true
		}
	}
	return false
}
