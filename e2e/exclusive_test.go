package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/onectl/onectl/e2e/lab"
)

// ownENIs has a node give each pod an ENI of its own. It is labelled while its daemon runs, as docs/user-guide.md says.
func (s *story) ownENIs(t *testing.T) {
	node, err := s.lab.AddCloudNode(t.Context(), lab.NodeSpec{})
	if err != nil {
		t.Fatal(err)
	}
	s.kubectl(t, "wait", "--for=condition=Ready", "node/"+node.Name, withPatience)
	s.kubectl(t, "label", "node", node.Name, "k8s.aliyun.com/exclusive-mode-eni-type=eniOnly")
	eventually(t, func() string {
		said, err := s.onDaemon(t, node.Name, "terwayd", "status")
		if err != nil || !strings.Contains(said, "exclusive ENIs") {
			return fmt.Sprintf("terwayd on %s: %s%v", node.Name, said, err)
		}
		return ""
	})
	s.apply(t, deploymentOn(`k8s.aliyun.com/exclusive-mode-eni-type: eniOnly`, "own", 3, map[string]string{
		"kubernetes.io/ingress-bandwidth": "80M", "kubernetes.io/egress-bandwidth": "80M",
	}))
	s.kubectl(t, "rollout", "status", "deploy/own", withPatience)
	s.eachHasItsENI(t, node)
	s.ownPodsReach(t)
	if qdiscs, err := s.lab.Output(t.Context(), node.Name, "tc", "qdisc"); err != nil || strings.Count(qdiscs, "rate 80Mbit") != 3 {
		t.Errorf("the annotations of the pods are not their limits: %v\n%s", err, qdiscs)
	}
	for _, pod := range s.pods(t, "own") {
		if said, err := s.onDaemon(t, node.Name, "terwayd", "explain", "default/"+pod); err != nil {
			t.Errorf("terwayd explain default/%s: %v\n%s", pod, err, said)
		}
	}
	s.kubectl(t, "cordon", node.Name) // what comes next is about the other nodes
	s.kubectl(t, "delete", "deploy/own", "--wait")
}

// onDaemon runs a command in the node's terway-eniip pod.
func (s *story) onDaemon(t *testing.T, node string, words ...string) (string, error) {
	t.Helper()
	pod := s.kubectl(t, "-n", "kube-system", "get", "pods", "-l", "app=terway-eniip", "--field-selector=spec.nodeName="+node, "-o", "jsonpath={.items[*].metadata.name}")
	return s.lab.Kubectl(t.Context(), nil, append([]string{"-n", "kube-system", "exec", pod, "-c", "terway", "--"}, words...)...)
}

// eachHasItsENI compares the pods' addresses with those of the node's ENIs in the cloud.
func (s *story) eachHasItsENI(t *testing.T, node *lab.Node) {
	t.Helper()
	var want, got []string
	for ip := range s.podIPs(t, "own") {
		want = append(want, "["+ip+"]")
	}
	for _, eni := range s.enis(t) {
		if eni.Instance == node.Instance {
			got = append(got, fmt.Sprint(eni.IPv4))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		t.Errorf("pods have %v, the node's ENIs %v", want, got)
	}
}

// ownPodsReach asks, from each of the pods and the other way round, under the pods' own addresses but for what passes the host.
func (s *story) ownPodsReach(t *testing.T) {
	t.Helper()
	far := s.kubectl(t, "get", "pod", "datacentre", "-o", "jsonpath={.status.podIP}")
	shared := s.kubectl(t, "get", "pod", s.pods(t, "hello")[0], "-o", "jsonpath={.status.podIP}")
	for ip := range s.podIPs(t, "own") {
		for _, from := range []string{"datacentre", s.pods(t, "hello")[0]} {
			s.kubectl(t, "exec", from, "--", "/probe", "get", "http://"+ip+":8080")
		}
	}
	for _, pod := range s.pods(t, "own") {
		own := s.kubectl(t, "get", "pod", pod, "-o", "jsonpath={.status.podIP}")
		for _, ip := range []string{far, shared} {
			if out := s.kubectl(t, "exec", pod, "--", "/probe", "get", "http://"+ip+":8080"); !strings.HasSuffix(out, " "+own) {
				t.Errorf("%s is seen as %q, want %s", pod, out, own)
			}
		}
		s.reaches(t, pod, "http://hello.default.svc.cluster.local")
	}
}
