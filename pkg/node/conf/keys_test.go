package conf

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// sampleKey is a key of upstream's configuration with a value that is not its default, and one that is not of its form.
type sampleKey struct{ key, value, wrong string }

// TestNoKeyIsDroppedInSilence: every key that upstream Terway reads either changes the configuration or is named in a
// warning, and a value of another form is a problem with the key's path and the form that is wanted.
func TestNoKeyIsDroppedInSilence(t *testing.T) {
	text, number, boolean := `"x"`, `7`, `true`
	eni := []sampleKey{
		{"version", `"2"`, number}, {"access_key", text, number}, {"access_secret", text, number}, {"region_id", text, number}, {"credential_path", text, number},
		{"service_cidr", `"10.0.0.0/8"`, `"10"`}, {"vswitches", `{"z":["vsw-1"]}`, text}, {"eni_tags", `{"a":"b"}`, text}, {"max_pool_size", number, text},
		{"min_pool_size", `3`, text}, {"ip_warm_up_size", number, text}, {"idle_ip_reclaim_after", `"1h"`, text}, {"idle_ip_reclaim_batch_size", number, text},
		{"idle_ip_reclaim_interval", `"1h"`, text}, {"idle_ip_reclaim_jitter_factor", `"0.5"`, text}, {"min_eni", `1`, text}, {"max_eni", number, text},
		{"prefix", text, number}, {"security_group", text, number}, {"security_groups", `["x"]`, text}, {"eni_cap_ratio", `0.5`, text}, {"eni_cap_shift", number, text},
		{"vswitch_selection_policy", `"ordered"`, text}, {"eni_selection_policy", `"least_ips"`, text}, {"ip_stack", `"dual"`, text},
		{"enable_eni_trunking", boolean, text}, {"enable_erdma", boolean, text}, {"custom_stateful_workload_kinds", `["x"]`, text}, {"ipam_type", `"crd"`, number},
		{"backoff_override", `{"eni_ops":{"Steps":3}}`, text}, {"extra_routes", `[{"dst":"10.0.0.0/8"}]`, text}, {"disable_device_plugin", boolean, text},
		{"eni_tag_filter", `{"a":"b"}`, text}, {"eni_tag_block_list", `[{"key":"a","value":"b"}]`, text}, {"kube_client_qps", number, text}, {"kube_client_burst", number, text},
		{"resource_group_id", text, number}, {"rate_limit", `{"DescribeVSwitches":60}`, `{"DescribeVSwitches":0}`}, {"enable_patch_pod_ips", `false`, text},
		{"ip_pool_sync_period", `"30s"`, text}, {"enable_ip_prefix", boolean, text}, {"ipv4_prefix_count", number, text}, {"ipv6_prefix_count", number, text},
	}
	cni := []sampleKey{
		{"cniVersion", `"1.0.0"`, text}, {"name", text, number}, {"type", `"terway"`, text}, {"capabilities", `{"bandwidth":false}`, text}, {"eniip_virtual_type", `"ipvlan"`, text},
		{"host_stack_cidrs", `["169.254.20.10/32"]`, `["x"]`}, {"disable_host_peer", boolean, text}, {"vlan_strip_type", `"vlan"`, text}, {"mtu", `8500`, text}, {"auto_mtu", boolean, text},
		{"bandwidth_mode", `"edt"`, number}, {"enable_network_priority", boolean, text}, {"symmetric_routing", `false`, text}, {"symmetric_routing_config", `{"mark":"0x20"}`, text},
		{"network_policy_provider", `"ebpf"`, number}, {"cilium_args", text, ""}, {"cilium_enable_hubble", `"true"`, ""}, {"cilium_hubble_metrics", text, ""},
		{"cilium_hubble_listen_address", text, ""}, {"cilium_hubble_metrics_server", text, ""}, {"debug", boolean, text}, {"veth_prefix", text, number}, {"runtimeConfig", `{"dns":{}}`, text},
	}
	for _, k := range eni {
		k.hold(t, "eni_conf.", func(text string) (any, []Warning, error) { return anyOf(ParseENI([]byte(text))) })
	}
	for _, k := range cni {
		k.hold(t, "10-terway.conf.", func(text string) (any, []Warning, error) { return anyOf(ParseCNI([]byte(text))) })
	}
}

func anyOf[T any](c T, warnings []Warning, err error) (any, []Warning, error) {
	return c, warnings, err
}

func (k sampleKey) hold(t *testing.T, path string, parse func(string) (any, []Warning, error)) {
	t.Helper()
	with := func(value string) string { return fmt.Sprintf(`{%q: %s}`, k.key, value) }
	usual, _, err := parse(`{}`)
	got, warnings, errGood := parse(with(k.value))
	alone := strings.HasPrefix(k.key, "access_") || k.key == "type" // one half of a key; the only value there is
	named := slices.ContainsFunc(warnings, func(w Warning) bool {
		return strings.HasPrefix(w.Path, path+k.key) && !strings.Contains(w.Text, "unknown key")
	})
	if errors.Join(err, errGood) != nil && !alone {
		t.Errorf("%s = %s: %v", k.key, k.value, errGood)
	}
	if !named && !alone && reflect.DeepEqual(usual, got) {
		t.Errorf("%s = %s is dropped in silence", k.key, k.value)
	}
	if k.wrong == "" {
		return
	}
	if _, _, err := parse(with(k.wrong)); err == nil || !strings.Contains(err.Error(), path+k.key) || !strings.Contains(err.Error(), ": ") {
		t.Errorf("%s = %s: %v, want a problem at %s%s", k.key, k.wrong, err, path, k.key)
	}
}
