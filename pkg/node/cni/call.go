package cni

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// Call asks the daemon and waits for its answer, until ctx ends. It fills in the request's Version. Its errors are of
// type *Error: the daemon's own, or one that says why there is no answer and where to look.
//
// It speaks to the socket with plain blocking calls: a plugin asks once and ends, and Go's network poller with the threads
// that it wakes would cost it more than the whole exchange.
func Call(ctx context.Context, socket string, request Request, sandbox Sandbox) (json.RawMessage, error) {
	request.Version = Version
	conn, err := dial(socket)
	if err != nil {
		return nil, unanswered(request.Verb, socket, err)
	}
	defer unix.Close(int(conn))
	stop := context.AfterFunc(ctx, func() { _ = unix.Shutdown(int(conn), unix.SHUT_RDWR) })
	defer stop()
	reply, err := exchange(conn, request, sandbox)
	if err != nil {
		return nil, unanswered(request.Verb, socket, errors.Join(err, context.Cause(ctx)))
	}
	if reply.Error != nil {
		return nil, reply.Error
	}
	return reply.Result, nil
}

// descriptor is a connected stream socket in blocking mode.
type descriptor int

func dial(socket string) (descriptor, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("make socket: %w", err)
	}
	err = again(func() error { return unix.Connect(fd, &unix.SockaddrUnix{Name: socket}) })
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("connect: %w", err)
	}
	return descriptor(fd), nil
}

// Read is io.Reader's.
func (d descriptor) Read(b []byte) (n int, err error) {
	err = again(func() error { n, err = unix.Read(int(d), b); return err })
	if err == nil && n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return max(n, 0), err
}

// Write is io.Writer's: all of b.
func (d descriptor) Write(b []byte) (n int, err error) { return len(b), d.write(b, nil) }

// write sends all of b, the control message with its first byte. A peer that is gone is an error, not a signal.
func (d descriptor) write(b, control []byte) error {
	for len(b) > 0 {
		var n int
		err := again(func() (err error) {
			n, err = unix.SendmsgN(int(d), b, control, nil, unix.MSG_NOSIGNAL)
			return err
		})
		if err != nil {
			return err
		}
		b, control = b[n:], nil
	}
	return nil
}

// again repeats a call that a signal interrupted.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

func exchange(conn descriptor, request Request, sandbox Sandbox) (Reply, error) {
	message, err := encode(request)
	if err != nil {
		return Reply{}, err
	}
	if err := conn.write(message, rightsOf(sandbox)); err != nil {
		return Reply{}, fmt.Errorf("send request: %w", err)
	}
	var reply Reply
	err = decode(conn, nil, &reply)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return Reply{}, errors.New("the daemon ended before it answered")
	}
	if err != nil {
		return Reply{}, fmt.Errorf("receive answer: %w", err)
	}
	return reply, nil
}

// unanswered is the error for a daemon that is not there. The runtime tries again later; kubelet repeats a DEL until it
// succeeds, so nothing leaks while the daemon is down.
func unanswered(verb Verb, socket string, cause error) *Error {
	code := CodeTryLater
	if verb == Status {
		code = CodeUnavailable
	}
	return &Error{
		Code: code,
		Msg: fmt.Sprintf("no answer from terwayd on %s: %v; look at this node's terway-eniip pod: "+
			"kubectl -n kube-system get pods -l app=terway-eniip -o wide, then kubectl -n kube-system logs POD", socket, cause),
	}
}
