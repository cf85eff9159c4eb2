package kernel

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// attribute is one received netlink attribute. Values shorter than asked for read as zero: the kernel does not send such.
type attribute struct {
	kind  uint16
	value []byte
}

// attributes splits b, which may end in padding.
func attributes(b []byte) []attribute {
	var found []attribute
	for len(b) >= unix.SizeofNlAttr {
		length := int(binary.NativeEndian.Uint16(b))
		if length < unix.SizeofNlAttr || length > len(b) {
			break
		}
		found = append(found, attribute{kind: binary.NativeEndian.Uint16(b[2:]) & nl.NLA_TYPE_MASK, value: b[unix.SizeofNlAttr:length]})
		b = b[min((length+unix.NLA_ALIGNTO-1)&^(unix.NLA_ALIGNTO-1), len(b)):]
	}
	return found
}

func (a attribute) text() string { return strings.TrimRight(string(a.value), "\x00") }

func (a attribute) uint32() uint32 {
	if len(a.value) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(a.value)
}

func (a attribute) uint8() uint8 {
	if len(a.value) < 1 {
		return 0
	}
	return a.value[0]
}

func (a attribute) addr() netip.Addr {
	ip, _ := netip.AddrFromSlice(a.value)
	return ip
}

func (a attribute) mac() string { return net.HardwareAddr(a.value).String() }

// find is the first attribute of that kind; its value is nil when there is none.
func find(list []attribute, kind uint16) attribute {
	for _, a := range list {
		if a.kind == kind {
			return a
		}
	}
	return attribute{kind: kind}
}
