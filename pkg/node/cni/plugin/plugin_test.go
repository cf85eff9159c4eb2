package plugin

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/testkit"
)

// builds are the two ways to link the plugin; they must not differ in what they do.
func builds(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{"released": testkit.BuildPlugin(t, testkit.PluginReleased), "plain": testkit.BuildPlugin(t, testkit.PluginPlain)}
}

// daemon answers one connection with bytes and returns what it was asked.
func daemon(t *testing.T, answer []byte) (socket string, asked func() Message) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	got := make(chan Message, 1)
	go func() {
		defer close(got)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		got <- readMessage(t, conn)
		conn.Write(answer)
	}()
	return socket, func() Message { return <-got }
}

func readMessage(t *testing.T, conn net.Conn) Message {
	b, size := []byte{}, 4
	for len(b) < size {
		part := make([]byte, 1<<16)
		n, err := conn.Read(part)
		if err != nil {
			t.Errorf("after %d bytes: %v", len(b), err)
			return Message{}
		}
		if b = append(b, part[:n]...); len(b) >= 4 {
			size = 4 + int(length(b))
		}
	}
	m, err := Parse(b[4:])
	if err != nil {
		t.Error(err)
	}
	return m
}

func framed(code byte, text string) []byte {
	return append(append(appendLength(nil, 1+len(text)), code), text...)
}

func TestPassesOnWhatIsSaidOnBothSides(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	for build, binary := range builds(t) {
		for code, text := range []string{`{"ips":[]}`, `{"code":7,"msg":"` + long + `"}`} {
			socket, asked := daemon(t, framed(byte(code), text))
			config := `{"name":"n","more":"` + long + `","socket":"` + socket + `"}`
			got, out, _ := testkit.RunPlugin(t, binary, []string{"X=CNI_COMMAND=ADD", "CNI_COMMAND=DEL", "CNI_CONTAINERID=c", "CNI_NETNS=/x",
				"CNI_IFNAME=eth0", "CNI_ARGS=A=b;B=" + long, "CNI_PATH=/bin", "EMPTY=", "CNI"}, []byte(config))
			if got != code || out != text {
				t.Errorf("%s: exit code %d and %.80q, want %d and %.80q", build, got, out, code, text)
			}
			want := Message{Version: Version, Command: "DEL", ContainerID: "c", NetNS: "/x", IfName: "eth0", Args: "A=b;B=" + long, Path: "/bin", Config: []byte(config)}
			if diff := cmp.Diff(want, asked()); diff != "" {
				t.Error(build, diff)
			}
		}
	}
}

func TestLeavesANamespaceThatCannotBeOpenedToTheDaemon(t *testing.T) {
	plain := t.TempDir() + "/file"
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for build, binary := range builds(t) {
		for path, says := range map[string]string{
			"/proc/self/ns/net": "own network namespace",
			plain:               "enter: ",
			plain + "-absent":   "no such file",
			"":                  "no such file",
		} {
			socket, asked := daemon(t, framed(1, "{}"))
			exit, out, _ := testkit.RunPlugin(t, binary, []string{"CNI_COMMAND=ADD", "CNI_NETNS=" + path}, []byte(`{"socket":"`+socket+`"}`))
			if got := asked(); !strings.Contains(got.Problem, says) || string(got.Config) != `{"socket":"`+socket+`"}` || exit != 1 || out != "{}" {
				t.Errorf("%s, %s: exit code %d, %s, told the daemon %+v; want %q", build, path, exit, out, got, says)
			}
		}
	}
}

func TestSaysItselfThatNoDaemonAnswers(t *testing.T) {
	absent := t.TempDir() + `/a "b"`
	quoted, _ := json.Marshal(absent)
	for build, binary := range builds(t) {
		for _, test := range []struct {
			command, socket string
			answer          []byte // nil: there is no daemon
			code            uint
			says            string
		}{
			{"DEL", string(quoted), nil, 11, absent + ": connect: no such file"},
			{"STATUS", string(quoted), nil, 50, "no such file"},
			{"GC", "", []byte{0, 0}, 11, "ended before it answered"},
			{"DEL", "", []byte{0, 0}, 11, "ended before it answered"},
			{"DEL", "", []byte{0xff, 0, 0, 0, 0}, 11, "are the limit"},
			{"DEL", `"` + strings.Repeat("p", 200) + `"`, nil, 11, "200 bytes, 107 are the limit"},
		} {
			if test.answer != nil {
				socket, _ := daemon(t, test.answer)
				test.socket = `"` + socket + `"`
			}
			exit, out, _ := testkit.RunPlugin(t, binary, []string{"CNI_COMMAND=" + test.command}, []byte(`{"socket":`+test.socket+`}`))
			var got struct {
				Code uint
				Msg  string
			}
			if err := json.Unmarshal([]byte(out), &got); err != nil {
				t.Fatalf("%s: %s: %v", build, out, err)
			}
			if exit != 1 || got.Code != test.code || !strings.Contains(got.Msg, test.says) || !strings.Contains(got.Msg, "kubectl -n kube-system") {
				t.Errorf("%s %s: exit code %d, %+v; want 1, code %d, %q and where to look", build, test.command, exit, got, test.code, test.says)
			}
		}
	}
}

func TestRefusesAConfigurationThatIsTooLong(t *testing.T) {
	for build, binary := range builds(t) {
		exit, out, _ := testkit.RunPlugin(t, binary, []string{"CNI_COMMAND=ADD"}, make([]byte, MaxMessage+1))
		if exit != 1 || !strings.Contains(out, `"code":5`) || !strings.Contains(out, "are the limit") {
			t.Errorf("%s: exit code %d, %s", build, exit, out)
		}
	}
}

// TestTheReleasedPluginAnswersWithoutGosRuntime goes by what the runtime says of its own start (GODEBUG, inittrace).
func TestTheReleasedPluginAnswersWithoutGosRuntime(t *testing.T) {
	for build, binary := range builds(t) {
		socket, _ := daemon(t, framed(0, "{}"))
		_, out, said := testkit.RunPlugin(t, binary, []string{"CNI_COMMAND=DEL", "GODEBUG=inittrace=1"}, []byte(`{"socket":"`+socket+`"}`))
		if started := strings.Contains(said, "init "); started != (build == "plain") || out != "{}" {
			t.Errorf("%s: the runtime started: %t; %s%s", build, started, out, said)
		}
	}
}

func TestGivesUpOnADaemonThatSaysNothing(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket) // the kernel takes the connection, and nobody reads
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	in, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	c := &call{patience: 1, read: true}
	c.size = copy(c.config[:], `{"socket":"`+socket+`"}`)
	if c.exchange(int(in.Fd())); c.failed.text() != "the daemon took too long" {
		t.Errorf("failure %+v", c.failed)
	}
}

func TestWithoutACommandIntroducesItself(t *testing.T) {
	for build, binary := range builds(t) {
		if code, out, said := testkit.RunPlugin(t, binary, []string{}, nil); code != 0 || out != "" || !strings.Contains(said, "terway") {
			t.Errorf("%s: exit code %d, %q, %q", build, code, out, said)
		}
		if code, out, _ := testkit.RunPlugin(t, binary, []string{"CNI_COMMAND=VERSION"}, nil); code != 0 || !strings.HasPrefix(out, `{"cniVersion":"1.1.0","supportedVersions":[`) {
			t.Errorf("%s: exit code %d, %q", build, code, out)
		}
	}
}

// TestImportsStayFew guards the time to start where Go's runtime is needed.
func TestImportsStayFew(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "../../../../cmd/terway").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v: %s", err, out)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, "syscall") {
		t.Fatalf("no dependency was found: %s", out)
	}
	for _, heavy := range []string{"fmt", "os", "net", "time", "reflect", "encoding/json", "regexp", "context", "io"} {
		if slices.Contains(deps, heavy) {
			t.Errorf("cmd/terway depends on %s, which would have to start, too", heavy)
		}
	}
}

// TestTheEntryIsThereForEveryProcessor links for each that the assembly is written for.
func TestTheEntryIsThereForEveryProcessor(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		build := exec.Command("go", "build", "-ldflags", "-E "+Entry, "-o", filepath.Join(t.TempDir(), "terway"), "../../../../cmd/terway")
		build.Env = append(os.Environ(), "GOARCH="+arch, "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", arch, err, out)
		}
	}
}

// TestTheExchangeAllocatesNothing asks the compiler: without the runtime there is no heap. The linker checks the stack.
func TestTheExchangeAllocatesNothing(t *testing.T) {
	out, err := exec.Command("go", "build", "-gcflags=-m", ".").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "escapes to heap") {
		t.Fatalf("the compiler says nothing about this package: %v\n%s", err, out)
	}
	for line := range strings.SplitSeq(string(out), "\n") {
		file, _, _ := strings.Cut(strings.TrimPrefix(line, "./"), ":")
		if slices.Contains([]string{"exchange.go", "socket.go", "sandbox.go", "entry.go"}, file) && (strings.Contains(line, "moved to heap") || strings.Contains(line, "escapes to heap")) {
			t.Error(line)
		}
	}
}

func TestMessagesSurviveEncoding(t *testing.T) {
	want := Message{Version, "ADD", "c", "/run/netns/x", "eth0", "A=b;C=d", "/opt/cni/bin", "why", []byte(`{"a":1}`)}
	b, err := want.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(b[4:])
	if err != nil || int(length(b)) != len(b)-4 {
		t.Fatalf("length %d of %d, %v", length(b), len(b)-4, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for n := range len(b) - 5 { // the version is there, something else is not
		if m, err := Parse(b[4 : 5+n]); err == nil {
			t.Errorf("the first %d bytes of a message gave %+v", 1+n, m)
		}
	}
	if _, err := Parse(append(b[4:], 0)); err == nil {
		t.Error("a byte behind the message was not noticed")
	}
	if _, err := (Message{Config: make([]byte, MaxMessage)}).Encode(); err == nil {
		t.Error("a message larger than the limit was encoded")
	}
}
