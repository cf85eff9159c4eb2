// Command runc-lab stands in front of runc and makes containers fit what this machine's root may do.
//
// Where root lacks CAP_SYS_RESOURCE, as in some virtual machines and containers, runc cannot give "all" capabilities
// ("unable to apply caps") nor a negative oom_score_adj ("can't get final child's PID from pipe: EOF"): both wishes are
// taken out. And an engine older than CAP_BPF leaves it out of "privileged", so nothing inside the container can have it:
// it is put in. runc-lab edits the OCI bundle's config.json, or the file of `exec --process`, then becomes runc.
//
// It is called as an OCI runtime: with runc's arguments. The runc it becomes is /usr/sbin/runc or the next in PATH.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	if err := run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "runc-lab:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	if err := fit(args, capabilitiesOf(string(status))); err != nil {
		return err
	}
	runc, err := findRunc()
	if err != nil {
		return err
	}
	return syscall.Exec(runc, append([]string{"runc"}, args[1:]...), os.Environ())
}

// fit edits the file that the command reads, if it is one that reads any.
func fit(args []string, have capabilities) error {
	switch {
	case has(args, "exec"):
		if path := option(args, "--process", "-p"); path != "" {
			return edit(path, have.fitProcess)
		}
	case has(args, "create"), has(args, "run"), has(args, "restore"):
		bundle := option(args, "--bundle", "-b")
		return edit(filepath.Join(bundle, "config.json"), have.fitBundle)
	}
	return nil
}

func has(args []string, word string) bool {
	for _, arg := range args[1:] {
		if arg == word {
			return true
		}
	}
	return false
}

// option is the value of a flag, given as "--flag value" or "--flag=value"; the last one counts.
func option(args []string, names ...string) (value string) {
	for i, arg := range args {
		for _, name := range names {
			if arg == name && i+1 < len(args) {
				value = args[i+1]
			}
			if after, is := strings.CutPrefix(arg, name+"="); is {
				value = after
			}
		}
	}
	return value
}

// findRunc is a runc that is not this program, whatever name this one goes by.
func findRunc() (string, error) {
	self, err := os.Stat("/proc/self/exe")
	if err != nil {
		return "", err
	}
	dirs := append([]string{"/usr/sbin"}, filepath.SplitList(os.Getenv("PATH"))...)
	for _, dir := range append(dirs, "/usr/bin", "/usr/local/sbin", "/usr/local/bin") {
		path, err := exec.LookPath(filepath.Join(dir, "runc"))
		if err != nil {
			continue
		}
		if info, err := os.Stat(path); err == nil && !os.SameFile(info, self) {
			return path, nil
		}
	}
	return "", fmt.Errorf("no runc in PATH: install the package runc")
}
