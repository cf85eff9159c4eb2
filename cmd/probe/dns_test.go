package main

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/onectl/connectivity/job"
	"github.com/onectl/onectl/pkg/testkit"
)

// dnsServer answers every question with the address.
func dnsServer(t *testing.T, address netip.Addr, code byte) string {
	t.Helper()
	return testkit.DNS(t, code, func(string) netip.Addr { return address })
}

func TestLookups(t *testing.T) {
	service, other := netip.MustParseAddr("10.96.0.9"), netip.MustParseAddr("10.96.0.8")
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	tests := []struct {
		name   string
		server string
		want   []netip.Addr
		fault  job.Fault
	}{
		{"the Service's address", dnsServer(t, service, 0), []netip.Addr{service}, ""},
		{"any address", dnsServer(t, other, 0), nil, ""},
		{"another address", dnsServer(t, other, 0), []netip.Addr{service}, job.NotFound},
		{"no such name", dnsServer(t, service, 3), nil, job.NotFound},
		{"a server that fails", dnsServer(t, service, 2), nil, job.Refused},
		{"no answer", silent.LocalAddr().String(), nil, job.Timeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := resolve(t.Context(), time.Second, job.Lookup{ID: "n", Name: "target.test.svc.cluster.local.", Want: tt.want, Server: tt.server})
			if !got.DNS.Done || got.DNS.Fault != tt.fault {
				t.Errorf("want fault %q, got %+v", tt.fault, got)
			}
		})
	}
}
