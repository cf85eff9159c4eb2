package cni

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// serve answers connections on a socket with respond, each in turn.
func serve(t *testing.T, respond func(*net.UnixConn)) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "s")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.AcceptUnix()
			if err != nil {
				return
			}
			respond(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return socket
}

// pipeSandbox is two files that can be told apart.
func pipeSandbox(t *testing.T) Sandbox {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	sandbox := Sandbox{NetNS: read, Netlink: write}
	t.Cleanup(sandbox.Close)
	return sandbox
}

func addRequest() Request {
	return Request{
		Verb: Add, ContainerID: "0f3c", NetNS: "/run/netns/x", IfName: "eth0",
		Args:   Args{PodNamespace: "default", PodName: "web-0", PodUID: "u"},
		Config: json.RawMessage(`{"cniVersion":"0.3.0","name":"terway"}`),
	}
}

func TestCallHandsOverRequestAndDescriptors(t *testing.T) {
	asked := make(chan Request, 1)
	socket := serve(t, func(conn *net.UnixConn) {
		request, sandbox, err := Receive(conn)
		if err != nil {
			t.Error(err)
			return
		}
		defer sandbox.Close()
		asked <- request
		// What is written into the one descriptor must come out of the other: they are the caller's pipe.
		sandbox.Netlink.WriteString("through")
		text := make([]byte, 7)
		sandbox.NetNS.Read(text)
		Answer(conn, Reply{Result: json.RawMessage(`"` + string(text) + `"`)})
	})
	result, err := Call(t.Context(), socket, addRequest(), pipeSandbox(t))
	if err != nil {
		t.Fatal(err)
	}
	if string(result) != `"through"` {
		t.Errorf("result %s", result)
	}
	want := addRequest()
	want.Version, want.Network, want.CNIVersion = Version, "terway", "0.3.0"
	if diff := cmp.Diff(want, <-asked); diff != "" {
		t.Error(diff)
	}
}

func TestReceivedDescriptorsAreNotInherited(t *testing.T) {
	flags := make(chan uintptr, 1)
	socket := serve(t, func(conn *net.UnixConn) {
		_, sandbox, _ := Receive(conn)
		defer sandbox.Close()
		got, _, _ := syscall.Syscall(syscall.SYS_FCNTL, sandbox.NetNS.Fd(), syscall.F_GETFD, 0)
		flags <- got
		Answer(conn, Reply{})
	})
	if _, err := Call(t.Context(), socket, addRequest(), pipeSandbox(t)); err != nil {
		t.Fatal(err)
	}
	if got := <-flags; got&syscall.FD_CLOEXEC == 0 {
		t.Errorf("descriptor flags %#x, want close-on-exec", got)
	}
}

func TestAnswerMayBeLargerThanASocketBuffer(t *testing.T) {
	large := json.RawMessage(`"` + strings.Repeat("x", 3<<20) + `"`)
	socket := serve(t, func(conn *net.UnixConn) {
		Receive(conn)
		Answer(conn, Reply{Result: large})
	})
	got, err := Call(t.Context(), socket, Request{Verb: Status}, Sandbox{})
	if err != nil || len(got) != len(large) {
		t.Errorf("got %d bytes, %v; want %d", len(got), err, len(large))
	}
}

func TestErrorsArriveWithTheirCode(t *testing.T) {
	want := &Error{Code: CodeLimited, Msg: "no address", Details: "vsw-1"}
	socket := serve(t, func(conn *net.UnixConn) {
		Receive(conn)
		Answer(conn, Reply{Error: want})
	})
	_, err := Call(t.Context(), socket, Request{Verb: Status}, Sandbox{})
	var got *Error
	if !errors.As(err, &got) {
		t.Fatalf("error %v", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWithoutAnswerTheCodeSaysTryLaterAndTheTextWhereToLook(t *testing.T) {
	absent := filepath.Join(t.TempDir(), "absent")
	dies := serve(t, func(conn *net.UnixConn) { Receive(conn) })
	hangs := serve(t, func(conn *net.UnixConn) { Receive(conn); conn.Read(make([]byte, 1)) })
	tests := []struct {
		name, socket string
		verb         Verb
		code         uint
		says         string
	}{
		{"no daemon, DEL", absent, Del, CodeTryLater, "no such file"},
		{"no daemon, STATUS", absent, Status, CodeUnavailable, "no such file"},
		{"daemon dies", dies, Del, CodeTryLater, "ended before it answered"},
		{"daemon hangs", hangs, Del, CodeTryLater, "deadline exceeded"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx := t.Context()
			if test.socket == hangs {
				var cancel func()
				ctx, cancel = context.WithTimeout(ctx, 200*time.Millisecond)
				defer cancel()
			}
			_, err := Call(ctx, test.socket, Request{Verb: test.verb, ContainerID: "c", IfName: "eth0"}, Sandbox{})
			var got *Error
			if !errors.As(err, &got) {
				t.Fatalf("error %v", err)
			}
			if got.Code != test.code || !strings.Contains(got.Msg, test.says) || !strings.Contains(got.Msg, "kubectl -n kube-system") {
				t.Errorf("code %d, %q; want code %d, %q and where to look", got.Code, got.Msg, test.code, test.says)
			}
		})
	}
}

func TestReceiveRefusesWhatItCannotServe(t *testing.T) {
	full := addRequest()
	tests := []struct {
		name   string
		change func(*Request)
		files  bool
		code   uint
	}{
		{"complete", func(*Request) {}, true, 0},
		{"another version", func(r *Request) { r.Version = Version + 1 }, true, CodeIncompatible},
		{"unknown verb", func(r *Request) { r.Verb = "UPDATE" }, true, CodeInvalidArguments},
		{"no descriptors", func(*Request) {}, false, CodeInvalidNetNS},
		{"no container", func(r *Request) { r.ContainerID = "" }, true, CodeInvalidArguments},
		{"DEL without namespace", func(r *Request) { r.Verb, r.NetNS = Del, "" }, false, 0},
		{"STATUS without anything", func(r *Request) { *r = Request{Version: Version, Verb: Status} }, false, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := full
			r.Version = Version
			test.change(&r)
			var sandbox Sandbox
			if test.files {
				sandbox = pipeSandbox(t)
			}
			got := refusal(t, func(conn *net.UnixConn) {
				message, err := r.message().Encode()
				if err != nil {
					t.Error(err)
				}
				if _, _, err := conn.WriteMsgUnix(message, sandbox.rights(), nil); err != nil {
					t.Error(err)
				}
			})
			if got != test.code {
				t.Errorf("code %d, want %d", got, test.code)
			}
		})
	}
}

// refusal is the code of Receive's error for what write sends, 0 without one, 999 for one that is not an *Error.
func refusal(t *testing.T, write func(*net.UnixConn)) uint {
	t.Helper()
	codes := make(chan uint, 1)
	socket := serve(t, func(conn *net.UnixConn) {
		_, sandbox, err := Receive(conn)
		sandbox.Close()
		var known *Error
		switch {
		case errors.As(err, &known):
			codes <- known.Code
		case err != nil:
			codes <- CodeInternal
		default:
			codes <- 0
		}
	})
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	write(conn)
	conn.Close()
	return <-codes
}

func TestReceiveSurvivesRubbish(t *testing.T) {
	before := openFiles(t)
	header := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	one := pipeSandbox(t)
	tests := map[string]func(*net.UnixConn){
		"nothing":        func(*net.UnixConn) {},
		"half a length":  func(c *net.UnixConn) { c.Write([]byte{0, 0}) },
		"length only":    func(c *net.UnixConn) { c.Write(header(100)) },
		"too long":       func(c *net.UnixConn) { c.Write(header(1 << 31)) },
		"no request":     func(c *net.UnixConn) { c.Write(append(header(3), "abc"...)) },
		"empty":          func(c *net.UnixConn) { c.Write(header(0)) },
		"half JSON":      func(c *net.UnixConn) { c.Write(append(header(3), `{"v`...)) },
		"half a field":   func(c *net.UnixConn) { c.Write(append(header(5), Version, 0, 0, 0, 9)) },
		"more than said": func(c *net.UnixConn) { c.Write(append(header(1), Version, 0)) },
		"one descriptor": func(c *net.UnixConn) { c.WriteMsgUnix(header(3), syscall.UnixRights(int(one.NetNS.Fd())), nil) },
		"three descriptors": func(c *net.UnixConn) {
			fd := int(one.NetNS.Fd())
			c.WriteMsgUnix(header(3), syscall.UnixRights(fd, fd, fd), nil)
		},
		"twenty descriptors": func(c *net.UnixConn) { c.WriteMsgUnix(header(3), syscall.UnixRights(make([]int, 20)...), nil) },
	}
	for name, write := range tests {
		t.Run(name, func(t *testing.T) {
			if got := refusal(t, write); got != CodeInternal {
				t.Errorf("code %d, want an error that is the connection's", got)
			}
		})
	}
	one.Close()
	if after := openFiles(t); after > before+2 { // the listeners' own come and go
		t.Errorf("%d files open, %d before: descriptors leak", after, before)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestParseArgs(t *testing.T) {
	tests := map[string]Args{
		"": {},
		"IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=c;K8S_POD_UID=u": {"default", "web-0", "u"},
		"K8S_POD_NAME": {},
	}
	for text, want := range tests {
		if diff := cmp.Diff(want, ParseArgs(text)); diff != "" {
			t.Errorf("ParseArgs(%q): %s", text, diff)
		}
	}
}
