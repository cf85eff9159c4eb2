package kernel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// replyTimeout bounds the wait for an answer. The kernel works on a request inside sendmsg, so that answers are normally
// there when it returns.
const replyTimeout = 30 * time.Second

// message is one netlink request of a batch.
type message struct {
	*nl.NetlinkRequest
	what string          // for its error
	fine []syscall.Errno // errors that mean: it is as it should be already
}

// traffic is what was sent to the kernel: how many messages, and in how many calls of sendmsg.
type traffic struct{ sends, messages atomic.Uint64 }

// socket is a NETLINK_ROUTE socket, of this package or handed over. One goroutine at a time may use it.
//
// It is our own, not netlink.Handle, for two things that one cannot do: send several requests in one sendmsg, which the
// kernel then works on in order and without giving the lock up in between for each reply to be fetched, and use a socket that
// somebody else opened in a namespace we may not enter.
type socket struct {
	file *os.File
	fd   int
	sent *traffic
	buf  []byte
}

// openSocket opens a socket in the calling thread's network namespace.
func openSocket(sent *traffic) (*socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	return useSocket(os.NewFile(uintptr(fd), "netlink"), sent, make([]byte, 1<<16)), nil
}

// useSocket makes a socket of an open one that its owner closes; buf is where it receives. The options only make errors readable and dumps small; kernels that do not know
// them do without.
func useSocket(file *os.File, sent *traffic, buf []byte) *socket {
	s := &socket{file: file, fd: int(file.Fd()), sent: sent, buf: buf}
	for _, option := range []int{unix.NETLINK_EXT_ACK, unix.NETLINK_CAP_ACK, unix.NETLINK_GET_STRICT_CHK} {
		_ = unix.SetsockoptInt(s.fd, unix.SOL_NETLINK, option, 1)
	}
	_ = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 1<<20)
	return s
}

func (s *socket) close() error { return s.file.Close() }

// run sends the messages in one sendmsg and returns an error and the replies for each. The kernel works through all of
// them even when one fails.
func (s *socket) run(ctx context.Context, messages []message) (replies [][]byte, errs []error) {
	replies, errs = make([][]byte, len(messages)), make([]error, len(messages))
	place := make(map[uint32]int, len(messages))
	var request []byte
	for i, m := range messages {
		place[m.Seq] = i
		request = append(request, m.Serialize()...)
	}
	err := s.exchange(ctx, request, len(messages), func(header unix.NlMsghdr, payload []byte) bool {
		i, ours := place[header.Seq]
		switch {
		case !ours:
			return false
		case header.Type == unix.NLMSG_ERROR:
			errs[i] = messages[i].judge(header, payload)
			return true
		}
		replies[i] = append([]byte(nil), payload...)
		return false
	})
	if err != nil {
		for i := range errs {
			errs[i] = fmt.Errorf("%s: %w", messages[i].what, err)
		}
	}
	return replies, errs
}

// do is run for batches whose replies do not matter.
func (s *socket) do(ctx context.Context, messages []message) error {
	_, errs := s.run(ctx, messages)
	return errors.Join(errs...)
}

// dump sends one dump request and returns its messages. A table or link that does not exist has nothing to dump.
func (s *socket) dump(ctx context.Context, m message) ([][]byte, error) {
	for range 5 {
		found, interrupted, err := s.dumpOnce(ctx, m)
		if err != nil || !interrupted {
			return found, err
		}
	}
	return nil, fmt.Errorf("%s: %w: the list changed each time it was read", m.what, nl.ErrDumpInterrupted)
}

func (s *socket) dumpOnce(ctx context.Context, m message) (found [][]byte, interrupted bool, err error) {
	m.Flags |= unix.NLM_F_DUMP
	m.fine = append(m.fine, unix.ENOENT, unix.ENODEV)
	var failed error
	err = s.exchange(ctx, m.Serialize(), 1, func(header unix.NlMsghdr, payload []byte) bool {
		if header.Seq != m.Seq {
			return false
		}
		interrupted = interrupted || header.Flags&unix.NLM_F_DUMP_INTR != 0
		switch header.Type {
		case unix.NLMSG_DONE, unix.NLMSG_ERROR:
			failed = m.judge(header, payload)
			return true
		}
		found = append(found, append([]byte(nil), payload...))
		return false
	})
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", m.what, err)
	}
	return found, interrupted, failed
}

// exchange sends request and gives every message that comes back to take, until take has said true answers times.
func (s *socket) exchange(ctx context.Context, request []byte, answers int, take func(unix.NlMsghdr, []byte) bool) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	s.sent.sends.Add(1)
	s.sent.messages.Add(uint64(answers))
	if err := unix.Sendto(s.fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	for answers > 0 {
		n, err := s.receive()
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		for rest := s.buf[:n]; len(rest) >= unix.SizeofNlMsghdr; {
			header, payload, after := split(rest)
			if payload == nil {
				return errors.New("receive: message cut short")
			}
			if take(header, payload) {
				answers--
			}
			rest = after
		}
	}
	return nil
}

func (s *socket) receive() (int, error) {
	deadline := time.Now().Add(replyTimeout)
	for {
		n, _, err := unix.Recvfrom(s.fd, s.buf, unix.MSG_DONTWAIT)
		switch {
		case err == nil:
			return n, nil
		case errors.Is(err, unix.EINTR):
			continue
		case !errors.Is(err, unix.EAGAIN):
			return 0, err
		}
		left := time.Until(deadline)
		if left <= 0 {
			return 0, os.ErrDeadlineExceeded
		}
		poll := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, int(left.Milliseconds())+1); err != nil && !errors.Is(err, unix.EINTR) {
			return 0, err
		}
	}
}

// split takes the first message off b. The payload is nil when b is not whole.
func split(b []byte) (header unix.NlMsghdr, payload, rest []byte) {
	header = unix.NlMsghdr{
		Len:   binary.NativeEndian.Uint32(b),
		Type:  binary.NativeEndian.Uint16(b[4:]),
		Flags: binary.NativeEndian.Uint16(b[6:]),
		Seq:   binary.NativeEndian.Uint32(b[8:]),
		Pid:   binary.NativeEndian.Uint32(b[12:]),
	}
	if header.Len < unix.SizeofNlMsghdr || int(header.Len) > len(b) {
		return header, nil, nil
	}
	next := min((int(header.Len)+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1), len(b))
	return header, b[unix.SizeofNlMsghdr:header.Len], b[next:]
}

// judge is the error of an NLMSG_ERROR or NLMSG_DONE message, with the kernel's own words where it has some.
func (m message) judge(header unix.NlMsghdr, payload []byte) error {
	if len(payload) < 4 {
		return nil
	}
	errno := syscall.Errno(-int32(binary.NativeEndian.Uint32(payload)))
	if errno == 0 {
		return nil
	}
	for _, fine := range m.fine {
		if errno == fine {
			return nil
		}
	}
	if text := extendedAck(header, payload); text != "" {
		return fmt.Errorf("%s: %w (%s)", m.what, errno, text)
	}
	return fmt.Errorf("%s: %w", m.what, errno)
}

func extendedAck(header unix.NlMsghdr, payload []byte) string {
	skip := 4
	if header.Type == unix.NLMSG_ERROR {
		skip += unix.SizeofNlMsghdr
		if header.Flags&unix.NLM_F_CAPPED == 0 && len(payload) >= 8 {
			skip = 4 + (int(binary.NativeEndian.Uint32(payload[4:]))+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1)
		}
	}
	if header.Flags&unix.NLM_F_ACK_TLVS == 0 || skip > len(payload) {
		return ""
	}
	for _, a := range attributes(payload[skip:]) {
		if a.kind == nl.NLMSGERR_ATTR_MSG {
			return a.text()
		}
	}
	return ""
}
