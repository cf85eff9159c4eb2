package engine

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
)

// before is what the machine was like when the daemon started, as far as the daemon and its containers change it. It is
// kept in the file before.json until it has been restored.
type before struct {
	Missing []string          // of shared, those that were not there
	Sysctls map[string]string // of sysctls, their values
}

// shared are paths outside our folder that dockerd and containerd make without being asked. Those that are not there
// before the daemon starts are removed after it has ended; a folder only when it is empty.
func shared() []string {
	return []string{
		"/etc/docker/key.json", "/etc/docker", "/opt/containerd/bin", "/opt/containerd/lib", "/opt/containerd",
		"/run/containerd/s", "/run/containerd", "/run/docker/runtime-runc", "/run/docker/plugins", "/run/docker",
	}
}

// inotify is how many inotify instances a user may have. A node of a lab uses about twenty; the kernel's usual 128 end with
// the third lab, and a kubelet that gets none does not say so.
const inotify = "/proc/sys/fs/inotify/max_user_instances"

// sysctls are the settings of the whole machine that change while labs run, with their value then: inotify is the
// daemon's doing, the others are what a kubelet writes, in a container too (setupKernelTunables in pkg/kubelet/cm of
// Kubernetes).
func sysctls() map[string]string {
	return map[string]string{
		inotify:                               "8192",
		"/proc/sys/vm/overcommit_memory":      "1",
		"/proc/sys/vm/panic_on_oom":           "0",
		"/proc/sys/kernel/panic":              "10",
		"/proc/sys/kernel/panic_on_oops":      "1",
		"/proc/sys/kernel/keys/root_maxkeys":  "1000000",
		"/proc/sys/kernel/keys/root_maxbytes": "25000000",
	}
}

// noteBefore writes down what the machine is like.
func (d daemon) noteBefore() error {
	note := before{Sysctls: map[string]string{}}
	for _, path := range shared() {
		if _, err := os.Lstat(path); err != nil {
			note.Missing = append(note.Missing, path)
		}
	}
	for path := range sysctls() {
		if value, err := read(path); err == nil {
			note.Sysctls[path] = value
		}
	}
	data, err := json.Marshal(note)
	if err != nil {
		return err
	}
	return os.WriteFile(d.path("before.json"), data, 0o600)
}

// raise lets several labs run side by side. A machine that allows more already keeps its setting.
func raise() error {
	text, err := read(inotify)
	if err != nil {
		return err
	}
	now, err := strconv.Atoi(text)
	wanted := sysctls()[inotify]
	if most, _ := strconv.Atoi(wanted); err != nil || now >= most {
		return err
	}
	return os.WriteFile(inotify, []byte(wanted), 0o644)
}

func read(path string) (string, error) {
	data, err := os.ReadFile(path)
	return strings.TrimSpace(string(data)), err
}

// restore makes the machine what it was: nothing else is touched than what noteBefore looks at.
func (d daemon) restore() error {
	data, err := os.ReadFile(d.path("before.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var note before
	if err := json.Unmarshal(data, &note); err != nil {
		return err
	}
	for _, path := range note.Missing {
		if slices.Contains(shared(), path) {
			_ = os.Remove(path) // a folder that another has used since is not empty and stays
		}
	}
	var errs []error
	for path, kubelets := range sysctls() {
		was, noted := note.Sysctls[path]
		if now, err := read(path); noted && err == nil && now == kubelets && now != was { // else somebody else has set it since
			errs = append(errs, os.WriteFile(path, []byte(was), 0o644))
		}
	}
	return errors.Join(append(errs, os.Remove(d.path("before.json")))...)
}
