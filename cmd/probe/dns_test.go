package main

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/onectl/connectivity/job"
)

// dnsServer answers every question for an A record with the address, others with none. code is the response code.
func dnsServer(t *testing.T, address netip.Addr, code byte) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(dnsReply(buffer[:n], address, code), from)
		}
	}()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return conn.LocalAddr().String()
}

func dnsReply(question []byte, address netip.Addr, code byte) []byte {
	end := 12
	for question[end] != 0 {
		end += int(question[end]) + 1
	}
	end += 5 // the root label, type and class
	isA := binary.BigEndian.Uint16(question[end-4:]) == 1
	reply := append([]byte{}, question[:end]...)
	copy(reply[2:], []byte{0x81, 0x80 | code, 0, 1, 0, 0, 0, 0, 0, 0})
	if !isA || code != 0 {
		return reply
	}
	reply[7] = 1
	reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)
	return append(reply, address.AsSlice()...)
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
