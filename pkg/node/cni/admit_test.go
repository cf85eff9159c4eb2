package cni

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"testing"

	"github.com/containernetworking/cni/pkg/version"

	"github.com/onectl/onectl/pkg/node/cni/plugin"
)

func TestAdmitJudgesAsThePluginsOfTheProjectDo(t *testing.T) {
	tests := []struct {
		name   string
		change func(*plugin.Message)
		code   uint
	}{
		{"ADD", func(*plugin.Message) {}, 0},
		{"ADD without a namespace", func(m *plugin.Message) { m.NetNS = "" }, CodeInvalidArguments},
		{"ADD without an interface", func(m *plugin.Message) { m.IfName = "" }, CodeInvalidArguments},
		{"ADD without a path", func(m *plugin.Message) { m.Path = "" }, 0},
		{"STATUS without a path", func(m *plugin.Message) { m.Command, m.Path = "STATUS", "" }, 0},
		{"GC without a path", func(m *plugin.Message) { m.Command, m.Path = "GC", "" }, CodeInvalidArguments},
		{"a container that is a path", func(m *plugin.Message) { m.ContainerID = "../x" }, CodeInvalidArguments},
		{"an interface with a slash", func(m *plugin.Message) { m.IfName = "a/b" }, CodeInvalidArguments},
		{"an interface that is too long", func(m *plugin.Message) { m.IfName = "sixteencharacter" }, CodeInvalidArguments},
		{"no verb of CNI", func(m *plugin.Message) { m.Command = "add" }, CodeInvalidArguments},
		{"no JSON", func(m *plugin.Message) { m.Config = []byte("name: x") }, CodeDecoding},
		{"no name", func(m *plugin.Message) { m.Config = []byte(`{"cniVersion":"1.0.0"}`) }, CodeInvalidConfig},
		{"a bad name", func(m *plugin.Message) { m.Config = []byte(`{"cniVersion":"1.0.0","name":"a b"}`) }, CodeInvalidConfig},
		{"no version", func(m *plugin.Message) { m.Config = []byte(`{"name":"n"}`) }, CodeIncompatible},
		{"an old version", func(m *plugin.Message) { m.Config = []byte(`{"cniVersion":"0.2.0","name":"n"}`) }, CodeIncompatible},
		{"a new version", func(m *plugin.Message) { m.Config = []byte(`{"cniVersion":"7.0.0","name":"n"}`) }, CodeIncompatible},
		{"a namespace that did not open", func(m *plugin.Message) { m.Problem = "no such file" }, CodeInvalidNetNS},
		{"DEL in 0.3.0", func(m *plugin.Message) { m.Command = "DEL"; m.Config = []byte(`{"cniVersion":"0.3.0","name":"n"}`) }, 0},
		{"CHECK in 0.3.1", func(m *plugin.Message) { m.Command = "CHECK"; m.Config = []byte(`{"cniVersion":"0.3.1","name":"n"}`) }, CodeIncompatible},
		{"CHECK in 0.4.0", func(m *plugin.Message) { m.Command = "CHECK"; m.Config = []byte(`{"cniVersion":"0.4.0","name":"n"}`) }, 0},
		{"CHECK in no version", func(m *plugin.Message) { m.Command = "CHECK"; m.Config = []byte(`{"cniVersion":"x","name":"n"}`) }, CodeDecoding},
		{"GC in 1.0.0", func(m *plugin.Message) { m.Command = "GC"; m.Config = []byte(`{"cniVersion":"1.0.0","name":"n"}`) }, CodeIncompatible},
		{"GC in 1.1.0", func(m *plugin.Message) { m.Command = "GC" }, 0},
		{"STATUS in 1.0.0", func(m *plugin.Message) { m.Command = "STATUS"; m.Config = []byte(`{"cniVersion":"1.0.0","name":"n"}`) }, CodeIncompatible},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			m := plugin.Message{Version: Version, Command: "ADD", ContainerID: "c", NetNS: "/x", IfName: "eth0", Path: "/bin",
				Config: []byte(`{"cniVersion":"1.1.0","name":"n"}`)}
			test.change(&m)
			_, err := admit(m, pipeSandbox(t))
			var known *Error
			if err != nil && !errors.As(err, &known) {
				t.Fatalf("error %v", err)
			}
			if known == nil {
				known = new(Error)
			}
			if known.Code != test.code {
				t.Errorf("code %d (%s), want %d", known.Code, known.Msg, test.code)
			}
		})
	}
}

func TestThePluginTellsTheVersionsThatTheDaemonAdmits(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	code := plugin.Run(func(string) string { return "VERSION" }, plugin.Stdio{In: int(null.Fd()), Out: int(write.Fd()), Err: int(write.Fd())})
	write.Close()
	said, err := io.ReadAll(read)
	if code != 0 || err != nil {
		t.Fatalf("exit code %d, %v", code, err)
	}
	var want bytes.Buffer
	if err := supported().Encode(&want); err != nil {
		t.Fatal(err)
	}
	if string(said) != want.String() {
		t.Errorf("the plugin says %s, the library %s", said, want.String())
	}
	if _, err := new(version.PluginDecoder).Decode(said); err != nil {
		t.Error(err)
	}
}

// TestAPluginOfVersionOneIsToldInItsOwnWords plays the plugin of an earlier release, which is on the node while an update runs.
func TestAPluginOfVersionOneIsToldInItsOwnWords(t *testing.T) {
	socket := serve(t, func(conn *net.UnixConn) {
		request, sandbox, err := Receive(conn)
		sandbox.Close()
		var refusal *Error
		if !errors.As(err, &refusal) {
			t.Errorf("error %v", err)
			return
		}
		Answer(conn, Reply{Version: request.Version, Error: refusal})
	})
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := []byte(`{"version":1,"verb":"DEL","containerID":"c","ifName":"eth0","args":{}}`)
	conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
	answer, err := io.ReadAll(conn)
	if err != nil || len(answer) < 4 || int(binary.BigEndian.Uint32(answer)) != len(answer)-4 {
		t.Fatalf("answer %q, %v", answer, err)
	}
	var got struct{ Error *Error }
	if err := json.Unmarshal(answer[4:], &got); err != nil || got.Error == nil || got.Error.Code != CodeIncompatible {
		t.Errorf("answer %s, %v", answer[4:], err)
	}
}
