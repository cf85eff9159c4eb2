package testkit

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// DNS serves on loopback until the test ends, over UDP, and returns where. A question for the IPv4 address of a name ("a.b.")
// gets what answer returns, or an answer without addresses for the zero Addr; code is the response code of all (RFC 1035).
func DNS(t testing.TB, code byte, answer func(name string) netip.Addr) string {
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
			_, _ = conn.WriteTo(dnsReply(buffer[:n], code, answer), from)
		}
	}()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return conn.LocalAddr().String()
}

func dnsReply(question []byte, code byte, answer func(string) netip.Addr) []byte {
	var name strings.Builder
	end := 12
	for question[end] != 0 {
		length := int(question[end])
		name.Write(question[end+1 : end+1+length])
		name.WriteByte('.')
		end += length + 1
	}
	end += 5 // the root label, type and class
	reply := append([]byte{}, question[:end]...)
	copy(reply[2:], []byte{0x81, 0x80 | code, 0, 1, 0, 0, 0, 0, 0, 0})
	isA := binary.BigEndian.Uint16(question[end-4:]) == 1
	address := answer(name.String())
	if !isA || code != 0 || !address.Is4() {
		return reply
	}
	reply[7] = 1
	reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4) // the name again, class and type, a minute, four bytes
	return append(reply, address.AsSlice()...)
}
