package plugin

import (
	"syscall"
	"unsafe"
)

// Every function in this file runs without Go's runtime; see the package's comment.

// openSandbox opens the pod's network namespace, and a NETLINK_ROUTE socket inside it, which stays there whatever namespace
// its user is in. It needs CAP_SYS_ADMIN. A path that is the caller's own namespace is refused: a plugin must not configure
// the host as if it were a pod. The thread must not change meanwhile.
//
//go:nosplit
func (c *call) openSandbox() failure {
	netns, errno := openFile(c.pathZ(c.vars[netnsPath]))
	if errno != 0 {
		return failure{step: openingSandbox, errno: errno}
	}
	routing, f := c.routingSocketIn(netns)
	if f.step != done {
		closeFD(netns)
		return f
	}
	c.fds, c.opened = [2]int32{int32(netns), int32(routing)}, true
	return failure{}
}

// pathZ is a path as the kernel wants it, in room that is not in use yet. A path that does not fit is empty, which no file is.
//
//go:nosplit
func (c *call) pathZ(s string) *byte {
	n := 0
	if len(s) < len(c.head) {
		n = copy(c.head[:], s)
	}
	c.head[n] = 0
	return &c.head[0]
}

var ownPath = [...]byte{'/', 'p', 'r', 'o', 'c', '/', 't', 'h', 'r', 'e', 'a', 'd', '-', 's', 'e', 'l', 'f', '/', 'n', 's', '/', 'n', 'e', 't', 0}

//go:nosplit
func (c *call) routingSocketIn(netns int) (routing int, f failure) {
	own, errno := openFile(&ownPath[0])
	if errno != 0 {
		return -1, failure{step: openingOwn, errno: errno}
	}
	same, errno := c.sameFile(own, netns)
	switch {
	case errno != 0:
		f = failure{step: comparing, errno: errno}
	case same:
		f = failure{step: ownNamespace}
	default:
		routing, f = routingSocket(own, netns)
	}
	closeFD(own)
	return routing, f
}

//go:nosplit
func routingSocket(own, netns int) (routing int, f failure) {
	if errno := setns(netns); errno != 0 {
		return -1, failure{step: entering, errno: errno}
	}
	r, _, errno := syscall.RawSyscall(syscall.SYS_SOCKET, syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	if left := setns(own); left != 0 {
		return -1, failure{step: leaving, errno: left}
	}
	if errno != 0 {
		return -1, failure{step: makingRouting, errno: errno}
	}
	return int(r), failure{}
}

// openFile does not wait for somebody who writes, should path be a pipe.
//
//go:nosplit
func openFile(path *byte) (fd int, errno syscall.Errno) {
	const here = ^uintptr(99) // AT_FDCWD, -100
	for {
		r, _, errno := syscall.RawSyscall6(syscall.SYS_OPENAT, here, uintptr(unsafe.Pointer(path)), syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0, 0, 0)
		if errno != syscall.EINTR {
			return int(r), errno
		}
	}
}

//go:nosplit
func (c *call) sameFile(a, b int) (bool, syscall.Errno) {
	for i, fd := range [...]int{a, b} {
		if _, _, errno := syscall.RawSyscall(syscall.SYS_FSTAT, uintptr(fd), uintptr(unsafe.Pointer(&c.stats[i])), 0); errno != 0 {
			return false, errno
		}
	}
	return c.stats[0].Dev == c.stats[1].Dev && c.stats[0].Ino == c.stats[1].Ino, 0
}

//go:nosplit
func setns(fd int) syscall.Errno {
	_, _, errno := syscall.RawSyscall(sysSetns, uintptr(fd), syscall.CLONE_NEWNET, 0)
	return errno
}
