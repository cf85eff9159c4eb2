package plugin

import (
	"errors"
	"strconv"
)

// Version is the version of the messages, the first byte of a request. A daemon refuses a request of another one and says so.
// Version 1 was JSON, which starts with a brace.
const Version = 2

// MaxMessage bounds what a peer may make the other side hold in memory, in bytes. A GC names each of a node's attachments in a
// hundred bytes or so.
const MaxMessage = 4 << 20

// Message is a request as it goes to the daemon: the container runtime's variables as they are, none of them looked at.
type Message struct {
	Version     byte
	Command     string // CNI_COMMAND, as the following
	ContainerID string
	NetNS       string
	IfName      string
	Args        string
	Path        string
	Problem     string // why the network namespace could not be opened; "" where it was, or need not be
	Config      []byte // standard input
}

// Encode is m behind its length: the version, then each field behind its own, 32 bits in network order.
func (m Message) Encode() ([]byte, error) {
	fields := m.fields()
	size := 1 + 4 + len(m.Config)
	for _, field := range fields {
		size += 4 + len(*field)
	}
	if size > MaxMessage {
		return nil, tooLong(size)
	}
	b := append(appendLength(make([]byte, 0, 4+size), size), m.Version)
	for _, field := range fields {
		b = append(appendLength(b, len(*field)), *field...)
	}
	return append(appendLength(b, len(m.Config)), m.Config...), nil
}

// Parse reads what Encode wrote, without the length in front. Only the version of a message of another version is read.
// Config is part of body.
func Parse(body []byte) (Message, error) {
	if len(body) == 0 {
		return Message{}, errors.New("message is empty")
	}
	m := Message{Version: body[0]}
	if m.Version != Version {
		return m, nil
	}
	rest := body[1:]
	for _, field := range m.fields() {
		var value []byte
		var err error
		if value, rest, err = cut(rest); err != nil {
			return Message{}, err
		}
		*field = string(value)
	}
	var err error
	if m.Config, rest, err = cut(rest); err != nil {
		return Message{}, err
	}
	if len(rest) > 0 {
		return Message{}, errors.New("message goes on after its last field")
	}
	return m, nil
}

// fields is all text in the order that it is sent in.
func (m *Message) fields() [7]*string {
	return [...]*string{&m.Command, &m.ContainerID, &m.NetNS, &m.IfName, &m.Args, &m.Path, &m.Problem}
}

func cut(b []byte) (field, rest []byte, err error) {
	if len(b) < 4 || uint64(length(b)) > uint64(len(b)-4) {
		return nil, nil, errors.New("message cut short")
	}
	end := 4 + int(length(b))
	return b[4:end:end], b[end:], nil
}

func appendLength(b []byte, n int) []byte {
	return append(b, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

//go:nosplit
func length(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

func tooLong(size int) error {
	return errors.New("message has " + strconv.Itoa(size) + " bytes, " + strconv.Itoa(MaxMessage) + " are the limit")
}
