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
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// run is one call with those variables and standard input.
func run(t *testing.T, env map[string]string, config string) (code int, out, said string) {
	t.Helper()
	var files [3]*os.File
	for i := range files {
		file, err := os.CreateTemp(t.TempDir(), "std")
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		files[i] = file
	}
	if _, err := files[0].WriteAt([]byte(config), 0); err != nil {
		t.Fatal(err)
	}
	code = Run(func(key string) string { return env[key] }, Stdio{int(files[0].Fd()), int(files[1].Fd()), int(files[2].Fd())})
	stdout, err := os.ReadFile(files[1].Name())
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := os.ReadFile(files[2].Name())
	if err != nil {
		t.Fatal(err)
	}
	return code, string(stdout), string(stderr)
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
		b := make([]byte, 1<<20)
		n, err := conn.Read(b)
		if err != nil {
			t.Error(err)
			return
		}
		m, err := Parse(b[4:n])
		if err != nil {
			t.Error(err)
		}
		got <- m
		conn.Write(answer)
	}()
	return socket, func() Message { return <-got }
}

func framed(code byte, text string) []byte {
	return append(append(appendLength(nil, 1+len(text)), code), text...)
}

func TestRunPassesOnWhatIsSaidOnBothSides(t *testing.T) {
	for code, text := range []string{`{"ips":[]}`, `{"code":7,"msg":"no"}`} {
		socket, asked := daemon(t, framed(byte(code), text))
		config := `{"name":"n","socket":"` + socket + `"}`
		got, out, _ := run(t, map[string]string{"CNI_COMMAND": "DEL", "CNI_CONTAINERID": "c", "CNI_NETNS": "/x", "CNI_IFNAME": "eth0",
			"CNI_ARGS": "A=b", "CNI_PATH": "/bin"}, config)
		if got != code || out != text {
			t.Errorf("exit code %d and %q, want %d and %q", got, out, code, text)
		}
		want := Message{Version: Version, Command: "DEL", ContainerID: "c", NetNS: "/x", IfName: "eth0", Args: "A=b", Path: "/bin", Config: []byte(config)}
		if diff := cmp.Diff(want, asked()); diff != "" {
			t.Error(diff)
		}
	}
}

func TestRunLeavesANamespaceThatCannotBeOpenedToTheDaemon(t *testing.T) {
	socket, asked := daemon(t, framed(1, "{}"))
	run(t, map[string]string{"CNI_COMMAND": "ADD", "CNI_NETNS": "/absent/netns"}, `{"socket":"`+socket+`"}`)
	if got := asked().Problem; !strings.Contains(got, "no such file") {
		t.Errorf("problem %q", got)
	}
}

func TestRunSaysItselfThatNoDaemonAnswers(t *testing.T) {
	absent := t.TempDir() + `/a "b"`
	quoted, _ := json.Marshal(absent)
	cut, _ := daemon(t, []byte{0, 0})
	long, _ := daemon(t, []byte{0xff, 0, 0, 0, 0})
	tests := []struct {
		command, socket string
		code            uint
		says            string
	}{
		{"DEL", string(quoted), 11, absent + ": connect: no such file"},
		{"STATUS", string(quoted), 50, "no such file"},
		{"GC", `"` + cut + `"`, 11, "ended before it answered"},
		{"GC", `"` + long + `"`, 11, "are the limit"},
	}
	for _, test := range tests {
		exit, out, _ := run(t, map[string]string{"CNI_COMMAND": test.command}, `{"socket":`+test.socket+`}`)
		var got struct {
			Code uint
			Msg  string
		}
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		if exit != 1 || got.Code != test.code || !strings.Contains(got.Msg, test.says) || !strings.Contains(got.Msg, "kubectl -n kube-system") {
			t.Errorf("exit code %d, %+v; want 1, code %d, %q and where to look", exit, got, test.code, test.says)
		}
	}
}

func TestAskGivesUpOnADaemonThatSaysNothing(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket) // the kernel takes the connection, and nobody reads
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := Dial(socket, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, _, err := conn.Ask(Message{Version: Version}, nil); err == nil || !strings.Contains(err.Error(), "took too long") {
		t.Errorf("error %v", err)
	}
}

func TestRunWithoutACommandIntroducesItself(t *testing.T) {
	code, out, said := run(t, nil, "")
	if code != 0 || out != "" || !strings.Contains(said, "terway") {
		t.Errorf("exit code %d, %q, %q", code, out, said)
	}
}

// TestImportsStayFew guards the time to start, which is most of what the plugin costs.
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
			t.Errorf("cmd/terway depends on %s, which every ADD and DEL would have to start", heavy)
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

// FuzzTopString compares with encoding/json, for every object that it reads.
func FuzzTopString(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `[]`, `{"socket":"/a"}`, `{ "socket" : "/a" , "x":{"socket":"/b"}}`, `{"x":["socket","/b"],"y":"socket"}`,
		`{"socket":"/a","socket":"/b"}`, `{"so\u0063ket":"\/a\"\\\b\f\n\r\t\u00e9\ud83d\ude00"}`, `{"socket":3}`, `{"socket":"\ud83d"}`,
		`{"socket":"\ud83d\u0041"}`, `{"socket":"\udc00x"}`, `{"x":"\\","socket":"/c"}`, `{"socket`, `{"socket":"\u12`, `{"socket":"\`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := topString([]byte(text), "socket")
		var object map[string]any
		if !utf8.ValidString(text) || json.Unmarshal([]byte(text), &object) != nil {
			return // it must only not crash
		}
		want, _ := object["socket"].(string)
		if got != want {
			t.Errorf("topString(%s) = %q, want %q", text, got, want)
		}
	})
}

func FuzzQuoted(f *testing.F) {
	for _, seed := range []string{"", "plain", "a\"b\\c\n\x00\x7f", "\u2028é\U0001F600", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var got string
		if err := json.Unmarshal(appendQuoted(nil, text), &got); err != nil || got != strings.ToValidUTF8(text, "\ufffd") && utf8.ValidString(text) {
			t.Errorf("%q became %q: %v", text, got, err)
		}
	})
}
