package preflight

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/cbn"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ram"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/vpc"
)

// requests is the API actions that fixes call, as the SDK has them: what the aliyun command takes as flags.
func requests() map[string]any {
	return map[string]any{
		"cbn AttachCenChildInstance":          cbn.AttachCenChildInstanceRequest{},
		"ecs AuthorizeSecurityGroup":          ecs.AuthorizeSecurityGroupRequest{},
		"ecs AuthorizeSecurityGroupEgress":    ecs.AuthorizeSecurityGroupEgressRequest{},
		"ecs CreateSecurityGroup":             ecs.CreateSecurityGroupRequest{},
		"ecs DeleteNetworkInterface":          ecs.DeleteNetworkInterfaceRequest{},
		"ecs DetachNetworkInterface":          ecs.DetachNetworkInterfaceRequest{},
		"ecs ModifyNetworkInterfaceAttribute": ecs.ModifyNetworkInterfaceAttributeRequest{},
		"ecs RevokeSecurityGroup":             ecs.RevokeSecurityGroupRequest{},
		"ecs RevokeSecurityGroupEgress":       ecs.RevokeSecurityGroupEgressRequest{},
		"ecs StartInstance":                   ecs.StartInstanceRequest{},
		"ram AttachPolicyToUser":              ram.AttachPolicyToUserRequest{},
		"ram DetachPolicyFromUser":            ram.DetachPolicyFromUserRequest{},
		"ram RemoveUserFromGroup":             ram.RemoveUserFromGroupRequest{},
		"vpc AddBgpNetwork":                   vpc.AddBgpNetworkRequest{},
		"vpc CreateBgpPeer":                   vpc.CreateBgpPeerRequest{},
		"vpc CreateRouteEntry":                vpc.CreateRouteEntryRequest{},
		"vpc CreateVSwitch":                   vpc.CreateVSwitchRequest{},
		"vpc CreateVirtualBorderRouter":       vpc.CreateVirtualBorderRouterRequest{},
		"vpc DeleteBgpPeer":                   vpc.DeleteBgpPeerRequest{},
		"vpc DeleteRouteEntry":                vpc.DeleteRouteEntryRequest{},
		"vpc ModifyBgpGroupAttribute":         vpc.ModifyBgpGroupAttributeRequest{},
		"vpc ModifyBgpPeerAttribute":          vpc.ModifyBgpPeerAttributeRequest{},
		"vpc RecoverVirtualBorderRouter":      vpc.RecoverVirtualBorderRouterRequest{},
	}
}

// beyondReach is the checks that one of our commands cannot mend, and where it is mended: their fix is a sentence.
func beyondReach() map[string]string {
	return map[string]string{
		"bgp-established": "the data centre's router", "bgp-route-quota": "the data centre's router", "pod-cidr-learned": "the data centre's router",
		"pod-cidr-summarised": "the data centre's router", "route-symmetry": "the data centre's routers", "route-table-quota": "a choice of routes",
		"mtu-pods": "the network plugin's own configuration", "mtu-overlay": "the network plugin's own configuration",
		"agent-version": "the platform's page of add-ons", "cloud-nodes": "the node pool", "single-cni": "a choice of plugin",
		"overlap-services-datacentre-pods": "a plan of addresses", "overlap-services-datacentre-nodes": "a plan of addresses", "overlap-datacentre-pods-nodes": "a plan of addresses",
		"overlap-vpc-datacentre-pods": "a plan of addresses", "overlap-vpc-datacentre-nodes": "a plan of addresses", "overlap-vpc-services": "a plan of addresses",
		"overlap-reserved": "a plan of addresses", "node-kernel": "the node pool's image", "node-bpf": "the node pool's image",
	}
}

func TestEveryFixOfTheCatalogueIsACommandOrSaysWhatItIsNot(t *testing.T) {
	t.Parallel()
	for _, c := range Checks() {
		checkFix(t, c.ID, c.Fix)
	}
	for id := range beyondReach() {
		if _, err := Find(Checks(), id); err != nil {
			t.Errorf("%s is no check", id)
		}
	}
}

// checkFix checks a fix: a command of onectl, kubectl or aliyun whose flags exist, or of a tool on the node or the control
// plane, with what is to be known beside it behind a comma. Only where none reaches may it be a sentence.
func checkFix(t *testing.T, id, fix string) {
	t.Helper()
	command, _, _ := strings.Cut(fix, ", ")
	command = regexp.MustCompile(`^on [^:]+: `).ReplaceAllString(command, "")
	tool, rest, _ := strings.Cut(command, " ")
	var err error
	switch tool {
	case "onectl": // pkg/onectl/cmd parses these
	case "kubectl":
		err = kubectlExists(rest)
	case "aliyun":
		err = aliyunExists(rest)
	case "kubeadm", "systemctl", "sysctl", "chronyc", "timedatectl", "ip", "ln", "rm", "mkdir", "printf", "crictl":
	default:
		if beyondReach()[id] == "" {
			err = fmt.Errorf("it is no command")
		}
	}
	if err != nil {
		t.Errorf("%s: fix %q: %v", id, fix, err)
	}
}

// aliyunExists checks product, action and flags against the SDK. CS is called by path.
func aliyunExists(text string) error {
	words := strings.Fields(text)
	if len(words) >= 3 && words[0] == "cs" && words[1] == "GET" && strings.HasPrefix(words[2], "/") {
		return nil
	}
	if len(words) < 2 {
		return fmt.Errorf("aliyun needs a product and an action")
	}
	request, known := requests()[words[0]+" "+words[1]]
	if !known {
		return fmt.Errorf("aliyun %s %s is not an action that is known here", words[0], words[1])
	}
	fields := []string{"RegionId"}
	kind := reflect.TypeOf(request)
	for i := range kind.NumField() {
		fields = append(fields, kind.Field(i).Tag.Get("name"))
	}
	for _, word := range words[2:] {
		flag, is := strings.CutPrefix(word, "--")
		name, _, _ := strings.Cut(flag, ".")
		if is && !slices.Contains(fields, name) {
			return fmt.Errorf("aliyun %s %s has no --%s", words[0], words[1], name)
		}
	}
	return nil
}

// kubectlExists checks the subcommand and the flags.
func kubectlExists(text string) error {
	takes := map[string][]string{
		"get": {"-o", "-A", "-l", "-L", "--field-selector"}, "describe": nil, "label": {"--overwrite"}, "taint": nil, "annotate": nil, "cordon": nil,
		"drain": {"--ignore-daemonsets"}, "delete": nil, "edit": nil, "rollout": nil, "logs": {"-l", "--tail", "--all-containers"}, "patch": {"--type", "-p"},
		"set": nil, "scale": {"--replicas"}, "apply": {"-f"},
	}
	verb := ""
	for _, word := range strings.Fields(regexp.MustCompile(`'[^']*'`).ReplaceAllString(regexp.MustCompile(` && | \| `).Split(text, 2)[0], "QUOTED")) {
		switch flag, _, _ := strings.Cut(word, "="); {
		case flag == "-n":
		case strings.HasPrefix(flag, "-"):
			if !slices.Contains(takes[verb], flag) {
				return fmt.Errorf("kubectl %s has no %s here", verb, flag)
			}
		case verb == "":
			if _, known := takes[word]; known {
				verb = word
			}
		}
	}
	if verb == "" {
		return fmt.Errorf("no subcommand of kubectl is known here")
	}
	return nil
}
