package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/onectl/onectl/pkg/fakecloud"
	"github.com/onectl/onectl/pkg/fakecloud/wire"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// withCloud does something with the simulator's control side.
func withCloud(do func(context.Context, *wire.ControlClient) error) func(*story, *testing.T) {
	return func(s *story, t *testing.T) {
		t.Helper()
		must(t, do(t.Context(), s.lab.Cloud()))
	}
}

// onNode runs a line in the shell of a node, which is named without the lab's name.
func onNode(node, line string) func(*story, *testing.T) {
	return func(s *story, t *testing.T) {
		t.Helper()
		if out, err := s.lab.Output(t.Context(), s.lab.Name+"-"+node, "sh", "-c", line); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
}

// patch is a JSON patch of an object in kube-system.
func (s *story) patch(t *testing.T, object, patch string) {
	t.Helper()
	s.kubectl(t, "-n", "kube-system", "patch", object, "--type=json", "-p", patch)
}

// drop puts a rule before all others of the security group; direction is "" or "Egress", ports "8000/8999".
func (s *story) drop(t *testing.T, direction, protocol, ports, cidr string) {
	t.Helper()
	end := "SourceCidrIp"
	if direction == "Egress" {
		end = "DestCidrIp"
	}
	s.aliyun(t, fmt.Sprintf("ecs AuthorizeSecurityGroup%s --SecurityGroupId %s --IpProtocol %s --PortRange %s --%s %s --Policy drop --Priority 1",
		direction, groupOfLab, protocol, ports, end, cidr))
}

func (s *story) speakOnlyOn(t *testing.T, node string) {
	s.kubectl(t, "-n", "kube-system", "patch", "ds/calico-node", "-p", `{"spec":{"template":{"spec":{"nodeSelector":{"kubernetes.io/hostname":"`+node+`"}}}}}`)
}

func (s *story) speakEverywhere(t *testing.T) {
	s.patch(t, "ds/calico-node", `[{"op":"remove","path":"/spec/template/spec/nodeSelector/kubernetes.io~1hostname"}]`)
}

func (s *story) calicoPool(t *testing.T, cidr string) {
	s.kubectl(t, "-n", "kube-system", "set", "env", "ds/calico-node", "CALICO_IPV4POOL_CIDR="+cidr)
	s.kubectl(t, "-n", "kube-system", "rollout", "status", "ds/calico-node", withPatience)
}

// unpullable has Flannel's image in a registry that a cloud node reaches and that is not there: the data centre's router.
func (s *story) unpullable(t *testing.T) {
	s.kubectl(t, "-n", "kube-flannel", "patch", "ds/kube-flannel-ds", "-p",
		`{"spec":{"template":{"spec":{"containers":[{"name":"kube-flannel","image":"10.20.0.1:5000/flannel:absent","imagePullPolicy":"IfNotPresent"}]}}}}`)
	s.kubectl(t, "-n", "kube-flannel", "delete", "pod", "--field-selector=spec.nodeName="+s.cloudNodes(t)[0], "--wait=false")
}

// disableKey disables the AccessKey in the Secret.
func (s *story) disableKey(t *testing.T) {
	t.Helper()
	id := s.kubectl(t, "-n", "kube-system", "get", "secret", "alibaba-addon-secret", "-o", `go-template={{index .data "access-key-id" | base64decode}}`)
	summary, err := s.lab.Cloud().Summary(t.Context())
	must(t, err)
	for _, user := range summary.Users {
		if slices.ContainsFunc(user.Keys, func(k fakecloud.KeyView) bool { return k.ID == id }) {
			s.aliyun(t, fmt.Sprintf("ram UpdateAccessKey --UserName %s --UserAccessKeyId %s --Status Inactive", user.Name, id))
			return
		}
	}
	t.Fatalf("no RAM user has the AccessKey of the Secret")
}

// takeRight takes one action out of the add-on's policy, as somebody in the console would.
func (s *story) takeRight(t *testing.T) {
	t.Helper()
	client := s.account(t)
	defer client.Close()
	granted, err := client.GetPolicy(t.Context(), addonPolicy)
	must(t, err)
	without := strings.Replace(granted.Document, `"`+deniedAction+`",`, "", 1)
	if without == granted.Document {
		t.Fatalf("the policy does not list %s: %s", deniedAction, granted.Document)
	}
	must(t, client.SetPolicyDocument(t.Context(), addonPolicy, without))
}

// setInstance sets what the cloud says of the cloud node's instance. The node's own processes run on.
func (s *story) setInstance(t *testing.T, status string) {
	t.Helper()
	facts, err := s.lab.Facts()
	must(t, err)
	must(t, s.lab.Cloud().SetInstanceStatus(t.Context(), facts.Nodes[s.cloudNodes(t)[0]].Instance, status))
}
