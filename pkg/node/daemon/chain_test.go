package daemon

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/node/cni"
	"github.com/onectl/onectl/pkg/node/datapath"
)

// before is a prevResult in the shape of 0.3.0 to 0.4.0, of a plugin that made another interface of the pod.
const before = `{"interfaces":[{"name":"br0","mac":"02:00:00:00:00:01"},{"name":"net1","sandbox":"/run/netns/c1"}],
"ips":[{"version":"4","interface":1,"address":"192.0.2.5/24","gateway":"192.0.2.1"}],"routes":[{"dst":"198.51.100.0/24"}],"dns":{"nameservers":["192.0.2.53"]}}`

func withPrevious(verb cni.Verb, prevResult string) cni.Request {
	r := request(verb, "c1")
	r.Config = json.RawMessage(`{"cniVersion":"1.1.0","name":"terway","prevResult":` + prevResult + `}`)
	return r
}

func TestAddPassesOnWhatOthersMadeBeforeIt(t *testing.T) {
	for _, version := range []string{"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"} {
		b := newBench(t)
		r := withPrevious(cni.Add, before)
		r.CNIVersion = version
		reply := b.ask(t, r)
		if reply.Error != nil {
			t.Fatal(version, reply.Error)
		}
		var got struct {
			CNIVersion string
			Interfaces []struct{ Name, Sandbox string }
			IPs        []struct {
				Address   string
				Interface int
			}
			Routes []struct{ Dst string }
			DNS    struct{ Nameservers []string }
		}
		if err := json.Unmarshal(reply.Result, &got); err != nil {
			t.Fatal(err)
		}
		if len(got.Interfaces) != 4 || got.Interfaces[1].Name != "net1" || got.Interfaces[3].Name != "eth0" {
			t.Errorf("%s: interfaces %+v", version, got.Interfaces)
		}
		if len(got.IPs) != 2 || got.IPs[0].Interface != 1 || got.IPs[1].Address != "10.0.16.1/32" || got.IPs[1].Interface != 3 {
			t.Errorf("%s: addresses %+v", version, got.IPs)
		}
		if got.CNIVersion != version || len(got.Routes) != 2 || got.Routes[0].Dst != "198.51.100.0/24" || len(got.DNS.Nameservers) != 1 {
			t.Errorf("%s: %s", version, reply.Result)
		}
	}
}

func TestAddRefusesAPreviousResultThatItCannotPassOn(t *testing.T) {
	for name, test := range map[string]struct {
		previous string
		code     uint
		says     string
	}{
		"its own interface":  {`{"interfaces":[{"name":"eth0","sandbox":"/run/netns/c1"}]}`, cni.CodeInvalidArguments, "CNI_IFNAME eth0"},
		"no object":          {`[]`, cni.CodeDecoding, "prevResult"},
		"a null":             {`{"interfaces":[null]}`, cni.CodeDecoding, "null"},
		"a null address":     {`{"ips":[null]}`, cni.CodeDecoding, "null"},
		"an interface 7":     {`{"ips":[{"address":"192.0.2.5/24","interface":7}]}`, cni.CodeDecoding, "interface 7 of 0"},
		"an address of none": {`{"ips":[{"address":"x"}]}`, cni.CodeDecoding, "prevResult"},
	} {
		b := newBench(t)
		reply := b.ask(t, withPrevious(cni.Add, test.previous))
		if reply.Error == nil || reply.Error.Code != test.code || !strings.Contains(reply.Error.Msg, test.says) {
			t.Errorf("%s: %+v, want code %d and %q", name, reply.Error, test.code, test.says)
		}
		if got := b.state(); got != nothing {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestCheckLeavesToLaterPluginsWhatTheyMayChange(t *testing.T) {
	pod := datapath.NetNS{
		Links:  []datapath.Link{{Name: "eth0", MAC: "02:00:00:00:00:02", MTU: 1500}},
		Routes: []datapath.Route{{Dst: netip.MustParsePrefix("0.0.0.0/0"), Via: datapath.Gateway, Dev: "eth0"}},
	}
	withoutMTU := pod
	withoutMTU.Links = []datapath.Link{{Name: "eth0", MAC: "02:00:00:00:00:02"}}
	withoutRoute := withoutMTU
	withoutRoute.Routes = []datapath.Route{}
	for prevResult, want := range map[string]datapath.NetNS{
		`null`:                                withoutMTU,
		`{"routes":[{"dst":"0.0.0.0/0"}]}`:    withoutMTU,
		`{"routes":[{"dst":"192.0.2.0/24"}]}`: withoutRoute,
	} {
		result, err := previous(withPrevious(cni.Check, prevResult))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.String(), afterOthers(pod, result).String()); diff != "" {
			t.Errorf("%s: %s", prevResult, diff)
		}
	}
	if pod.Links[0].MTU != 1500 {
		t.Error("the pod's own content was changed")
	}
}
