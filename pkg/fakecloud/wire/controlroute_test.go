package wire

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
)

func TestControlClientRoutesAndRules(t *testing.T) {
	world, client := controlled(t)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	spec := controlSpec()
	spec.Routing = fakecloud.RoutingSpeaker
	spec.SecurityRules = []cloud.SecurityRule{}
	made, err := client.Bootstrap(ctx, spec)
	must(err)
	vbr, err := client.AddVBR(ctx, cloud.VBR{ID: "vbr/1"}) // also IDs that need escaping come through
	must(err)
	peer, err := client.AddBGPPeer(ctx, cloud.BGPPeer{VBR: vbr.ID})
	must(err)
	pods, vpc := netip.MustParsePrefix("10.244.0.0/16"), netip.MustParsePrefix("10.0.0.0/16")
	must(client.ReportBGP(ctx, peer.ID, cloud.BGPEstablished, []netip.Prefix{pods}))
	must(client.AddBGPNetwork(ctx, cloud.BGPNetwork{VBR: vbr.ID, CIDR: vpc}))
	for _, child := range []string{vbr.ID, made.VPC.ID} {
		must(client.AddCENAttachment(ctx, cloud.CENAttachment{CEN: "cen-1", Child: child}))
	}
	rule := cloud.SecurityRule{Direction: cloud.Ingress, Policy: cloud.RuleAccept, Protocol: "tcp", Ports: "80/80", CIDR: pods, Priority: 1}
	must(client.SetSecurityRules(ctx, made.SecurityGroup.ID, []cloud.SecurityRule{rule}))
	n, err := client.Network(ctx)
	must(err)
	if diff := cmp.Diff(world.Network(), n, sameAddrs); diff != "" {
		t.Errorf("network (-world +client):\n%s", diff)
	}
	if n.Routing != fakecloud.RoutingSpeaker || len(n.Routes) != 1 || n.Routes[0] != pods || len(n.Announced) != 1 || len(n.SecurityGroups[0].Rules) != 2 {
		t.Errorf("network: %+v", n)
	}

	routes := func() []netip.Prefix { return world.Network().Routes }
	must(client.SetBGPPeerStatus(ctx, peer.ID, "Idle"))
	if got := routes(); len(got) != 0 {
		t.Errorf("routes of an idle session: %v", got)
	}
	must(client.SetBGPPeerStatus(ctx, peer.ID, cloud.BGPEstablished))
	if got := routes(); len(got) != 1 {
		t.Errorf("routes when it is back: %v", got)
	}
	must(client.SetVBRStatus(ctx, vbr.ID, "terminated"))
	if got := routes(); len(got) != 0 {
		t.Errorf("routes of a terminated VBR: %v", got)
	}
	must(client.SetVBRStatus(ctx, vbr.ID, cloud.VBRActive))
	must(client.RemoveCENAttachment(ctx, "cen-1", vbr.ID))
	other := netip.MustParsePrefix("172.30.0.0/16")
	must(client.AddRoute(ctx, "", cloud.Route{CIDR: other}))
	if diff := cmp.Diff([]netip.Prefix{other}, routes(), sameAddrs); diff != "" {
		t.Errorf("routes (-want +got):\n%s", diff)
	}
	must(client.RemoveRoute(ctx, "", other))
	must(client.RemoveBGPNetwork(ctx, vbr.ID, vpc))
	must(client.SetSecurityRules(ctx, made.SecurityGroup.ID, nil))
	must(client.AddVSwitch(ctx, fakecloud.VSwitchSpec{ID: "vsw-2", Zone: "cn-hangzhou-j", CIDR: netip.MustParsePrefix("10.0.2.0/29")}))
	n = world.Network()
	if len(n.Routes)+len(n.Announced) != 0 || len(n.SecurityGroups[0].Rules) != 1 || len(n.VSwitches) != 2 {
		t.Errorf("network after all was taken back: %+v", n)
	}
}

func TestControlRefusesWhatCannotBe(t *testing.T) {
	_, client := controlled(t)
	ctx := t.Context()
	if _, err := client.Bootstrap(ctx, controlSpec()); err != nil {
		t.Fatal(err)
	}
	cidr := netip.MustParsePrefix("10.0.1.128/25")
	_, peerErr := client.AddBGPPeer(ctx, cloud.BGPPeer{VBR: "vbr-none"})
	spec := controlSpec()
	spec.Routing = "ospf"
	_, routingErr := client.Bootstrap(ctx, spec)
	for want, err := range map[string]error{
		"call AddVBR first":           peerErr,
		"is not one of static":        routingErr,
		"call AddBGPPeer first":       client.ReportBGP(ctx, "bgp-none", "Idle", nil),
		"collide":                     client.AddVSwitch(ctx, fakecloud.VSwitchSpec{ID: "vsw-2", Zone: "z", CIDR: cidr}),
		"needs a CEN instance":        client.AddCENAttachment(ctx, cloud.CENAttachment{CEN: "cen-1", Child: "vbr-none"}),
		"not a custom one":            client.RemoveRoute(ctx, "", cidr),
		"SecurityGroupId":             client.SetSecurityRules(ctx, "sg-none", nil),
		"VBR vbr-none does not exist": client.AddBGPNetwork(ctx, cloud.BGPNetwork{VBR: "vbr-none", CIDR: cidr}),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}
