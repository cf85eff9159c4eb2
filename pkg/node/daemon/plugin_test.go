package daemon

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/testkit"
)

// TestPluginAndDaemonTogether calls the plugin as a container runtime does, against a daemon that serves.
func TestPluginAndDaemonTogether(t *testing.T) {
	b := newBench(t)
	socket, stop := serving(t, b)
	netns := testkit.NewNetNS(t).Path
	config := func(version, more string) string {
		return fmt.Sprintf(`{"cniVersion":%q,"name":"terway","type":"terway","socket":%q%s}`, version, socket, more)
	}
	steps := []struct {
		verb, netns, config string
		exit                int
		code                uint // of the error
		says                string
	}{
		{"STATUS", "", config("1.1.0", ""), 0, 0, ""},
		{"STATUS", "", config("1.0.0", ""), 1, cni.CodeIncompatible, ""},
		{"ADD", netns, config("1.0.0", ""), 0, 0, "10.0.16.1/32"},
		{"ADD", netns, config("0.3.0", ""), 0, 0, "10.0.16.1/32"},
		{"ADD", "/proc/thread-self/ns/net", config("1.0.0", ""), 1, cni.CodeInvalidNetNS, ""},
		{"ADD", netns, config("9.0.0", ""), 1, cni.CodeIncompatible, ""},
		{"ADD", "", config("1.0.0", ""), 1, cni.CodeInvalidArguments, ""},
		{"CHECK", netns, config("0.3.1", ""), 1, cni.CodeIncompatible, ""},
		{"CHECK", netns, config("1.0.0", `,"prevResult":{"ips":[{"address":"10.0.16.1/32"}]}`), 0, 0, ""},
		{"CHECK", netns, config("1.0.0", `,"prevResult":{"ips":[{"address":"10.0.16.2/32"}]}`), 1, cni.CodeDiffers, ""},
		{"GC", "", config("1.1.0", `,"cni.dev/valid-attachments":[{"containerID":"c1","ifname":"eth0"}]`), 0, 0, ""},
		{"CHECK", netns, config("1.0.0", ""), 0, 0, ""},
		{"GC", "", config("1.1.0", `,"cni.dev/valid-attachments":[]`), 0, 0, ""},
		{"CHECK", netns, config("1.0.0", ""), 1, cni.CodeUnknownContainer, ""},
		{"ADD", netns, config("1.1.0", ""), 0, 0, "/32"},
		{"DEL", "/absent", config("0.4.0", ""), 0, 0, ""},
		{"DEL", "", config("0.4.0", ""), 0, 0, ""},
	}
	binary := testkit.BuildPlugin(t, testkit.PluginReleased)
	for i, step := range steps {
		exit, out, _ := testkit.RunPlugin(t, binary, []string{
			"CNI_COMMAND=" + step.verb, "CNI_CONTAINERID=c1", "CNI_NETNS=" + step.netns, "CNI_IFNAME=eth0", "CNI_PATH=/opt/cni/bin",
			"CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0",
		}, []byte(step.config))
		var got struct {
			Code uint
			IPs  []struct{ Address string }
		}
		if len(out) > 0 {
			if err := json.Unmarshal([]byte(out), &got); err != nil {
				t.Fatalf("step %d, %s: %q: %v", i, step.verb, out, err)
			}
		}
		if exit != step.exit || got.Code != step.code || (step.says != "") != (len(got.IPs) == 1) || len(out) > 0 && step.says == "" && step.exit == 0 {
			t.Errorf("step %d, %s: exit code %d, %s; want %d, code %d and %q", i, step.verb, exit, out, step.exit, step.code, step.says)
		}
		if step.says == "10.0.16.1/32" && got.IPs[0].Address != step.says {
			t.Errorf("step %d: %s", i, out)
		}
	}
	if got := b.state(); got != nothing {
		t.Error(got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
