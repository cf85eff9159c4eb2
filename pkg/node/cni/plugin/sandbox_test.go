package plugin

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOpenSandboxOpensTheSocketInside(t *testing.T) {
	path := newNamespace(t)
	fds, err := OpenSandbox(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { unix.Close(fds[0]); unix.Close(fds[1]) }()
	var handed, named unix.Stat_t
	if err := unix.Fstat(fds[0], &handed); err != nil || unix.Stat(path, &named) != nil || handed.Ino != named.Ino {
		t.Errorf("the namespace handed over is another: inode %d, not %d: %v", handed.Ino, named.Ino, err)
	}
	want, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	// SIOCGSKNS gives the namespace that a socket is in (socket(7) has no page for it; net/socket.c).
	fd, err := unix.IoctlRetInt(fds[1], unix.SIOCGSKNS)
	if err != nil {
		t.Fatal(err)
	}
	of := os.NewFile(uintptr(fd), "netns")
	defer of.Close()
	got, err := of.Stat()
	if err != nil || !os.SameFile(want, got) {
		t.Errorf("the socket is in another namespace: %v", err)
	}
	if own, _ := os.Stat("/proc/thread-self/ns/net"); os.SameFile(own, want) {
		t.Error("the caller was left in the pod's namespace")
	}
}

func TestOpenSandboxRefusesItsOwnNamespaceAndWhatIsNone(t *testing.T) {
	plain := t.TempDir() + "/file"
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		"/proc/self/ns/net": "own network namespace",
		plain:               "enter",
		plain + "-absent":   "no such file",
	} {
		_, err := OpenSandbox(path)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("OpenSandbox(%s) = %v, want %q", path, err, says)
		}
	}
}

func newNamespace(t *testing.T) (path string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("making a network namespace needs root")
	}
	name := fmt.Sprintf("cnitest%d", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		t.Fatalf("ip netns add: %v %s", err, out)
	}
	t.Cleanup(func() { exec.Command("ip", "netns", "del", name).Run() })
	return "/run/netns/" + name
}
