package daemon

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/onectl/onectl/pkg/node/cni"
)

func TestBandwidthIsReadAndKept(t *testing.T) {
	b := newBench(t)
	r := request(cni.Add, "c1")
	r.Config = json.RawMessage(`{"cniVersion":"1.1.0","name":"terway","runtimeConfig":{"bandwidth":{"ingressRate":8000000,"ingressBurst":2147483647,"egressRate":16000000}}}`)
	if reply := b.ask(t, r); reply.Error != nil {
		t.Fatal(reply.Error)
	}
	kept := b.ledger.records["c1/eth0"]
	host, pod, err := b.content(t.Context(), kept)
	if err != nil || kept.Ingress != 1e6 || kept.Egress != 2e6 || host.Links[0].Limit != 1e6 || pod.Links[0].Limit != 2e6 {
		t.Errorf("record %+v, host %+v, pod %+v, %v", kept, host.Links, pod.Links, err)
	}
}

func TestBandwidthThatNobodyCouldUseIsRefused(t *testing.T) {
	b := newBench(t)
	r := request(cni.Add, "c1")
	for config, want := range map[string]string{
		`{"runtimeConfig":{"bandwidth":{"egressRate":999}}}`:     "egress-bandwidth",
		`{"runtimeConfig":{"bandwidth":{"ingressRate":"fast"}}}`: "runtimeConfig.bandwidth",
	} {
		r.Config = json.RawMessage(config)
		if reply := b.ask(t, r); reply.Error == nil || !strings.Contains(reply.Error.Msg, want) {
			t.Errorf("%s: %+v, want %q in the error", config, reply.Error, want)
		}
	}
	if got := b.state(); got != nothing {
		t.Error(got)
	}
}
