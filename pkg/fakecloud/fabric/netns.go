package fabric

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// netnsDir is where `ip netns` keeps its names.
const netnsDir = "/run/netns"

// netNS is an open network namespace. It keeps the namespace alive, so nobody holds one longer than a call.
type netNS struct {
	*netlink.Handle
	path string
	file *os.File
}

// openNetNS opens the namespace at path. The error is fs.ErrNotExist when there is none.
func openNetNS(path string) (*netNS, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if !isNetNS(int(file.Fd())) {
		_ = file.Close()
		return nil, fmt.Errorf("open %s: not a network namespace", path)
	}
	handle, err := netlink.NewHandleAt(netns.NsHandle(file.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("open netlink in %s: %w", path, err)
	}
	return &netNS{Handle: handle, path: path, file: file}, nil
}

// Close lets go of the namespace.
func (n *netNS) Close() {
	n.Handle.Close()
	_ = n.file.Close()
}

func isNetNS(fd int) bool {
	var stat unix.Statfs_t
	return unix.Fstatfs(fd, &stat) == nil && stat.Type == unix.NSFS_MAGIC
}

// netNSInode tells one namespace from another as long as it lives.
func netNSInode(path string) (uint64, error) {
	var stat unix.Stat_t
	if err := unix.Stat(path, &stat); err != nil {
		return 0, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return stat.Ino, nil
}

func exists(path string) bool {
	_, err := netNSInode(path)
	return err == nil
}

// inNetNS runs f on a thread inside the namespace fd. The thread is f's alone and goes back before it serves others.
func inNetNS(fd int, f func() error) error {
	return onOwnThread(func() error {
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("enter network namespace: %w", err)
		}
		return f()
	})
}

// onOwnThread runs f, which may change its thread's network namespace, and puts the thread back. A thread that cannot go
// back is never unlocked: it ends with its goroutine, and nobody else's work lands in a foreign namespace.
func onOwnThread(f func() error) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			runtime.UnlockOSThread()
			result <- err
			return
		}
		defer home.Close()
		err = f()
		if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
			result <- errors.Join(err, fmt.Errorf("leave network namespace: %w", back))
			return
		}
		runtime.UnlockOSThread()
		result <- err
	}()
	return <-result
}

// makeNetNS makes a namespace with a name for `ip netns`, its loopback link up and called alias. The name appears when all
// of that is done.
func makeNetNS(path, alias string) error {
	if err := shareNetNSDir(); err != nil {
		return fmt.Errorf("prepare %s: %w", netnsDir, err)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o444)
	if err != nil {
		return err
	}
	_ = file.Close()
	err = onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		if err := markLoopback(alias); err != nil {
			return err
		}
		return unix.Mount("/proc/thread-self/ns/net", path, "bind", unix.MS_BIND, "")
	})
	if err != nil {
		return fmt.Errorf("make network namespace %s: %w", path, errors.Join(err, os.Remove(path)))
	}
	return nil
}

func markLoopback(alias string) error {
	handle, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer handle.Close()
	lo, err := handle.LinkByName("lo")
	if err != nil {
		return err
	}
	return errors.Join(handle.LinkSetUp(lo), handle.LinkSetAlias(lo, alias))
}

// shareNetNSDir makes the directory as `ip netns add` does: a shared mount, so that a name removed here is removed in
// every mount namespace. The lock keeps two of us from mounting it twice.
func shareNetNSDir() error {
	if err := os.MkdirAll(netnsDir, 0o755); err != nil {
		return err
	}
	dir, err := os.Open(netnsDir)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	err = unix.Mount("", netnsDir, "none", unix.MS_SHARED|unix.MS_REC, "")
	if !errors.Is(err, unix.EINVAL) {
		return err
	}
	if err := unix.Mount(netnsDir, netnsDir, "none", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	return unix.Mount("", netnsDir, "none", unix.MS_SHARED|unix.MS_REC, "")
}

// unnameNetNS takes the name away. The namespace goes with its last user. No name is not an error.
func unnameNetNS(path string) error {
	for {
		err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			break // not, or no longer, a mount
		}
		if err != nil {
			return fmt.Errorf("unmount %s: %w", filepath.Base(path), err)
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
