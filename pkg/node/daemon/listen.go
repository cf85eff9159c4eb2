package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Claim makes this process the node's only daemon, until release is called or the process ends: a lock on a file beside
// the socket. It waits while another one holds it, as the one that an update replaces does for a moment; waiting is
// called once when that happens.
func Claim(ctx context.Context, socket string, waiting func()) (release func(), err error) {
	if err := os.MkdirAll(filepath.Dir(socket), 0o700); err != nil {
		return nil, fmt.Errorf("claim %s: %w; check that the folder is mounted and writable", socket, err)
	}
	file, err := os.OpenFile(socket+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("claim %s: %w; check that the folder is mounted and writable", socket, err)
	}
	for first := true; ; first = false {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { file.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			file.Close()
			return nil, fmt.Errorf("claim %s: lock: %w", socket, err)
		}
		if first {
			waiting()
		}
		select {
		case <-ctx.Done():
			file.Close()
			return nil, fmt.Errorf("claim %s: another terwayd holds it: %w", socket, context.Cause(ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Listen makes the socket, in place of one that a dead daemon left; the caller holds the claim, so no living daemon has
// it. Only root may connect. The socket appears under its name when it can be connected to, and never before.
func Listen(socket string) (*net.UnixListener, error) {
	next := socket + ".next"
	if err := os.Remove(next); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("listen on %s: %w", socket, err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: next, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", socket, err)
	}
	listener.SetUnlinkOnClose(false) // a successor may have put its own there
	if err := errors.Join(os.Chmod(next, 0o600), os.Rename(next, socket)); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", socket, errors.Join(err, listener.Close()))
	}
	return listener, nil
}
