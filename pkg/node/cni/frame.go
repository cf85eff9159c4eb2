package cni

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// maxMessage bounds what a peer may make the other side hold in memory. A GC names each of a node's attachments in a
// hundred bytes or so.
const maxMessage = 4 << 20

// files is how many descriptors a Sandbox is.
const files = 2

// encode is message behind its length.
func encode(message any) ([]byte, error) {
	body, err := json.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	if len(body) > maxMessage {
		return nil, fmt.Errorf("message has %d bytes, %d are the limit", len(body), maxMessage)
	}
	framed := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body)))
	return append(framed, body...), nil
}

// rightsOf is the control message that carries a sandbox's descriptors. They go with the first bytes, because a stream may
// cut the rest anywhere.
func rightsOf(sandbox Sandbox) []byte {
	if sandbox.NetNS == nil || sandbox.Netlink == nil {
		return nil
	}
	return syscall.UnixRights(int(sandbox.NetNS.Fd()), int(sandbox.Netlink.Fd()))
}

// decode reads one message. read is what was read of its length already.
func decode(conn io.Reader, read []byte, into any) error {
	header := make([]byte, 4)
	n := copy(header, read)
	if _, err := io.ReadFull(conn, header[n:]); err != nil {
		if n > 0 {
			return cutShort(err)
		}
		return err
	}
	size := binary.BigEndian.Uint32(header)
	if size > maxMessage {
		return fmt.Errorf("message of %d bytes announced, %d are the limit", size, maxMessage)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(conn, body); err != nil {
		return cutShort(err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("decode message: %w", err)
	}
	return nil
}

// receive reads one message, and the descriptors that came with it. The caller closes the Sandbox, also when there is an
// error.
func receive(conn *net.UnixConn, into any) (Sandbox, error) {
	header := make([]byte, 4)
	rights := make([]byte, syscall.CmsgSpace(4*files))
	n, oobn, flags, _, err := conn.ReadMsgUnix(header, rights)
	if err != nil {
		return Sandbox{}, err
	}
	if n == 0 {
		return Sandbox{}, io.EOF
	}
	sandbox, err := sandboxFrom(rights[:oobn], flags)
	if err != nil {
		return sandbox, err
	}
	return sandbox, decode(conn, header[:n], into)
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
