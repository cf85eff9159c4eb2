package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// replaceFile writes a file whole or not at all, readable by its owner only: the state holds AccessKeys. It survives the
// death of the process, not that of the machine: a simulator needs no fsync.
func replaceFile(path string, content []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return nil
}

// lock keeps a second simulator from the same state file. The kernel drops the lock with the process, however it ends.
func lock(state string) (unlock func(), err error) {
	if state == "" {
		return func() {}, nil
	}
	file, err := os.OpenFile(state+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the state: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w; another simulator uses this state, stop it first", state, err), file.Close())
	}
	return func() { _ = file.Close() }, nil
}

// listenControl listens on a unix socket that only its owner may use. A socket that a dead simulator left is replaced,
// one that somebody serves is not.
func listenControl(path string) (net.Listener, error) {
	if conn, err := net.Dial("unix", path); err == nil {
		return nil, errors.Join(fmt.Errorf("serve the control side: %s is served by another simulator; stop it first", path), conn.Close())
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("serve the control side: %w", err)
		}
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("serve the control side: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("serve the control side: %w", err), listener.Close())
	}
	return listener, nil
}
