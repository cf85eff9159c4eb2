package wire

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
)

// report is what ReportBGP is told.
type report struct {
	Status  string
	Learned []netip.Prefix
}

// controlRoutes serves the control side of routes, border routers and security rules.
//
//	POST   /routes?table=ID                       cloud.Route; no table is the VPC's
//	DELETE /routes?table=ID&cidr=10.244.0.0/16
//	POST   /vbrs                                  cloud.VBR
//	PUT    /vbrs/{id}/status                      a JSON text, "terminated"
//	POST   /bgp-peers                             cloud.BGPPeer
//	PUT    /bgp-peers/{id}/status                 a JSON text, "Idle"
//	PUT    /bgp-peers/{id}/report                 {"Status":"Established","Learned":["10.244.0.0/16"]}
//	POST   /bgp-networks                          cloud.BGPNetwork
//	DELETE /bgp-networks/{vbr}?cidr=10.0.0.0/16
//	POST   /cen-attachments                       cloud.CENAttachment
//	DELETE /cen-attachments/{cen}/{child}
//	PUT    /security-groups/{id}/rules            []cloud.SecurityRule
//	POST   /vswitches                             fakecloud.VSwitchSpec
func controlRoutes(mux *http.ServeMux, world *fakecloud.World) {
	handle(mux, "POST /routes", func(r *http.Request, route cloud.Route) (any, error) {
		return object{}, world.AddRoute(r.URL.Query().Get("table"), route)
	})
	handle(mux, "POST /vbrs", func(_ *http.Request, v cloud.VBR) (any, error) { return world.AddVBR(v) })
	handle(mux, "PUT /vbrs/{id}/status", func(r *http.Request, status string) (any, error) {
		return object{}, world.SetVBRStatus(r.PathValue("id"), status)
	})
	handle(mux, "POST /bgp-peers", func(_ *http.Request, p cloud.BGPPeer) (any, error) { return world.AddBGPPeer(p) })
	handle(mux, "PUT /bgp-peers/{id}/status", func(r *http.Request, status string) (any, error) {
		return object{}, world.SetBGPPeerStatus(r.PathValue("id"), status)
	})
	handle(mux, "PUT /bgp-peers/{id}/report", func(r *http.Request, in report) (any, error) {
		return object{}, world.ReportBGP(r.PathValue("id"), in.Status, in.Learned)
	})
	handle(mux, "POST /bgp-networks", func(_ *http.Request, n cloud.BGPNetwork) (any, error) { return object{}, world.AddBGPNetwork(n) })
	handle(mux, "POST /cen-attachments", func(_ *http.Request, a cloud.CENAttachment) (any, error) {
		return object{}, world.AddCENAttachment(a)
	})
	handle(mux, "PUT /security-groups/{id}/rules", func(r *http.Request, rules []cloud.SecurityRule) (any, error) {
		return object{}, world.SetSecurityRules(r.PathValue("id"), rules)
	})
	handle(mux, "POST /vswitches", func(_ *http.Request, v fakecloud.VSwitchSpec) (any, error) { return object{}, world.AddVSwitch(v) })
	bare(mux, "DELETE /routes", func(r *http.Request) (any, error) {
		return object{}, withCIDR(r, func(dst netip.Prefix) error { return world.RemoveRoute(r.URL.Query().Get("table"), dst) })
	})
	bare(mux, "DELETE /bgp-networks/{vbr}", func(r *http.Request) (any, error) {
		return object{}, withCIDR(r, func(dst netip.Prefix) error { return world.RemoveBGPNetwork(r.PathValue("vbr"), dst) })
	})
	bare(mux, "DELETE /cen-attachments/{cen}/{child}", func(r *http.Request) (any, error) {
		return object{}, world.RemoveCENAttachment(r.PathValue("cen"), r.PathValue("child"))
	})
}

// withCIDR calls act with the prefix of the query.
func withCIDR(r *http.Request, act func(netip.Prefix) error) error {
	dst, err := netip.ParsePrefix(r.URL.Query().Get("cidr"))
	if err != nil {
		return fmt.Errorf("read ?cidr=: %w", err)
	}
	return act(dst)
}

// AddRoute is World.AddRoute.
func (c ControlClient) AddRoute(ctx context.Context, table string, r cloud.Route) error {
	return c.do(ctx, http.MethodPost, "/routes?"+url.Values{"table": {table}}.Encode(), r, nil)
}

// RemoveRoute is World.RemoveRoute.
func (c ControlClient) RemoveRoute(ctx context.Context, table string, dst netip.Prefix) error {
	return c.do(ctx, http.MethodDelete, "/routes?"+url.Values{"table": {table}, "cidr": {dst.String()}}.Encode(), nil, nil)
}

// AddVBR is World.AddVBR.
func (c ControlClient) AddVBR(ctx context.Context, v cloud.VBR) (cloud.VBR, error) {
	var made cloud.VBR
	err := c.do(ctx, http.MethodPost, "/vbrs", v, &made)
	return made, err
}

// SetVBRStatus is World.SetVBRStatus.
func (c ControlClient) SetVBRStatus(ctx context.Context, id, status string) error {
	return c.do(ctx, http.MethodPut, "/vbrs/"+url.PathEscape(id)+"/status", status, nil)
}

// AddBGPPeer is World.AddBGPPeer.
func (c ControlClient) AddBGPPeer(ctx context.Context, p cloud.BGPPeer) (cloud.BGPPeer, error) {
	var made cloud.BGPPeer
	err := c.do(ctx, http.MethodPost, "/bgp-peers", p, &made)
	return made, err
}

// SetBGPPeerStatus is World.SetBGPPeerStatus.
func (c ControlClient) SetBGPPeerStatus(ctx context.Context, peer, status string) error {
	return c.do(ctx, http.MethodPut, "/bgp-peers/"+url.PathEscape(peer)+"/status", status, nil)
}

// ReportBGP is World.ReportBGP.
func (c ControlClient) ReportBGP(ctx context.Context, peer, status string, learned []netip.Prefix) error {
	return c.do(ctx, http.MethodPut, "/bgp-peers/"+url.PathEscape(peer)+"/report", report{status, learned}, nil)
}

// AddBGPNetwork is World.AddBGPNetwork.
func (c ControlClient) AddBGPNetwork(ctx context.Context, n cloud.BGPNetwork) error {
	return c.do(ctx, http.MethodPost, "/bgp-networks", n, nil)
}

// RemoveBGPNetwork is World.RemoveBGPNetwork.
func (c ControlClient) RemoveBGPNetwork(ctx context.Context, vbr string, dst netip.Prefix) error {
	return c.do(ctx, http.MethodDelete, "/bgp-networks/"+url.PathEscape(vbr)+"?"+url.Values{"cidr": {dst.String()}}.Encode(), nil, nil)
}

// AddCENAttachment is World.AddCENAttachment.
func (c ControlClient) AddCENAttachment(ctx context.Context, a cloud.CENAttachment) error {
	return c.do(ctx, http.MethodPost, "/cen-attachments", a, nil)
}

// RemoveCENAttachment is World.RemoveCENAttachment.
func (c ControlClient) RemoveCENAttachment(ctx context.Context, cen, child string) error {
	return c.do(ctx, http.MethodDelete, "/cen-attachments/"+url.PathEscape(cen)+"/"+url.PathEscape(child), nil, nil)
}

// SetSecurityRules is World.SetSecurityRules.
func (c ControlClient) SetSecurityRules(ctx context.Context, group string, rules []cloud.SecurityRule) error {
	if rules == nil {
		rules = []cloud.SecurityRule{}
	}
	return c.do(ctx, http.MethodPut, "/security-groups/"+url.PathEscape(group)+"/rules", rules, nil)
}

// AddVSwitch is World.AddVSwitch.
func (c ControlClient) AddVSwitch(ctx context.Context, v fakecloud.VSwitchSpec) error {
	return c.do(ctx, http.MethodPost, "/vswitches", v, nil)
}
