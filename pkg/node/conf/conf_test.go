package conf

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
)

var compare = cmp.Options{
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b cloud.Secret) bool { return a.Reveal() == b.Reveal() }),
}

// The sample of Alibaba Cloud's page "Deploy and configure Terway", its placeholders filled in.
const sample = `{
   "version": "1",
   "max_pool_size": 5,
   "min_pool_size": 0,
   "vswitches": {"cn-hangzhou-i":["vsw-1"]},
   "eni_tags": {"ack.aliyun.com":"c1234"},
   "service_cidr": "10.96.0.0/16",
   "security_group": "sg-1",
   "access_key": "",
   "access_secret": "",
   "vswitch_selection_policy": "ordered"
}`

func sampleConf() ENIConf {
	c, _, _ := ParseENI([]byte(`{}`))
	c.VSwitches = map[string][]string{"cn-hangzhou-i": {"vsw-1"}}
	c.ENITags = map[string]string{"ack.aliyun.com": "c1234"}
	c.ServiceCIDRs = []netip.Prefix{netip.MustParsePrefix("10.96.0.0/16")}
	c.SecurityGroups = []string{"sg-1"}
	c.VSwitchSelection = "ordered"
	return c
}

func TestParseENIReadsThePublishedSample(t *testing.T) {
	got, warnings, err := ParseENI([]byte(sample))
	if err != nil || len(warnings) > 0 {
		t.Fatalf("warnings %v, error %v", warnings, err)
	}
	if diff := cmp.Diff(sampleConf(), got, compare); diff != "" {
		t.Errorf("sample (-want +got):\n%s", diff)
	}
}

func TestParseENIDefaults(t *testing.T) {
	got, warnings, err := ParseENI([]byte(`{}`))
	if err != nil || len(warnings) > 0 {
		t.Fatalf("warnings %v, error %v", warnings, err)
	}
	want := ENIConf{
		Version: "1", MaxPoolSize: 5, ENICapRatio: 1, VSwitchSelection: "random", ENISelection: "most_ips", ENITagBlockList: alwaysBlocked,
		IPPoolSyncPeriod: 2 * time.Minute, IdleReclaimBatch: 5, IdleReclaimInterval: 10 * time.Minute, IdleReclaimJitter: 0.1,
		IPStack: "ipv4", PatchPodIP: true,
	}
	if diff := cmp.Diff(want, got, compare, cmp.Comparer(func(a, b []string) bool { return strings.Join(a, ",") == strings.Join(b, ",") })); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
}

func TestParseENIReadsEveryKey(t *testing.T) {
	text := `{
		"version": "1", "access_key": "LTAI", "access_secret": "s3cret", "region_id": "cn-hangzhou", "service_cidr": "172.16.0.0/16, fc00::/112",
		"vswitches": {"z": ["vsw-1", "vsw-2"]}, "eni_tags": {"a": "b"}, "max_pool_size": 9, "min_pool_size": 3, "min_eni": 1, "max_eni": 4, "ip_warm_up_size": 20,
		"security_group": "sg-2", "security_groups": ["sg-1", "sg-2"], "eni_cap_ratio": 0.5, "eni_cap_shift": 2,
		"vswitch_selection_policy": "most", "eni_selection_policy": "least_ips", "ip_stack": "ipv4", "eni_tag_filter": {"f": "1"}, "enable_ip_prefix": true, "ipv4_prefix_count": 2,
		"eni_tag_block_list": [{"key": "k", "value": "v"}], "ip_pool_sync_period": "30s", "idle_ip_reclaim_after": "1h",
		"idle_ip_reclaim_batch_size": 2, "idle_ip_reclaim_interval": "5m", "idle_ip_reclaim_jitter_factor": "0.2", "enable_patch_pod_ips": false,
		"rate_limit": {"DescribeVSwitches": 60}
	}`
	got, warnings, err := ParseENI([]byte(text))
	if err != nil || len(warnings) > 0 {
		t.Fatalf("warnings %v, error %v", warnings, err)
	}
	want := ENIConf{
		Version: "1", AccessKey: cloud.AccessKey{ID: "LTAI", Secret: cloud.NewSecret("s3cret")}, RegionID: "cn-hangzhou",
		ServiceCIDRs: []netip.Prefix{netip.MustParsePrefix("172.16.0.0/16"), netip.MustParsePrefix("fc00::/112")},
		VSwitches:    map[string][]string{"z": {"vsw-1", "vsw-2"}}, ENITags: map[string]string{"a": "b"},
		MaxPoolSize: 9, MinPoolSize: 3, WarmUp: 20, MinENI: 1, MaxENI: 4, ENICapRatio: 0.5, ENICapShift: 2,
		SecurityGroups: []string{"sg-1", "sg-2"}, VSwitchSelection: "most", ENISelection: "least_ips", ENITagFilter: map[string]string{"f": "1"},
		ENITagBlockList: append(alwaysBlocked[:2:2], Tag{"k", "v"}), IPPoolSyncPeriod: 30 * time.Second, IdleReclaimAfter: time.Hour,
		IdleReclaimBatch: 2, IdleReclaimInterval: 5 * time.Minute, IdleReclaimJitter: 0.2, RateLimit: map[string]int{"DescribeVSwitches": 60}, IPStack: "ipv4", Prefixes: true, PrefixCount: 2,
	}
	if diff := cmp.Diff(want, got, compare); diff != "" {
		t.Errorf("all keys (-want +got):\n%s", diff)
	}
}

func TestParseENIReportsEveryProblemAtOnceWithItsPath(t *testing.T) {
	_, _, err := ParseENI([]byte(`{
		"max_pool_size": "five", "min_pool_size": 9, "vswitches": {"z": ["", "vsw-1", "vsw-1"]}, "service_cidr": "10.96.0.0",
		"vswitch_selection_policy": "best", "ip_pool_sync_period": "2 minutes", "access_key": "LTAI", "access_secret": 42,
		"eni_tags": {"aliyun-x": "1"}, "ip_stack": "ipv6", "eni_cap_ratio": -1, "max_eni": -2,
		"security_groups": ["1","2","3","4","5","6","7","8","9","10","11"], "idle_ip_reclaim_jitter_factor": "much"
	}`))
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		`eni_conf.max_pool_size: it is "five"; it must be a whole number`,
		`eni_conf.min_pool_size: it is 9, above max_pool_size 5`,
		`eni_conf.vswitches.z[0]: it is empty`,
		`eni_conf.vswitches.z[2]: vSwitch vsw-1 is named twice`,
		`eni_conf.service_cidr: "10.96.0.0" is not a CIDR`,
		`eni_conf.vswitch_selection_policy: it is "best"; it must be one of random, ordered, most`,
		`eni_conf.ip_pool_sync_period: it is "2 minutes"; it must be a duration`,
		`eni_conf.access_secret: it must be a string`,
		`eni_conf.eni_tags.aliyun-x: the cloud refuses`,
		`eni_conf.ip_stack: it is "ipv6"; it must be one of ipv4, dual`,
		`eni_conf.eni_cap_ratio: it is -1`,
		`eni_conf.max_eni: it is -2; it must be 0 or more`,
		`eni_conf.security_groups: 11 security groups`,
		`eni_conf.idle_ip_reclaim_jitter_factor: it is "much"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q", want)
		}
	}
	if t.Failed() {
		t.Logf("error:\n%v", err)
	}
}

func TestParseENINamesPlaceholdersThatWereLeftIn(t *testing.T) {
	text := strings.NewReplacer("c1234", "{{.ClusterId}}", "10.96.0.0/16", "{{.ServiceCIDR}}").Replace(sample)
	_, _, err := ParseENI([]byte(text))
	for _, want := range []string{"eni_conf.eni_tags: the placeholder {{.ClusterId}} was left in", "eni_conf.service_cidr: the placeholder {{.ServiceCIDR}} was left in"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestParseSaysWhereTextIsNotJSON(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"comma":    {"{\n  \"version\": \"1\",\n}", "eni_conf:3:1: not JSON"},
		"cut":      {"{\n  \"version\": ", "eni_conf:2:13: not JSON"},
		"no brace": {"version: 1", "eni_conf:1:1: not JSON"},
		"empty":    {" \n", "eni_conf: it is empty"},
		"list":     {"[]", "eni_conf: it is a JSON array; it must be an object"},
		"null":     {"null", "eni_conf: it is null"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := ParseENI([]byte(c.text))
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want %s…", err, c.want)
			}
		})
	}
}

func TestParseENIWarnsOfWhatHasNoEffect(t *testing.T) {
	_, warnings, err := ParseENI([]byte(`{"max_pool_sise": 5, "credential_path": "/x", "enable_eni_trunking": true, "ip_stack": "dual", "enable_ip_prefix": true, "ipam_type": "crd",
		"enable_erdma": false, "backoff_override": {}, "vswitches": {"AZoneID": ["VswitchId"]}, "rate_limit": {"a": 1},
		"extra_routes": [{"dst": "10.0.0.0/8", "gw": "10.0.0.1"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, w := range warnings {
		paths = append(paths, w.Path)
		if w.Text == "" || !strings.HasPrefix(w.String(), w.Path+": ") {
			t.Errorf("warning %q says nothing", w)
		}
	}
	want := []string{"eni_conf.credential_path", "eni_conf.enable_eni_trunking", "eni_conf.enable_ip_prefix", "eni_conf.extra_routes", "eni_conf.ipam_type",
		"eni_conf.max_pool_sise", "eni_conf.rate_limit", "eni_conf.vswitches.AZoneID[0]"}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestSecretsAreNeverInAnErrorOrPrint(t *testing.T) {
	c, _, err := ParseENI([]byte(`{"access_key": "LTAIKEY", "access_secret": "s3cret", "max_pool_size": -1}`))
	_, _, placeholder := ParseENI([]byte(`{"access_secret": ["s3cret"], "access_key": {"a": "s3cret"}}`))
	for _, text := range []string{err.Error(), placeholder.Error(), fmt.Sprintf("%+v %#v", c, c)} {
		if strings.Contains(text, "s3cret") {
			t.Errorf("the secret shows: %s", text)
		}
	}
}

func TestPoolBoundsFollowTheInstance(t *testing.T) {
	g7 := cloud.InstanceType{ENIs: 4, IPv4PerENI: 15, IPv6PerENI: 15}
	for name, c := range map[string]struct {
		text              string
		enis, least, most int
	}{
		"default":          {`{}`, 3, 0, 5},
		"clamped":          {`{"max_pool_size": 100, "min_pool_size": 60}`, 3, 45, 45},
		"min_eni":          {`{"min_eni": 2}`, 3, 30, 30},
		"max_eni":          {`{"max_eni": 1, "max_pool_size": 50}`, 1, 0, 15},
		"ratio":            {`{"eni_cap_ratio": 0.5}`, 1, 0, 5},
		"shift":            {`{"eni_cap_shift": -2}`, 1, 0, 5},
		"shift over":       {`{"eni_cap_shift": 3}`, 3, 0, 5},
		"prefixes":         {`{"enable_ip_prefix": true, "max_pool_size": 1000}`, 3, 0, 675},
		"prefixes min_eni": {`{"enable_ip_prefix": true, "min_eni": 1}`, 3, 225, 225},
		"dual":             {`{"ip_stack": "dual", "max_pool_size": 1000, "min_eni": 2}`, 3, 20, 30},
		"shift below zero": {`{"eni_cap_shift": -9}`, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			conf, _, err := ParseENI([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			least, most := conf.Idle(g7)
			if diff := cmp.Diff([]int{c.enis, c.least, c.most}, []int{conf.MaxENIs(g7), least, most}); diff != "" {
				t.Errorf("ENIs, least, most (-want +got):\n%s", diff)
			}
		})
	}
}
