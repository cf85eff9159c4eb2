package plugin

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/pkg/testkit"
)

func TestOpensTheSocketInsideTheNamespace(t *testing.T) {
	path := testkit.NewNetNS(t).Path
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := &call{}
	c.vars[netnsPath] = path
	if f := c.openSandbox(); f.step != done {
		t.Fatal(f.text())
	}
	defer func() { closeFD(int(c.fds[0])); closeFD(int(c.fds[1])) }()
	expectSandbox(t, path, int(c.fds[0]), int(c.fds[1]))
	own, err := os.Stat("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	if pods, _ := os.Stat(path); os.SameFile(own, pods) {
		t.Error("the caller was left in the pod's namespace")
	}
}

func TestHandsTheSandboxOver(t *testing.T) {
	path := testkit.NewNetNS(t).Path
	for build, binary := range builds(t) {
		for _, verb := range []string{"ADD", "CHECK", "DEL"} {
			handsTheSandboxOver(t, build+", "+verb, binary, verb, path)
		}
	}
}

func handsTheSandboxOver(t *testing.T, build, binary, verb, path string) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		conn, err := listener.AcceptUnix()
		if err != nil {
			served <- err
			return
		}
		defer conn.Close()
		b, oob := make([]byte, 1<<16), make([]byte, 256)
		_, n, _, _, err := conn.ReadMsgUnix(b, oob)
		if err != nil {
			served <- err
			return
		}
		messages, _ := unix.ParseSocketControlMessage(oob[:n])
		if len(messages) != 1 {
			t.Errorf("%s: %d control messages", build, len(messages))
		} else if fds, err := unix.ParseUnixRights(&messages[0]); err != nil || len(fds) != 2 {
			t.Errorf("%s: descriptors %v, %v", build, fds, err)
		} else {
			expectSandbox(t, path, fds[0], fds[1])
		}
		_, err = conn.Write(framed(0, "{}"))
		served <- err
	}()
	exit, out, said := testkit.RunPlugin(t, binary, []string{"CNI_COMMAND=" + verb, "CNI_NETNS=" + path}, []byte(`{"socket":"`+socket+`"}`))
	if err := <-served; err != nil || exit != 0 || out != "{}" {
		t.Errorf("%s: exit code %d, %s%s, %v", build, exit, out, said, err)
	}
	listener.Close()
}

// expectSandbox wants a descriptor of the namespace at path, and a socket in it.
func expectSandbox(t *testing.T, path string, netns, socket int) {
	t.Helper()
	var handed, of, named unix.Stat_t
	// SIOCGSKNS gives the namespace that a socket is in (socket(7) has no page for it; net/socket.c).
	fd, err := unix.IoctlRetInt(socket, unix.SIOCGSKNS)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if unix.Fstat(netns, &handed) != nil || unix.Fstat(fd, &of) != nil || unix.Stat(path, &named) != nil || handed.Ino != named.Ino || of.Ino != named.Ino {
		t.Errorf("namespace %d handed over with a socket in %d, want %d", handed.Ino, of.Ino, named.Ino)
	}
}
