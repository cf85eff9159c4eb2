package cni

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// OpenSandbox opens the network namespace at path, and a routing socket inside it. It needs CAP_SYS_ADMIN. A path that is
// the caller's own namespace is refused: a plugin must not configure the host as if it were a pod.
func OpenSandbox(path string) (Sandbox, error) {
	netns, err := os.Open(path)
	if err != nil {
		return Sandbox{}, invalidNetNS(path, err)
	}
	socket, err := socketIn(netns)
	if err != nil {
		netns.Close()
		return Sandbox{}, invalidNetNS(path, err)
	}
	return Sandbox{NetNS: netns, Netlink: socket}, nil
}

func invalidNetNS(path string, err error) *Error {
	return &Error{Code: CodeInvalidNetNS, Msg: fmt.Sprintf("open network namespace %s: %v; the container runtime makes another sandbox when kubelet tries again", path, err)}
}

var errOwnNamespace = errors.New("it is the plugin's own network namespace, not a pod's")

// socketIn opens a NETLINK_ROUTE socket in netns: it stays there whatever namespace its user is in.
func socketIn(netns *os.File) (*os.File, error) {
	runtime.LockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	defer own.Close()
	if same(own, netns) {
		runtime.UnlockOSThread()
		return nil, errOwnNamespace
	}
	if err := unix.Setns(int(netns.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("enter: %w", err)
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if back := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); back != nil {
		// The thread stays locked, so that it ends with this goroutine and no other code runs in the pod's namespace.
		return nil, fmt.Errorf("leave again: %w", back)
	}
	runtime.UnlockOSThread()
	if err != nil {
		return nil, fmt.Errorf("open routing socket: %w", err)
	}
	return os.NewFile(uintptr(fd), "netlink"), nil
}

func same(a, b *os.File) bool {
	one, errA := a.Stat()
	other, errB := b.Stat()
	return errA == nil && errB == nil && os.SameFile(one, other)
}
