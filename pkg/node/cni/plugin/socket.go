package plugin

import (
	"syscall"
	"unsafe"
)

// Every function in this file runs without Go's runtime; see the package's comment.

// ask sends the message with the sandbox beside it and receives the answer. The socket is left to the end of the process.
//
//go:nosplit
func (c *call) ask() failure {
	c.began, c.got = monotonic(), 0
	fd, f := c.connect()
	if f.step != done {
		return f
	}
	if f = c.send(fd); f.step == done {
		f = c.receive(fd)
	}
	if f.step != done {
		closeFD(fd)
	}
	return f
}

//go:nosplit
func (c *call) connect() (fd int, f failure) {
	r, _, errno := syscall.RawSyscall(syscall.SYS_SOCKET, syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if errno != 0 {
		return -1, failure{step: makingSocket, errno: errno}
	}
	fd = int(r)
	address := syscall.RawSockaddrUnix{Family: syscall.AF_UNIX}
	to := unsafe.Slice((*byte)(unsafe.Pointer(&address.Path)), len(address.Path))
	size := 2 + copy(to, c.socketPath()) + 1 // the family in front, a zero behind
	for {
		_, _, errno = syscall.RawSyscall(syscall.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&address)), uintptr(size))
		switch errno {
		case syscall.EINTR:
			continue
		case 0:
			return fd, failure{}
		}
		closeFD(fd)
		return -1, failure{step: connecting, errno: errno}
	}
}

// rights is a control message with the sandbox's descriptors (unix(7), SCM_RIGHTS).
type rights struct {
	header syscall.Cmsghdr
	fds    [2]int32
}

// send writes the head and the configuration, the descriptors with the first byte, because a stream may cut the rest anywhere. A peer
// that is gone is an error, not a signal.
//
//go:nosplit
func (c *call) send(fd int) failure {
	var control rights
	control.header.Level, control.header.Type, control.fds = syscall.SOL_SOCKET, syscall.SCM_RIGHTS, c.fds
	control.header.SetLen(syscall.SizeofCmsghdr + 8)
	var parts [2]syscall.Iovec
	message := syscall.Msghdr{Iov: &parts[0], Iovlen: 2}
	if c.opened {
		message.Control = (*byte)(unsafe.Pointer(&control))
		message.SetControllen(int(unsafe.Sizeof(control)))
	}
	for sent, total := 0, c.headSize+c.size; sent < total; {
		c.rest(sent, &parts)
		r, _, errno := syscall.RawSyscall(syscall.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&message)), syscall.MSG_NOSIGNAL|syscall.MSG_DONTWAIT)
		switch errno {
		case syscall.EINTR:
		case syscall.EAGAIN:
			if f := c.wait(fd, pollOut); f.step != done {
				return f
			}
		case 0:
			sent += int(r)
			message.Control = nil
			message.SetControllen(0)
		default:
			return failure{step: sending, errno: errno}
		}
	}
	return failure{}
}

// rest is what is left of the message after its first sent bytes.
//
//go:nosplit
func (c *call) rest(sent int, parts *[2]syscall.Iovec) {
	parts[0] = syscall.Iovec{}
	if head := c.headSize - sent; head > 0 {
		parts[0].Base = &c.head[sent]
		parts[0].SetLen(head)
		sent = c.headSize
	}
	parts[1].Base = &c.config[sent-c.headSize]
	parts[1].SetLen(c.size - (sent - c.headSize))
}

// receive reads a length, the exit code in one byte, and what to print.
//
//go:nosplit
func (c *call) receive(fd int) failure {
	for want := 5; c.got < want; {
		if f := c.wait(fd, pollIn); f.step != done {
			return f
		}
		n, errno := transfer(syscall.SYS_READ, fd, c.answer[c.got:])
		switch {
		case errno == syscall.EINTR:
			continue
		case errno != 0:
			return failure{step: receiving, errno: errno}
		case n == 0:
			return failure{step: ended}
		}
		if c.got += n; c.got < 4 {
			continue
		}
		size := int(length(c.answer[:]))
		if size == 0 || size > MaxMessage {
			return failure{step: longAnswer, size: size}
		}
		want = 4 + size
	}
	return failure{}
}

// What poll(2) asks for.
const (
	pollIn  = 1
	pollOut = 4
)

// wait waits until the descriptor can do that, or patience ends.
//
//go:nosplit
func (c *call) wait(fd int, events int16) failure {
	poll := struct {
		fd              int32
		events, revents int16
	}{fd: int32(fd), events: events}
	for {
		left := syscall.Timespec{Sec: c.began + c.patience - monotonic()}
		if left.Sec <= 0 {
			return failure{step: tooSlow}
		}
		n, _, errno := syscall.RawSyscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&poll)), 1, uintptr(unsafe.Pointer(&left)), 0, 0, 0)
		switch {
		case errno == syscall.EINTR || errno == 0 && n == 0:
		case errno != 0:
			return failure{step: receiving, errno: errno}
		default:
			return failure{}
		}
	}
}

// monotonic is seconds of the clock that nobody sets.
//
//go:nosplit
func monotonic() int64 {
	var now syscall.Timespec
	const clockMonotonic = 1
	_, _, _ = syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&now)), 0)
	return now.Sec
}

// transfer is read(2) or write(2). b is not empty.
//
//go:nosplit
func transfer(call uintptr, fd int, b []byte) (n int, errno syscall.Errno) {
	r, _, errno := syscall.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(r), 0
}

//go:nosplit
func writeAll(fd int, b []byte) bool {
	for len(b) > 0 {
		n, errno := transfer(syscall.SYS_WRITE, fd, b)
		if errno != 0 && errno != syscall.EINTR {
			return false
		}
		b = b[n:]
	}
	return true
}

//go:nosplit
func closeFD(fd int) { _, _, _ = syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(fd), 0, 0) }
