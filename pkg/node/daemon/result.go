package daemon

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"

	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"

	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/datapath"
	"github.com/onectl/onectl/pkg/node/ledger"
)

// result is ADD's answer in the version that the configuration asks for: what the plugins before ours made, if there are any,
// and what we made.
func result(request cni.Request, r ledger.Record, host, pod datapath.NetNS) (json.RawMessage, error) {
	before, err := previous(request)
	if err != nil {
		return nil, err
	}
	full := types100.Result{
		CNIVersion: types100.ImplementedSpecVersion,
		Interfaces: []*types100.Interface{
			{Name: r.HostIf, Mac: host.Links[0].MAC, Mtu: host.Links[0].MTU},
			{Name: r.IfName, Mac: pod.Links[0].MAC, Mtu: pod.Links[0].MTU, Sandbox: request.NetNS},
		},
	}
	for _, l := range pod.Links[1:] {
		full.Interfaces = append(full.Interfaces, &types100.Interface{Name: l.Name, Mac: l.MAC, Mtu: l.MTU, Sandbox: r.NetNS})
	}
	for _, ip := range []netip.Addr{r.IPv4, r.IPv6} {
		if !ip.IsValid() {
			continue
		}
		gateway, everything := datapath.Gateway, netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if ip.Is6() {
			gateway, everything = datapath.Gateway6, netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		if r.Exclusive {
			gateway = gatewayOf(r, ip)
		}
		full.IPs = append(full.IPs, &types100.IPConfig{Interface: types100.Int(1), Address: ipNet(netip.PrefixFrom(ip, ip.BitLen())), Gateway: gateway.AsSlice()})
		full.Routes = append(full.Routes, &types.Route{Dst: ipNet(everything), GW: gateway.AsSlice()})
	}
	full = chained(before, full)
	asked, err := full.GetAsVersion(request.CNIVersion)
	if err != nil {
		return nil, &cni.Error{Code: cni.CodeIncompatible, Msg: fmt.Sprintf("give the result as CNI %q: %v; cniVersion 0.3.0 to 1.1.0 can be used", request.CNIVersion, err)}
	}
	return json.Marshal(asked)
}

func ipNet(p netip.Prefix) net.IPNet {
	return net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
