package main

import (
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"time"
)

func one(d time.Duration) []time.Duration { return []time.Duration{d} }

func TestGatesNameEachMissedBar(t *testing.T) {
	good := []Row{row("cni_add_p50_1w", "ms", 2, 10), row("cni_add_rate_8w", "1/s", 700, 100), row("plugin_bytes", "bytes", 1e6, 1), row("no_bar", "ms", 100, 1)}
	if err := gates(good); err != nil {
		t.Errorf("gates of good rows: %v", err)
	}
	bad := []Row{row("cni_add_p50_1w", "ms", 4, 10), row("cni_add_rate_8w", "1/s", 200, 50), row("cni_del_rate_8w", "1/s", 400, 100), row("plugin_bytes", "bytes", 7e6, 1e9)}
	err := gates(bad)
	for _, r := range bad {
		if err == nil || !strings.Contains(err.Error(), r.Name+" is ") {
			t.Errorf("gates do not name %s: %v", r.Name, err)
		}
	}
}

func TestEveryBarHasARow(t *testing.T) {
	d := density{few: traffic{rr: one(1), crr: one(1), stream: []float64{1}}, rss: []float64{1}}
	d.many, d.far, d.veth = d.few, d.few, d.few
	made := map[string]bool{"plugin_bytes": true, "netlink_requests_per_add": true, "cloud_calls_100_pods": true, "preflight_1000_nodes_s": true, "preflight_1000_nodes_rss": true}
	all := samples{}
	for _, label := range []string{"terway", "ptp", "bridge", "floor"} {
		for _, workers := range workerCounts {
			all[key(label, "ADD", workers)] = sample{each: one(1), rates: []float64{1}}
			all[key(label, "DEL", workers)] = sample{each: one(1), rates: []float64{1}}
		}
	}
	for _, r := range append(all.rows(), d.rows(1)...) {
		made[r.Name] = true
	}
	for name := range bars {
		if !made[name] {
			t.Errorf("no row %s, so its bar can never be missed", name)
		}
	}
}

func TestTheDrawingIsWellFormed(t *testing.T) {
	text := string(drawing([]Row{row("a<b", "1/s", 0.01, 1), row("c", "ms", 1000, 1), row("d", "us", 1, 1)}))
	for parser := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := parser.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	if strings.Count(text, "<rect") != 4 || strings.Contains(text, "NaN") {
		t.Errorf("a bar is missing:\n%s", text)
	}
}

func TestAddressOfReadsTheAnswerOfAnADD(t *testing.T) {
	if got, err := addressOf([]byte(`{"cniVersion":"1.0.0","ips":[{"interface":1,"address":"10.0.0.7/32"}]}`)); err != nil || got.String() != "10.0.0.7" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := addressOf([]byte(`{"ips":[]}`)); err == nil {
		t.Error("an answer without an address gave none and no error")
	}
}
