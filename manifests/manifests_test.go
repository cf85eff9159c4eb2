package manifests

import (
	"os"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/yaml"
)

// TestOwnNodePolicyIsOne reads the policy as the API server would: strictly. What its expressions do is the API server's.
func TestOwnNodePolicyIsOne(t *testing.T) {
	text, err := os.ReadFile("own-node/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(text), "\n---\n")
	if len(parts) != 2 {
		t.Fatalf("%d documents", len(parts))
	}
	var policy admissionv1.ValidatingAdmissionPolicy
	var binding admissionv1.ValidatingAdmissionPolicyBinding
	for i, into := range []any{&policy, &binding} {
		if err := yaml.UnmarshalStrict([]byte(parts[i]), into); err != nil {
			t.Fatal(err)
		}
	}
	if binding.Spec.PolicyName != policy.Name || policy.Kind != "ValidatingAdmissionPolicy" || len(policy.Spec.Validations) != 3 {
		t.Errorf("policy %+v, binding %+v", policy, binding)
	}
	if user := "system:serviceaccount:kube-system:terway"; !strings.Contains(policy.Spec.MatchConditions[0].Expression, user) {
		t.Errorf("the policy is not about %s", user)
	}
}
