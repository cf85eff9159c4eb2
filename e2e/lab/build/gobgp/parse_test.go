package main

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

func TestParseReadsEveryPart(t *testing.T) {
	got, err := parse([]string{
		"-asn", "64512", "-router-id", "10.20.0.1", "-listen", "0.0.0.0", "-install",
		"-clients", "10.20.0.0/24=64512", "-clients", "169.254.255.0/30=45104", "-announce", "10.20.0.0/24",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := config{
		asn: 64512, routerID: netip.MustParseAddr("10.20.0.1"), listen: netip.MustParseAddr("0.0.0.0"), port: 179, install: true,
		clients:  []clients{{netip.MustParsePrefix("10.20.0.0/24"), 64512}, {netip.MustParsePrefix("169.254.255.0/30"), 45104}},
		announce: []netip.Prefix{netip.MustParsePrefix("10.20.0.0/24")},
	}
	if !reflect.DeepEqual(want, got) {
		t.Errorf("want %+v, got %+v", want, got)
	}
}

func TestParseRefuses(t *testing.T) {
	good := "-asn 1 -router-id 10.0.0.1"
	for name, line := range map[string]string{
		"no AS":                  "-router-id 10.0.0.1",
		"no router ID":           "-asn 1",
		"an IPv6 router ID":      "-asn 1 -router-id ::1",
		"an argument":            good + " more",
		"a peer without AS":      good + " -peer 10.0.0.2",
		"a peer of AS 0":         good + " -peer 10.0.0.2=0",
		"a peer that is a name":  good + " -peer router=2",
		"a control side alone":   good + " -peer 10.0.0.2=2 -control /tmp/socket",
		"a session of two peers": good + " -peer 10.0.0.2=2 -peer 10.0.0.3=2 -control /tmp/socket -session bgp-1",
	} {
		if c, err := parse(strings.Fields(line)); err == nil {
			t.Errorf("%s: %q gave %+v", name, line, c)
		}
	}
}

func TestWaysLeaveOutWhatIsConnectedAndWhatIsFar(t *testing.T) {
	links := map[netip.Prefix]int{
		netip.MustParsePrefix("127.0.0.1/8"):   1,
		netip.MustParsePrefix("172.18.0.2/16"): 2,
		netip.MustParsePrefix("10.20.0.2/24"):  3,
	}
	router := netip.MustParseAddr("10.20.0.1")
	other := netip.MustParseAddr("10.20.0.3")
	far := netip.MustParseAddr("169.254.255.1")
	table := []learned{
		{netip.MustParsePrefix("10.244.1.0/24"), other, router},
		{netip.MustParsePrefix("172.18.0.3/32"), other, router},
		{netip.MustParsePrefix("10.20.0.0/24"), router, router},
		{netip.MustParsePrefix("10.0.16.0/24"), far, router},
		{netip.MustParsePrefix("10.0.0.0/8"), router, router},
	}
	want := map[netip.Prefix]hop{
		netip.MustParsePrefix("10.244.1.0/24"): {other, 3},
		netip.MustParsePrefix("10.0.0.0/8"):    {router, 3},
	}
	if got := ways(table, links); !reflect.DeepEqual(want, got) {
		t.Errorf("want %v, got %v", want, got)
	}
}
