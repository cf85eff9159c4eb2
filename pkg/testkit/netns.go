// Package testkit is what tests of several packages need: network namespaces that vanish with the test, veth pairs
// between them, packets sent from inside them, and golden files. It is imported by tests only.
//
// Namespaces are held by a file descriptor of the test process, never mounted: when a test is killed, nothing stays
// behind. They need root; RequireRoot skips a test that has not got it.
package testkit

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// RequireRoot skips the test when it cannot make network namespaces.
func RequireRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: it makes network namespaces and links")
	}
}

// NetNS is a network namespace of a test, with its loopback link up.
type NetNS struct {
	Path string   // "/proc/PID/fd/N", good for every process that sees this one, as long as the test runs
	Fd   *os.File // closed when the test ends; closing it earlier lets a namespace that nothing else uses vanish

	t testing.TB
}

// NewNetNS makes an empty network namespace that lives until the test ends. It skips the test when not root.
func NewNetNS(t testing.TB) *NetNS {
	t.Helper()
	RequireRoot(t)
	fd, err := newNetNS()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fd.Close() })
	ns := &NetNS{Path: fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd.Fd()), Fd: fd, t: t}
	ns.Up("lo")
	return ns
}

// Do runs f on this goroutine inside the namespace. f may call t.Fatal. What f starts in other goroutines runs outside,
// but a socket stays in the namespace it was made in.
func (ns *NetNS) Do(f func()) {
	ns.t.Helper()
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		ns.t.Fatal(err)
	}
	defer home.Close()
	if err := unix.Setns(int(ns.Fd.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		ns.t.Fatalf("enter %s: %v", ns.Path, err)
	}
	defer func() {
		if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
			ns.t.Errorf("leave %s: %v", ns.Path, err)
			return // the thread stays locked and dies with its goroutine
		}
		runtime.UnlockOSThread()
	}()
	f()
}

// Netlink is a netlink handle on the namespace, closed when the test ends. It keeps the namespace from vanishing.
func (ns *NetNS) Netlink() *netlink.Handle {
	ns.t.Helper()
	handle := ns.open()
	ns.t.Cleanup(handle.Close)
	return handle
}

func (ns *NetNS) open() *netlink.Handle {
	ns.t.Helper()
	handle, err := netlink.NewHandleAt(netns.NsHandle(ns.Fd.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		ns.t.Fatalf("netlink in %s: %v", ns.Path, err)
	}
	return handle
}

func newNetNS() (*os.File, error) {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	defer home.Close()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("make network namespace: %w", err)
	}
	fd, openErr := os.Open("/proc/thread-self/ns/net")
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("leave new network namespace: %w", err) // the thread stays locked and dies with its goroutine
	}
	runtime.UnlockOSThread()
	return fd, openErr
}
