package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/onectl/onectl/pkg/node/daemon/nodefile"
)

// bootID is where the kernel tells which boot this is (random(4)).
const bootID = "/proc/sys/kernel/random/boot_id"

// rebooted reports whether the node was started anew since the last daemon ran here, and notes which start this is. A node
// that cannot tell, and a daemon that is here for the first time, count as not rebooted: then two looks must agree that a
// sandbox is gone.
func (n *node) rebooted() (bool, error) {
	path := filepath.Join(n.stateDir, "boot-id")
	now, err := os.ReadFile(bootID)
	if err != nil {
		n.logger.Warn("this boot's ID cannot be read; sandboxes of before a reboot are released a minute later", "err", err)
		return false, nil
	}
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("read the boot ID of the last daemon: %w; check that the state directory is mounted and readable", err)
	}
	if err := nodefile.Write(path, now, 0o600); err != nil {
		return false, fmt.Errorf("note this boot's ID: %w; check that the state directory is writable and not full", err)
	}
	return len(before) > 0 && strings.TrimSpace(string(before)) != strings.TrimSpace(string(now)), nil
}
