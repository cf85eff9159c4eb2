// Package cache keeps what the lab builds once and uses often: third-party binaries, a Debian tree, images. An entry is a
// folder named by what it is and by a hash of all that it was made from, so it is never out of date and never changes.
//
// Several programs may use the cache at once. An entry is built under a lock, in a folder beside its place, and renamed
// into it when complete: a build that was killed leaves nothing that looks finished.
package cache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Progress is told each slow step as it starts, a line for people ("building kubernetes v1.36.3, about 5 min, once").
// nil is silent.
type Progress func(step string)

// Step reports a step.
func (p Progress) Step(format string, args ...any) {
	if p != nil {
		p(fmt.Sprintf(format, args...))
	}
}

// Dir is the cache's folder: $XDG_CACHE_HOME/hybridlab, ~/.cache/hybridlab when that is unset. It is made when missing.
func Dir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w: set XDG_CACHE_HOME or HOME", err)
	}
	dir := filepath.Join(base, "hybridlab")
	return dir, os.MkdirAll(dir, 0o755)
}

// Unused is how long an entry may lie unused before a newer one of its name removes it.
const Unused = 14 * 24 * time.Hour

// Ensure returns the folder of the entry called name and made from key. When there is none, make fills an empty folder
// that then becomes the entry; two callers make it once. Ensure waits for the other until ctx ends.
func Ensure(ctx context.Context, name, key string, make func(ctx context.Context, dir string) error) (string, error) {
	root, err := Dir()
	if err != nil {
		return "", err
	}
	group := filepath.Join(root, name)
	entry := filepath.Join(group, key)
	if used(entry) {
		return entry, nil
	}
	if err := os.MkdirAll(group, 0o755); err != nil {
		return "", err
	}
	release, err := Lock(ctx, filepath.Join(group, "lock"))
	if err != nil {
		return "", fmt.Errorf("cache %s: %w", name, err)
	}
	defer release()
	if used(entry) {
		return entry, nil
	}
	if err := fill(ctx, entry, make); err != nil {
		return "", fmt.Errorf("make %s: %w", name, err)
	}
	return entry, prune(group, time.Now().Add(-Unused))
}

// used says whether the entry is there, and marks it as used now.
func used(entry string) bool {
	now := time.Now()
	return os.Chtimes(entry, now, now) == nil
}

const unfinished = ".unfinished"

func fill(ctx context.Context, entry string, make func(ctx context.Context, dir string) error) error {
	temp := entry + unfinished
	if err := os.RemoveAll(temp); err != nil { // left by a build that was killed
		return err
	}
	if err := os.Mkdir(temp, 0o755); err != nil {
		return err
	}
	if err := make(ctx, temp); err != nil {
		return errors.Join(err, os.RemoveAll(temp))
	}
	return os.Rename(temp, entry)
}

// prune removes the group's entries that nobody has used since the given time. The caller holds the group's lock.
func prune(group string, since time.Time) error {
	entries, err := os.ReadDir(group)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || !entry.IsDir() || (info.ModTime().After(since) && !strings.HasSuffix(entry.Name(), unfinished)) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(group, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// Lock takes an exclusive lock on the file at path, which is made when missing, and waits for it until ctx ends. The
// lock ends with release or with the process.
func Lock(ctx context.Context, path string) (release func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			_ = file.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return nil, fmt.Errorf("lock %s, held by another run: %w", path, ctx.Err())
		case <-tick.C:
		}
	}
}
