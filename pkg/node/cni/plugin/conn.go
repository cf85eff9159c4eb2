package plugin

import (
	"errors"
	"syscall"
)

// Conn is a connected stream socket in blocking mode: a plugin asks once and ends, and Go's network poller with the threads
// that it wakes would cost it more than the whole exchange.
type Conn int

// Dial connects to the daemon's socket. Neither that, nor a step of Ask, takes longer than seconds.
func Dial(socket string, seconds int64) (Conn, error) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, because("make socket", err)
	}
	limit := syscall.Timeval{Sec: seconds}
	for _, option := range [...]int{syscall.SO_SNDTIMEO, syscall.SO_RCVTIMEO} {
		if err = syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, option, &limit); err != nil {
			syscall.Close(fd)
			return -1, because("limit the wait", err)
		}
	}
	for again := true; again; again = err == syscall.EINTR {
		err = syscall.Connect(fd, &syscall.SockaddrUnix{Name: socket})
	}
	if err != nil {
		syscall.Close(fd)
		return -1, because("connect", err)
	}
	return Conn(fd), nil
}

// Close closes the socket.
func (c Conn) Close() { syscall.Close(int(c)) }

// Shutdown makes an Ask under way end, from another goroutine.
func (c Conn) Shutdown() { _ = syscall.Shutdown(int(c), syscall.SHUT_RDWR) }

// Ask sends m with the descriptors beside it and waits for the answer: the plugin's exit code and what it prints.
func (c Conn) Ask(m Message, fds []int) (code int, said []byte, err error) {
	message, err := m.Encode()
	if err != nil {
		return 0, nil, err
	}
	if err := c.send(message, fds); err != nil {
		return 0, nil, because("send request", err)
	}
	return c.answer()
}

// send writes all of b, the descriptors with its first byte, because a stream may cut the rest anywhere. A peer that is gone is an
// error, not a signal.
func (c Conn) send(b []byte, fds []int) error {
	var control []byte
	if len(fds) > 0 {
		control = syscall.UnixRights(fds...)
	}
	for len(b) > 0 {
		n, err := syscall.SendmsgN(int(c), b, control, nil, syscall.MSG_NOSIGNAL)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		b, control = b[n:], nil
	}
	return nil
}

// answer reads a length, the exit code in one byte, and what to print.
func (c Conn) answer() (code int, said []byte, err error) {
	b := make([]byte, 0, 4096)
	for want := 5; len(b) < want; {
		n, err := syscall.Read(int(c), b[len(b):cap(b)])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return 0, nil, errors.New("the daemon took too long")
		case err != nil:
			return 0, nil, because("receive answer", err)
		case n == 0:
			return 0, nil, errors.New("the daemon ended before it answered")
		}
		if b = b[:len(b)+n]; len(b) < 4 {
			continue
		}
		size := length(b)
		if size == 0 || size > MaxMessage {
			return 0, nil, because("receive answer", tooLong(int(size)))
		}
		if want = 4 + int(size); want > cap(b) {
			b = append(make([]byte, 0, want), b...)
		}
	}
	return int(b[4]), b[5:], nil
}

func because(what string, cause error) error { return errors.New(what + ": " + cause.Error()) }
