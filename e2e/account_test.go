package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/cloud/openapi"
)

// account is a client with the account's own key, which RAM does not restrict: what somebody else in the company does.
func (s *story) account(t *testing.T) *openapi.Client {
	t.Helper()
	facts, err := s.lab.Facts()
	if err != nil {
		t.Fatal(err)
	}
	client, err := openapi.New(openapi.Options{
		Key:    cloud.AccessKey{ID: facts.AccountKeyID, Secret: cloud.NewSecret(facts.AccountKeySecret)},
		Region: facts.Region, Endpoint: facts.Endpoint,
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// fill takes every free address of a vSwitch, as another team's ENIs would, and returns how to give them back.
func (s *story) fill(t *testing.T, vswitch string) (release func()) {
	t.Helper()
	client := s.account(t)
	groups, err := client.DescribeSecurityGroups(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var made []string
	for {
		vswitches, err := client.DescribeVSwitches(t.Context(), []string{vswitch}, "")
		if err != nil {
			t.Fatal(err)
		}
		free := vswitches[0].Free
		if free == 0 {
			break
		}
		eni, err := client.CreateENI(t.Context(), cloud.ENISpec{
			VSwitchID: vswitch, SecurityGroups: []string{groups[0].ID}, SecondaryIPv4: min(free, 50) - 1, Name: "another-team",
		})
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, eni.ID)
	}
	return func() {
		for _, id := range made {
			if err := client.DeleteENI(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// The add-on's policy, and the action of it that stories take away.
const (
	addonPolicy  = "ack-one-registered-cluster-policy-terway-eniip"
	deniedAction = "ecs:CreateNetworkInterface"
)

// denied takes one action out of the policy: a pod then waits with an event that names the action. Granting again puts the
// policy right, and the pod starts.
func (s *story) denied(t *testing.T) {
	client := s.account(t)
	defer client.Close()
	granted, err := client.GetPolicy(t.Context(), addonPolicy)
	must(t, err)
	s.takeRight(t)
	s.apply(t, deployment("denied", 1))
	eventually(t, func() string {
		events := s.kubectl(t, "get", "events", "--field-selector=reason=AllocIPFailed", "-o", "jsonpath={.items[*].message}")
		if !strings.Contains(events, deniedAction) {
			return fmt.Sprintf("no event names %s; events: %s", deniedAction, events)
		}
		return ""
	})
	s.mustOnectl(t, "ram-user", "grant", "--addon", "terway-eniip")
	healed, err := client.GetPolicy(t.Context(), addonPolicy)
	must(t, err)
	if healed.Document != granted.Document {
		t.Errorf("after granting again the policy is %s, want %s", healed.Document, granted.Document)
	}
	s.kubectl(t, "rollout", "status", "deploy/denied", withPatience)
	s.kubectl(t, "delete", "deploy/denied", "--wait")
}
