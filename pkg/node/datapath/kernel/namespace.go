package kernel

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// inside runs f in the host's namespace, for sockets, which stay in the namespace they were made in.
func (k *Kernel) inside(f func() error) error {
	if k.netns == nil {
		return f()
	}
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("open own namespace: %w", err)
	}
	defer func() { _ = home.Close() }()
	if err := unix.Setns(int(k.netns.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter host namespace: %w", err)
	}
	err = f()
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		// The thread stays locked, so that it ends with this goroutine and nobody else runs in the wrong namespace.
		return fmt.Errorf("leave host namespace: %w", back)
	}
	runtime.UnlockOSThread()
	return err
}
