package cni

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/onectl/onectl/pkg/node/cni/plugin"
)

// files is how many descriptors a Sandbox is.
const files = 2

// firstRead is how much is asked for at first. All requests but those with a long configuration come whole.
const firstRead = 4096

// receive reads one message without its length, and the descriptors that came with it. The caller closes the Sandbox, also
// when there is an error.
func receive(conn *net.UnixConn) (body []byte, sandbox Sandbox, err error) {
	first := make([]byte, firstRead)
	rights := make([]byte, syscall.CmsgSpace(4*files))
	n, oobn, flags, _, err := conn.ReadMsgUnix(first, rights)
	if err != nil {
		return nil, Sandbox{}, err
	}
	if n == 0 {
		return nil, Sandbox{}, io.EOF
	}
	if sandbox, err = sandboxFrom(rights[:oobn], flags); err != nil {
		return nil, sandbox, err
	}
	body, err = rest(conn, first, n)
	return body, sandbox, err
}

// rest reads what is missing of a message whose first n bytes are in first.
func rest(conn io.Reader, first []byte, n int) ([]byte, error) {
	if n < 4 {
		if _, err := io.ReadFull(conn, first[n:4]); err != nil {
			return nil, cutShort(err)
		}
		n = 4
	}
	size := binary.BigEndian.Uint32(first)
	if size > plugin.MaxMessage {
		return nil, fmt.Errorf("message of %d bytes announced, %d are the limit", size, plugin.MaxMessage)
	}
	have := first[4:n]
	if len(have) > int(size) {
		return nil, fmt.Errorf("message of %d bytes announced, more came", size)
	}
	if len(have) == int(size) {
		return have, nil
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(conn, body[copy(body, have):]); err != nil {
		return nil, cutShort(err)
	}
	return body, nil
}

func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// sandboxFrom takes the descriptors out of a control message: none, or exactly two.
func sandboxFrom(control []byte, flags int) (Sandbox, error) {
	if len(control) == 0 {
		return Sandbox{}, nil
	}
	fds, err := descriptors(control)
	if err != nil || len(fds) != files || flags&syscall.MSG_CTRUNC != 0 {
		for _, fd := range fds {
			syscall.Close(fd)
		}
		return Sandbox{}, errors.Join(fmt.Errorf("a message carries no file descriptor or %d, not %d (cut short: %t)",
			files, len(fds), flags&syscall.MSG_CTRUNC != 0), err)
	}
	return Sandbox{NetNS: os.NewFile(uintptr(fds[0]), "netns"), Netlink: os.NewFile(uintptr(fds[1]), "netlink")}, nil
}

func descriptors(control []byte) ([]int, error) {
	messages, err := syscall.ParseSocketControlMessage(control)
	if err != nil {
		return nil, err
	}
	var all []int
	for i := range messages {
		fds, err := syscall.ParseUnixRights(&messages[i])
		if err != nil {
			return all, err
		}
		all = append(all, fds...)
	}
	return all, nil
}
