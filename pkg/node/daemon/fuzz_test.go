package daemon

import (
	"encoding/json"
	"testing"

	"github.com/onectl/onectl/pkg/node/cni"
)

// FuzzConfiguration asks with any configuration that is an object: the daemon answers a result or an error, and after DEL
// nothing is held.
func FuzzConfiguration(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"prevResult":null}`, `{"prevResult":{"ips":[{"address":"10.0.0.1/24","interface":0}],"interfaces":[{"name":"a"}]}}`,
		`{"prevResult":{"ips":[null],"interfaces":[null],"routes":[null]}}`, `{"prevResult":{"dns":{"nameservers":[null]}}}`,
		`{"prevResult":{"interfaces":[{"name":"eth0","sandbox":"/run/netns/c1"}]}}`, `{"prevResult":{"routes":[{"dst":"0.0.0.0/0","gw":"::1"}]}}`,
		`{"runtimeConfig":{"bandwidth":{"ingressRate":1e9,"egressRate":18446744073709551615}}}`, `{"runtimeConfig":[]}`,
		`{"cni.dev/valid-attachments":[]}`, `{"cni.dev/valid-attachments":[{"containerID":"c1","ifname":"eth0"},null]}`, `{"cni.dev/attachments":{}}`,
	} {
		for _, version := range []string{"0.3.0", "1.1.0"} {
			f.Add(seed, version)
		}
	}
	f.Fuzz(func(t *testing.T, config, version string) {
		if !json.Valid([]byte(config)) {
			return // is refused before it comes here
		}
		b := newBench(t)
		for _, verb := range []cni.Verb{cni.Add, cni.Check, cni.GC, cni.Add, cni.Status} {
			r := request(verb, "c1")
			r.Config, r.CNIVersion = json.RawMessage(config), version
			reply := b.ask(t, r)
			if reply.Error == nil && verb == cni.Add && !json.Valid(reply.Result) || reply.Error != nil && (reply.Error.Code == 0 || reply.Error.Msg == "") {
				t.Errorf("%s: %s, %v", verb, reply.Result, reply.Error)
			}
		}
		if reply := b.ask(t, request(cni.Del, "c1")); reply.Error != nil {
			t.Errorf("DEL: %v", reply.Error)
		}
		if got := b.state(); got != nothing {
			t.Error(got)
		}
	})
}
