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

// send writes message behind its length. The descriptors go with the length, because a stream may cut the rest anywhere.
func send(conn *net.UnixConn, message any, sandbox Sandbox) error {
	body, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	if len(body) > maxMessage {
		return fmt.Errorf("message has %d bytes, %d are the limit", len(body), maxMessage)
	}
	var rights []byte
	if sandbox.NetNS != nil && sandbox.Netlink != nil {
		rights = syscall.UnixRights(int(sandbox.NetNS.Fd()), int(sandbox.Netlink.Fd()))
	}
	header := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	if _, _, err := conn.WriteMsgUnix(header, rights, nil); err != nil {
		return err
	}
	_, err = conn.Write(body)
	return err
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
	if _, err := io.ReadFull(conn, header[n:]); err != nil {
		return sandbox, cutShort(err)
	}
	size := binary.BigEndian.Uint32(header)
	if size > maxMessage {
		return sandbox, fmt.Errorf("message of %d bytes announced, %d are the limit", size, maxMessage)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(conn, body); err != nil {
		return sandbox, cutShort(err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return sandbox, fmt.Errorf("decode message: %w", err)
	}
	return sandbox, nil
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
