package gather_test

import (
	"fmt"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/cloud/openapi"
	"github.com/onectl/onectl/pkg/fakecloud"
	"github.com/onectl/onectl/pkg/fakecloud/wire"
	"github.com/onectl/onectl/pkg/onectl/addon"
	"github.com/onectl/onectl/pkg/onectl/kube"
	"github.com/onectl/onectl/pkg/onectl/kube/kubetest"
	"github.com/onectl/onectl/pkg/onectl/preflight"
	"github.com/onectl/onectl/pkg/onectl/preflight/gather"
	"github.com/onectl/onectl/pkg/onectl/ram"
	"sigs.k8s.io/yaml"
)

// site is a hybrid cluster: a Kubernetes API server and a cloud, both over HTTP. Its data centre has Calico by BGP.
type site struct {
	t      *testing.T
	kube   *kubetest.Server
	world  *fakecloud.World
	made   fakecloud.BootstrapResult
	cloud  *httptest.Server
	worker cloud.Instance
	line   cloud.VBR
	peer   cloud.BGPPeer
}

func check[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, kube: kubetest.Start(t), world: fakecloud.New(fakecloud.Options{})}
	t.Cleanup(s.world.Close)
	s.made = check[fakecloud.BootstrapResult](t)(s.world.Bootstrap(fakecloud.BootstrapSpec{
		Region: "cn-hangzhou", VPC: netip.MustParsePrefix("10.0.0.0/16"), ServiceCIDR: netip.MustParsePrefix("10.96.0.0/16"), PodVSwitches: []string{"vsw-pods-i"},
		VSwitches: []fakecloud.VSwitchSpec{
			{ID: "vsw-nodes-i", Zone: "cn-hangzhou-i", CIDR: netip.MustParsePrefix("10.0.1.0/24")}, {ID: "vsw-pods-i", Zone: "cn-hangzhou-i", CIDR: netip.MustParsePrefix("10.0.16.0/24")},
		},
		OperatorPolicies: []string{"AliyunCSFullAccess", "AliyunRAMFullAccess", "AliyunVPCReadOnlyAccess", "AliyunECSReadOnlyAccess", "AliyunCENReadOnlyAccess"},
	}))
	s.cloud = httptest.NewServer(wire.Handler(s.world, wire.Options{}))
	t.Cleanup(s.cloud.Close)
	s.worker, _ = s.instance()
	s.express()
	s.grant()
	s.fill()
	return s
}

func (s *site) instance() (cloud.Instance, cloud.ENI) {
	instance, eni, err := s.world.AddInstance(fakecloud.InstanceSpec{Name: "cloud-1", Type: "ecs.g7.xlarge", VSwitchID: "vsw-nodes-i"})
	must(s.t, err)
	return instance, eni
}

// express is the line between VPC and data centre.
func (s *site) express() {
	s.line = check[cloud.VBR](s.t)(s.world.AddVBR(cloud.VBR{ID: "vbr-1", VLANID: 100}))
	s.peer = check[cloud.BGPPeer](s.t)(s.world.AddBGPPeer(cloud.BGPPeer{VBR: "vbr-1", PeerIP: netip.MustParseAddr("169.254.1.2"), PeerASN: 65001}))
	must(s.t, s.world.SetBGPPeerStatus(s.peer.ID, cloud.BGPEstablished))
	must(s.t, s.world.AddBGPNetwork(cloud.BGPNetwork{VBR: "vbr-1", VPC: s.made.VPC.ID, CIDR: netip.MustParsePrefix("10.0.0.0/16")}))
	must(s.t, s.world.AddCENAttachment(cloud.CENAttachment{CEN: "cen-1", Child: "vbr-1", ChildType: "VBR"}))
	must(s.t, s.world.AddCENAttachment(cloud.CENAttachment{CEN: "cen-1", Child: s.made.VPC.ID, ChildType: "VPC"}))
}

// grant is what "onectl ram-user grant" leaves, with an ENI that Terway made since.
func (s *site) grant() {
	root, ctx, user := s.world.Session(s.made.AccountKey), s.t.Context(), "ack-one-user-1"
	check[cloud.User](s.t)(root.CreateUser(ctx, cloud.User{Name: user}))
	document, _ := ram.Document(addon.Terway)
	must(s.t, root.CreatePolicy(ctx, cloud.Policy{Name: ram.PolicyName(addon.Terway), Document: document}))
	must(s.t, root.AttachPolicyToUser(ctx, "Custom", ram.PolicyName(addon.Terway), user))
	key := check[cloud.AccessKey](s.t)(root.CreateAccessKey(ctx, user))
	s.secret(key.ID, key.Secret.Reveal())
	check[cloud.ENI](s.t)(root.CreateENI(ctx, cloud.ENISpec{
		VSwitchID: "vsw-pods-i", SecurityGroups: []string{s.made.SecurityGroup.ID}, Tags: map[string]string{"creator": "terway", addon.ClusterTag: s.made.Cluster.ID},
	}))
}

func (s *site) secret(id, secret string) {
	text := check[[]byte](s.t)(yaml.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"namespace": "kube-system", "name": ram.SecretName},
		"data": map[string]any{ram.SecretKeyID: []byte(id), ram.SecretKeySecret: []byte(secret)},
	}))
	s.kube.Put(s.t, string(text))
}

// fill is the Kubernetes side: two nodes, Calico, kube-proxy, CoreDNS, the agent, Terway, and some pods.
func (s *site) fill() {
	s.kube.Put(s.t, strings.ReplaceAll(fixture, "INSTANCE", s.worker.ID))
	objects := check[[]string](s.t)(s.terway())
	s.kube.Put(s.t, strings.Join(objects, "\n---\n"))
}

func (s *site) terway() (texts []string, err error) {
	conf, _, err := addon.ENIConf("", addon.Facts{Cluster: s.made.Cluster, VSwitches: s.made.VSwitches}, nil)
	if err != nil {
		return nil, err
	}
	objects, err := addon.Render(addon.Terway, addon.Values{Version: "v0.1.0", ENIConf: conf, CNIConf: `{"cniVersion":"0.3.0","name":"terway","type":"terway"}`})
	for _, o := range objects {
		text, err := yaml.Marshal(o.Object)
		if err != nil {
			return nil, err
		}
		texts = append(texts, string(text))
	}
	return texts, err
}

func (s *site) openAs(key cloud.AccessKey) (gather.Cloud, error) {
	return openapi.New(openapi.Options{Key: key, Region: "cn-hangzhou", Endpoint: s.cloud.URL})
}

// options are what onectl's main wires.
func (s *site) options() gather.Options {
	k := check[*kube.Client](s.t)(kube.Open(kube.Options{Kubeconfig: []string{s.kube.Kubeconfig(s.t)}, From: "--kubeconfig", Poll: time.Millisecond}))
	c := check[gather.Cloud](s.t)(s.openAs(s.made.Key))
	return gather.Options{Kube: k, Cloud: c, CloudAs: s.openAs, Timeout: 20 * time.Second}
}

func (s *site) gather(o gather.Options) preflight.Facts {
	s.t.Helper()
	return check[preflight.Facts](s.t)(gather.New(o).Gather(s.t.Context(), preflight.GatherOptions{Phase: preflight.Post}))
}

// pods is YAML of running pods of a workload.
func pods(name, node, owner, hash string, count int) string {
	var all []string
	for i := range count {
		all = append(all, fmt.Sprintf(`apiVersion: v1
kind: Pod
metadata:
  namespace: default
  name: %s-%d
  labels: {pod-template-hash: %s}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: %s, uid: u, controller: true}]
spec: {nodeName: %s}
status: {phase: Running}`, name, i, hash, owner, node))
	}
	return strings.Join(all, "\n---\n")
}
