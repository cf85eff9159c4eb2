// Package command runs other programs for the lab, so that a failure says what the program said.
package command

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Command is one run of a program. The zero value of each field but Args is usable.
type Command struct {
	Args  []string  // the program, found in PATH unless it is a path, then its arguments
	Dir   string    // where it runs, "" is here
	Env   []string  // added to this process's environment
	Stdin io.Reader // nil is empty

	// Private gives the command a mount namespace of its own: what it mounts goes with it, even when it is killed.
	Private bool
}

// Output runs the command to its end and returns what it wrote to stdout. The error names the command and holds the end
// of what it wrote; it wraps *exec.ExitError or ctx's error.
func (c Command) Output(ctx context.Context) (string, error) {
	program, err := LookPath(c.Args[0])
	if err != nil {
		return "", fmt.Errorf("%s: %w", c, err)
	}
	cmd := exec.CommandContext(ctx, program, c.Args[1:]...)
	cmd.Dir, cmd.Stdin = c.Dir, c.Stdin
	cmd.Env = append(Environ(), c.Env...)
	if c.Private {
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return stdout.String(), fmt.Errorf("%s: %w: %s", c, err, Tail(stderr.String()+stdout.String(), 15))
	}
	return stdout.String(), nil
}

// sbin are folders that a root shell may lack in PATH ("su" without "-") and that the lab's tools are in.
const sbin = ":/usr/local/sbin:/usr/sbin:/sbin"

// Environ is this process's environment with the folders for root's programs at the end of PATH.
func Environ() []string { return append(os.Environ(), "PATH="+os.Getenv("PATH")+sbin) }

// LookPath finds a program as exec.LookPath does, and also where Environ's PATH leads.
func LookPath(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err == nil || filepath.Base(program) != program {
		return path, err
	}
	for _, dir := range filepath.SplitList(sbin[1:]) {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path, nil
		}
	}
	return "", err
}

// String is the command, shortened, for an error.
func (c Command) String() string {
	args := append([]string{filepath.Base(c.Args[0])}, c.Args[1:]...)
	if len(args) > 5 {
		args = append(args[:5:5], "…")
	}
	return strings.Join(args, " ")
}

// Run runs a program with arguments and returns what it wrote to stdout, as Command.Output does.
func Run(ctx context.Context, args ...string) (string, error) {
	return Command{Args: args}.Output(ctx)
}

// Tail is the last lines of text, at most n.
func Tail(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
