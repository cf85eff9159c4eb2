package conf

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The cases are those of RFC 7396, appendix A, that are objects.
func TestMergeFollowsRFC7396(t *testing.T) {
	for _, c := range []struct{ base, patch, want string }{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`},
		{`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`},
		{`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`},
		{`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`},
		{`{"a":"{{.Left}}"}`, `{"b":1}`, `{"a":"{{.Left}}","b":1}`}, // for ParseENI to find
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		got, err := Merge("patch", []byte(c.base), []byte(c.patch))
		if err != nil || string(got) != c.want {
			t.Errorf("%s with %s: got %s, %v; want %s", c.base, c.patch, got, err, c.want)
		}
	}
}

func TestMergeNamesWhichTextIsNoObject(t *testing.T) {
	for _, c := range []struct{ base, patch, want string }{
		{`{}`, `[1]`, "ConfigMap small: it is a JSON array"},
		{`{}`, `{"a":`, "ConfigMap small:1:"},
		{`{`, `{}`, "eni_conf:1:"},
	} {
		if _, err := Merge("ConfigMap small", []byte(c.base), []byte(c.patch)); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got %v, want %s…", err, c.want)
		}
	}
}

func parsedENI(t *testing.T, text string) ENIConf {
	t.Helper()
	c, _, err := ParseENI([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTakeKeepsTheServiceCIDRWherePodsHaveTheirOwnENI(t *testing.T) {
	running, next := parsedENI(t, `{"service_cidr": "10.96.0.0/16"}`), parsedENI(t, `{"service_cidr": "10.97.0.0/16"}`)
	if got, kept := running.Take(next, false); len(kept) > 0 || got.ServiceCIDRs[0] != next.ServiceCIDRs[0] {
		t.Errorf("shared ENIs: taken %v, kept %v", got.ServiceCIDRs, kept)
	}
	got, kept := running.Take(next, true)
	if len(kept) != 1 || kept[0].Path != "eni_conf.service_cidr" || got.ServiceCIDRs[0] != running.ServiceCIDRs[0] {
		t.Errorf("exclusive ENIs: taken %v, kept %v", got.ServiceCIDRs, kept)
	}
}

func TestTakeChangesWhatMayChangeAndSaysWhyTheRestStays(t *testing.T) {
	running := parsedENI(t, `{"region_id": "r1", "eni_tag_filter": {"a": "1"}, "max_pool_size": 5}`)
	next := parsedENI(t, `{"region_id": "r2", "eni_tag_filter": {"a": "2"}, "eni_tag_block_list": [{"key": "k", "value": "v"}], "ip_warm_up_size": 3, "ip_stack": "dual", "rate_limit": {"DescribeVSwitches": 60},
		"max_pool_size": 9, "vswitches": {"z": ["vsw-2"]}, "eni_tags": {"t": "2"}, "security_group": "sg-2"}`)
	got, kept := running.Take(next, false)
	want := next
	want.RegionID, want.ENITagFilter, want.ENITagBlockList, want.WarmUp = "r1", map[string]string{"a": "1"}, running.ENITagBlockList, 0
	want.RateLimit, want.IPStack = nil, "ipv4"
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
	var paths []string
	for _, w := range kept {
		paths = append(paths, w.Path)
		if !strings.Contains(w.Text, "started again") {
			t.Errorf("%s does not say what to do", w)
		}
	}
	if diff := cmp.Diff([]string{"eni_conf.region_id", "eni_conf.eni_tag_filter", "eni_conf.eni_tag_block_list", "eni_conf.ip_stack", "eni_conf.ip_warm_up_size", "eni_conf.rate_limit"}, paths); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	guide, err := os.ReadFile("../../../docs/user-guide.md")
	if err != nil {
		t.Fatal(err)
	}
	_, sentence, _ := strings.Cut(string(guide), "(ENIs that are there stay as they are).")
	sentence, _, _ = strings.Cut(sentence, "wait for a restart")
	for _, path := range append(paths, "eni_conf.service_cidr") {
		if key := strings.TrimPrefix(path, "eni_conf."); !strings.Contains(sentence, "`"+key+"`") {
			t.Errorf("docs/user-guide.md does not say that %s waits for a restart", key)
		}
	}
	if _, kept := running.Take(running, true); len(kept) > 0 {
		t.Errorf("kept without a change: %v", kept)
	}
}

func TestKeepNamesEveryChangedKeyOfThePluginsConfiguration(t *testing.T) {
	running, _, err := ParseCNI([]byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	next, _, err := ParseCNI([]byte(`{"mtu": 8500, "host_stack_cidrs": ["169.254.20.10/32"], "symmetric_routing": false, "symmetric_routing_config": {"mark": 3}}`))
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, w := range running.Keep(next) {
		paths = append(paths, w.Path)
	}
	if diff := cmp.Diff([]string{"10-terway.conf.host_stack_cidrs", "10-terway.conf.mtu"}, paths); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if kept := next.Keep(next); len(kept) > 0 {
		t.Errorf("kept without a change: %v", kept)
	}
}
