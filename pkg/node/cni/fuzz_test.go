package cni

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/onectl/onectl/pkg/node/cni/plugin"
)

// pair is both ends of a connection.
func pair(f testing.TB) (daemon, other *net.UnixConn) {
	f.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		f.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "pair")
		conn, err := net.FileConn(file)
		file.Close()
		if err != nil {
			f.Fatal(err)
		}
		ends[i] = conn.(*net.UnixConn)
	}
	return ends[0], ends[1]
}

// FuzzReceive sends any bytes: they are a request, refused with a code, or an error of the connection; never a panic, and never a
// request that the daemon must not serve.
func FuzzReceive(f *testing.F) {
	for _, verb := range []Verb{Add, Del, Check, Status, GC} {
		r := addRequest()
		r.Version, r.Verb = Version, verb
		message, err := r.message().Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(message)
		f.Add(message[:len(message)-1])
		f.Add(append(slices.Clone(message), 0))
	}
	f.Add([]byte{0, 0, 0, 0})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, Version})
	f.Add([]byte("\x00\x00\x00\x0d{\"version\":1}"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		if len(sent) > 1<<16 {
			return // more than the socket takes without a reader
		}
		daemon, other := pair(t)
		defer daemon.Close()
		if _, err := other.Write(sent); err != nil {
			t.Fatal(err)
		}
		other.Close()
		request, sandbox, err := Receive(daemon)
		defer sandbox.Close()
		var refusal *Error
		if errors.As(err, &refusal) && (refusal.Code == 0 || refusal.Msg == "") {
			t.Errorf("refusal %+v says nothing", refusal)
		}
		if err == nil {
			admitted(t, request)
		}
	})
}

// admitted fails t for a request that the daemon relies on not to come.
func admitted(t *testing.T, r Request) {
	t.Helper()
	if !slices.Contains([]Verb{Add, Del, Check, Status, GC}, r.Verb) || r.Network == "" || r.CNIVersion == "" || !json.Valid(r.Config) {
		t.Errorf("admitted %+v", r)
	}
	if r.Verb == Status || r.Verb == GC {
		return
	}
	if r.ContainerID == "" || len(r.ContainerID) > longestID || r.IfName == "" || len(r.IfName) > 15 || r.Verb != Del && r.NetNS == "" {
		t.Errorf("admitted %+v", r)
	}
}

// FuzzAdmit judges any variables and configuration of a request that came whole, with its descriptors.
func FuzzAdmit(f *testing.F) {
	f.Add("ADD", "c", "/x", "eth0", "K8S_POD_NAME=a", "/bin", []byte(`{"cniVersion":"1.1.0","name":"n"}`))
	f.Add("DEL", "", "", "", "", "", []byte(`{}`))
	f.Add("GC", "../x", "\x00", "a/b", ";;=", "", []byte(`{"cniVersion":"99999999999999999999.0.0","name":"n"}`))
	f.Add("CHECK", "c", "/x", "eth0", "", "", []byte(`{"cniVersion":"0.4.0","name":"n","name":3}`))
	null, err := os.Open(os.DevNull)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { null.Close() })
	f.Fuzz(func(t *testing.T, verb, id, netns, ifName, args, path string, config []byte) {
		m := plugin.Message{Version: Version, Command: verb, ContainerID: id, NetNS: netns, IfName: ifName, Args: args, Path: path, Config: config}
		r, err := admit(m, Sandbox{NetNS: null, Netlink: null})
		var refusal *Error
		switch {
		case err == nil:
			admitted(t, r)
		case !errors.As(err, &refusal) || refusal.Code == 0 || refusal.Msg == "":
			t.Errorf("error %v, want one with a code", err)
		}
	})
}
