package addon

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/testkit"
)

func facts(nodes ...Node) Facts {
	return Facts{
		Cluster: cloud.Cluster{
			ID: "c0123", VPCID: "vpc-1", NodeVSwitches: []string{"vsw-nodes-i"}, PodVSwitches: []string{"vsw-pods-j", "vsw-pods-i", "vsw-more-i"},
			SecurityGroupID: "sg-1", ServiceCIDR: netip.MustParsePrefix("10.96.0.0/16"),
		},
		VSwitches: []cloud.VSwitch{
			{ID: "vsw-more-i", ZoneID: "cn-hangzhou-i", CIDR: netip.MustParsePrefix("10.0.17.0/24")},
			{ID: "vsw-pods-i", ZoneID: "cn-hangzhou-i", CIDR: netip.MustParsePrefix("10.0.16.0/24")},
			{ID: "vsw-pods-j", ZoneID: "cn-hangzhou-j", CIDR: netip.MustParsePrefix("10.0.32.0/24")},
		},
		Nodes: nodes,
	}
}

const filled = `{
  "version": "1",
  "max_pool_size": 5,
  "min_pool_size": 0,
  "vswitches": {"cn-hangzhou-i":["vsw-pods-i","vsw-more-i"],"cn-hangzhou-j":["vsw-pods-j"]},
  "eni_tags": {"ack.aliyun.com":"c0123"},
  "service_cidr": "10.96.0.0/16",
  "security_group": "sg-1",
  "access_key": "",
  "access_secret": "",
  "vswitch_selection_policy": "ordered"
}
`

func TestENIConf(t *testing.T) {
	document := `{
   "version": "1",
   "max_pool_size": 5,
   "min_pool_size": 0,
   "vswitches": {"AZoneID":["VswitchId"]},
   "eni_tags": {"ack.aliyun.com":"{{.ClusterId}}"},
   "service_cidr": "{{.ServiceCIDR}}",
   "security_group": "{{.SecurityGroupId}}",
   "access_key": "",
   "access_secret": "",
   "vswitch_selection_policy": "ordered"
  }`
	edited := strings.Replace(filled, `"max_pool_size": 5`, `"max_pool_size":   25`, 1)
	withKey := strings.Replace(strings.Replace(filled, `"access_key": ""`, `"access_key": "LTAI-old"`, 1), `"access_secret": ""`, `"access_secret": "hunter2"`, 1)
	foreign := strings.Replace(filled, "c0123", "c9999", 1)
	tests := []struct {
		name     string
		existing string
		sets     map[string]string
		want     string
		warn     []string // a part of each warning
	}{
		{"first install", "", nil, filled, nil},
		{"second install", filled, nil, filled, nil},
		{"an edit is kept, to the blank", edited, nil, edited, nil},
		{"the document's example is filled in", document, nil, filled, nil},
		{"set wins over what is there", filled, map[string]string{"max_pool_size": "10", "vswitch_selection_policy": "random"},
			strings.Replace(strings.Replace(filled, ": 5", ": 10", 1), "ordered", "random", 1), nil},
		{"set of an object", filled, map[string]string{"vswitches": `{"cn-hangzhou-i":["vsw-x"]}`},
			strings.Replace(filled, `{"cn-hangzhou-i":["vsw-pods-i","vsw-more-i"],"cn-hangzhou-j":["vsw-pods-j"]}`, `{"cn-hangzhou-i":["vsw-x"]}`, 1), nil},
		{"a key that people put there is kept, with a warning", withKey, nil, withKey, []string{"holds an AccessKey"}},
		{"tags without the cluster", strings.Replace(filled, "ack.aliyun.com", "team", 1), nil, strings.Replace(filled, "ack.aliyun.com", "team", 1), []string{"will leave them behind"}},
		{"a set tag of this cluster heals a foreign one", foreign, map[string]string{"eni_tags": `{"ack.aliyun.com":"c0123"}`}, filled, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, warnings, err := ENIConf(tt.existing, facts(), tt.sets)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if len(warnings) != len(tt.warn) {
				t.Fatalf("want %d warnings, got %q", len(tt.warn), warnings)
			}
			for i, part := range tt.warn {
				if !strings.Contains(warnings[i], part) || strings.Contains(warnings[i], "hunter2") {
					t.Errorf("warning %q lacks %q, or holds the secret", warnings[i], part)
				}
			}
		})
	}
}

func TestENIConfRefuses(t *testing.T) {
	bare := facts()
	bare.Cluster.ServiceCIDR = netip.Prefix{}
	noGroup := facts()
	noGroup.Cluster.SecurityGroupID = ""
	tests := []struct {
		name     string
		existing string
		facts    Facts
		sets     map[string]string
		want     []string
	}{
		{"not JSON", "{\n  \"version\": \"1\",\n  \"max_pool_size\": five\n}", facts(), nil, []string{"eni_conf:3:21", "kubectl -n kube-system edit configmap eni-config", "--reset-config"}},
		{"a list", "[1]", facts(), nil, []string{"eni_conf", "object"}},
		{"text after it", filled + "x", facts(), nil, []string{"eni_conf:", "--reset-config"}},
		{"a wrong value", strings.Replace(filled, ": 5", `: "five"`, 1), facts(), nil, []string{"eni_conf.max_pool_size"}},
		{"a key on the command line", "", facts(), map[string]string{"access_secret": "hunter2"}, []string{"no AccessKey into a ConfigMap", "ram-user grant"}},
		{"no Service CIDR", "", bare, nil, []string{"no Service CIDR", "--set service_cidr="}},
		{"no security group", "", noGroup, nil, []string{"no security group", "vpc-1", "--set security_group="}},
		{"another cluster's", strings.Replace(filled, "c0123", "c9999", 1), facts(), nil, []string{"c9999, not c0123", "--kubeconfig"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := ENIConf(tt.existing, tt.facts, tt.sets)
			if err == nil {
				t.Fatal("want an error")
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in: %v", part, err)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error holds the secret: %v", err)
			}
		})
	}
}

func TestENIConfWarnsOfAZoneWithoutVSwitch(t *testing.T) {
	_, warnings, err := ENIConf("", facts(
		Node{Name: "cn-hangzhou.10.0.3.1", Cloud: true, Zone: "cn-hangzhou-k"},
		Node{Name: "cn-hangzhou.10.0.3.2", Cloud: true, Zone: "cn-hangzhou-k"},
		Node{Name: "cn-hangzhou.10.0.1.1", Cloud: true, Zone: "cn-hangzhou-i"},
		Node{Name: "dc-1", Zone: "rack-7"},
	), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 1 {
		t.Fatalf("want one warning, got %q", warnings)
	}
	for _, part := range []string{"zone cn-hangzhou-k", "cn-hangzhou.10.0.3.1 and 1 more", "--set 'vswitches="} {
		if !strings.Contains(warnings[0], part) {
			t.Errorf("%q is not in: %s", part, warnings[0])
		}
	}
}

func TestCheckRefusesOverlaps(t *testing.T) {
	services := facts()
	services.Cluster.ServiceCIDR = netip.MustParsePrefix("10.0.0.0/16")
	tests := []struct {
		name  string
		facts Facts
		want  string
	}{
		{"nothing overlaps", facts(Node{Name: "dc-1", PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.244.0.0/24")}, Addresses: []netip.Addr{netip.MustParseAddr("10.20.0.2")}}), ""},
		{"a cloud node's pod CIDR is not in use", facts(Node{Name: "cloud", Cloud: true, PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.16.0/24")}}), ""},
		{"Services", services, "overlaps the Service CIDR 10.0.0.0/16"},
		{"on-premises pods", facts(Node{Name: "dc-1", PodCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/17")}}), "pod CIDR 10.0.0.0/17 of on-premises node dc-1"},
		{"an on-premises node", facts(Node{Name: "dc-1", Addresses: []netip.Addr{netip.MustParseAddr("10.0.32.9")}}), "holds the address 10.0.32.9 of on-premises node dc-1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.facts.Check()
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("want %q, got %v", tt.want, err)
			}
		})
	}
}

func TestMaskedHidesTheKeyAndNothingElse(t *testing.T) {
	if diff := cmp.Diff(filled, Masked(filled)); diff != "" {
		t.Error(diff)
	}
	got := Masked(`{"access_key":"LTAI-old","access_secret":"hunter2","max_pool_size":5}`)
	if diff := cmp.Diff("{\n  \"access_key\": \"***\",\n  \"access_secret\": \"***\",\n  \"max_pool_size\": 5\n}\n", got); diff != "" {
		t.Error(diff)
	}
}

func print(t *testing.T, objects ...*unstructured.Unstructured) string {
	t.Helper()
	var parts []string
	for _, o := range objects {
		text, err := yaml.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, string(text))
	}
	return strings.Join(parts, "---\n")
}

func TestRender(t *testing.T) {
	objects, err := Render(Terway, Values{Version: "v0.1.0+774dea0", ENIConf: filled, CNIConf: "{}\n", NodeCloudEndpoint: "http://100.100.0.80"})
	if err != nil {
		t.Fatal(err)
	}
	testkit.Golden(t, "testdata/terway-eniip.golden", print(t, objects...))
	uninstall, err := RenderUninstall(Terway, "docker.io/onectl/terway:v9")
	if err != nil {
		t.Fatal(err)
	}
	testkit.Golden(t, "testdata/terway-eniip-uninstall.golden", print(t, uninstall))
}

func TestRenderChangesThePodTemplateWithTheConfiguration(t *testing.T) {
	annotation := func(conf string) string {
		objects, err := Render(Terway, Values{Version: "v1", ENIConf: conf})
		if err != nil {
			t.Fatal(err)
		}
		set := objects[len(objects)-1]
		value, _, _ := unstructured.NestedString(set.Object, "spec", "template", "metadata", "annotations", configAnnotation)
		return value
	}
	first, again := annotation(filled), annotation(filled)
	if empty := annotation("{}"); empty == first || first != again || empty == "" {
		t.Error("the annotation must follow the configuration, and nothing else")
	}
}

func TestFindSuggests(t *testing.T) {
	tests := []struct{ name, want string }{
		{"terway", `did you mean "terway-eniip"?`},
		{"terway-enip", `did you mean "terway-eniip"?`},
		{"Terway-ENIIP", `did you mean "terway-eniip"?`},
		{"logtail", `did you mean "logtail-ds"?`},
		{"nginx-ingress-controller", `"onectl addon list" shows all`},
		{"", `"onectl addon list" shows all`},
	}
	for _, tt := range tests {
		_, err := Find(tt.name)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Find(%q): %v", tt.name, err)
		}
	}
	if got, err := Find(Terway); err != nil || !got.Bundled {
		t.Errorf("Find(terway-eniip) = %v, %v", got, err)
	}
}
