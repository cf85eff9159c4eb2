package plugin

import (
	"errors"
	"runtime"
	"syscall"
)

var errOwnNamespace = errors.New("it is the plugin's own network namespace, not a pod's")

// OpenSandbox opens the network namespace at path, and a NETLINK_ROUTE socket inside it, which stays there whatever namespace
// its user is in. It needs CAP_SYS_ADMIN. A path that is the caller's own namespace is refused: a plugin must not configure
// the host as if it were a pod.
func OpenSandbox(path string) (fds []int, err error) {
	netns, err := open(path)
	if err != nil {
		return nil, err
	}
	socket, err := socketIn(netns)
	if err != nil {
		syscall.Close(netns)
		return nil, err
	}
	return []int{netns, socket}, nil
}

func socketIn(netns int) (socket int, err error) {
	runtime.LockOSThread()
	back := true
	defer func() {
		if back { // otherwise the thread ends with its goroutine, so that no other code runs in the pod's namespace
			runtime.UnlockOSThread()
		}
	}()
	own, err := open("/proc/thread-self/ns/net")
	if err != nil {
		return -1, because("open the plugin's own", err)
	}
	defer syscall.Close(own)
	same, err := sameFile(own, netns)
	if err != nil {
		return -1, err
	}
	if same {
		return -1, errOwnNamespace
	}
	if err := setns(netns); err != nil {
		return -1, because("enter", err)
	}
	socket, err = syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	if failed := setns(own); failed != nil {
		back = false
		return -1, because("leave again", failed)
	}
	if err != nil {
		return -1, because("open routing socket", err)
	}
	return socket, nil
}

// open does not wait for somebody who writes, should path be a pipe.
func open(path string) (fd int, err error) {
	for again := true; again; again = err == syscall.EINTR {
		fd, err = syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	}
	return fd, err
}

func sameFile(a, b int) (bool, error) {
	var one, other syscall.Stat_t
	if err := syscall.Fstat(a, &one); err != nil {
		return false, err
	}
	if err := syscall.Fstat(b, &other); err != nil {
		return false, err
	}
	return one.Dev == other.Dev && one.Ino == other.Ino, nil
}

func setns(fd int) error {
	_, _, errno := syscall.RawSyscall(sysSetns, uintptr(fd), syscall.CLONE_NEWNET, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
