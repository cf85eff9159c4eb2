package rig

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Namespace makes a network namespace with its loopback up. It ends when its file is closed, at the latest with Close.
func (n *Node) Namespace() (*os.File, error) {
	file, err := NewNetNS()
	if err == nil {
		n.files = append(n.files, file)
	}
	return file, err
}

// NewNetNS makes a network namespace with its loopback up, which ends when its file is closed.
func NewNetNS() (file *os.File, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with its namespace
		if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return
		}
		if file, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return
		}
		var lo netlink.Link
		if lo, err = netlink.LinkByName("lo"); err == nil {
			err = netlink.LinkSetUp(lo)
		}
	}()
	<-done
	return file, err
}

// Path names a namespace for other processes, as long as this one holds it.
func Path(netns *os.File) string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), netns.Fd()) }

// In runs do inside a namespace, on a thread of its own.
func In(netns *os.File, do func() error) (err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread is in another namespace
		if err = unix.Setns(int(netns.Fd()), unix.CLONE_NEWNET); err == nil {
			err = do()
		}
	}()
	<-done
	return err
}

// Dial connects from inside the node's namespace.
func (n *Node) Dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = In(n.Host, func() (err error) {
		conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}
