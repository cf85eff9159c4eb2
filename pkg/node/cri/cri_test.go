package cri

import (
	"encoding/binary"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// message is a protobuf field of bytes.
func message(number byte, content ...byte) []byte {
	return append([]byte{number<<3 | 2, byte(len(content))}, content...)
}

// podSandbox is a PodSandbox as containerd sends it: id, metadata, state, created_at, a label.
func podSandbox(id string, ready bool) []byte {
	one := append(message(1, []byte(id)...), message(2, message(1, []byte("web-0")...)...)...)
	if !ready {
		one = append(one, 3<<3, 1)
	}
	one = append(one, 4<<3, 0x80, 0xa0, 0x01)
	return message(1, append(one, message(5, message(1, []byte("app")...)...)...)...)
}

// serve is a container runtime that gives one answer.
func serve(t *testing.T, answer http.HandlerFunc) *Runtime {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "cri.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: answer, Protocols: new(http.Protocols)}
	server.Protocols.SetUnencryptedHTTP2(true)
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return New("unix://" + socket)
}

func grpc(w http.ResponseWriter, status, text string, body []byte) {
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
	if body != nil {
		w.Write(append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(body))), body...))
	}
	w.Header().Set("Grpc-Status", status)
	w.Header().Set("Grpc-Message", text)
}

func TestSandboxesAreThoseOfTheRuntime(t *testing.T) {
	r := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/runtime.v1.RuntimeService/ListPodSandbox" || r.ProtoMajor != 2 || r.Header.Get("Te") != "trailers" {
			t.Errorf("%s %s %v", r.Proto, r.URL, r.Header)
		}
		grpc(w, "0", "", append(podSandbox("one", true), podSandbox("two", false)...))
	})
	got, err := r.Sandboxes(t.Context())
	if diff := cmp.Diff(map[string]bool{"one": true, "two": false}, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestWhatIsNoWholeAnswerIsAnError(t *testing.T) {
	whole := podSandbox("one", true)
	tests := map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"another version of CRI": {func(w http.ResponseWriter, _ *http.Request) { grpc(w, "12", "unknown service", nil) }, "unknown service"},
		"a web server":           {func(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) }, "404"},
		"a message cut short":    {func(w http.ResponseWriter, _ *http.Request) { grpc(w, "0", "", whole[:len(whole)-1]) }, "cut short"},
		"a sandbox without ID":   {func(w http.ResponseWriter, _ *http.Request) { grpc(w, "0", "", message(1, message(2, 1)...)) }, "cut short"},
		"no message":             {func(w http.ResponseWriter, _ *http.Request) { grpc(w, "0", "", nil) }, "whole message"},
		"a broken connection":    {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "ask the container runtime"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := serve(t, test.answer).Sandboxes(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, %v; want an error with %q", got, err, test.says)
			}
		})
	}
	if _, err := New(filepath.Join(t.TempDir(), "none")).Sandboxes(t.Context()); err == nil || strings.Contains(err.Error(), "localhost") {
		t.Errorf("%v though nobody listens", err)
	}
}

func FuzzParseList(f *testing.F) {
	f.Add(append(podSandbox("one", true), podSandbox("two", false)...))
	f.Fuzz(func(_ *testing.T, message []byte) { _, _ = parseList(message) })
}
