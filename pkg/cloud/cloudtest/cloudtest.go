// Package cloudtest is the conformance suite of the cloud: what every implementation of its API must do. It runs on the
// simulator's state directly and on the OpenAPI client over HTTP, so that the two cannot drift apart, and a caller that
// was tested on one works on the other.
package cloudtest

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"github.com/onectl/onectl/pkg/cloud"
)

// API is the cloud as one AccessKey sees it. Every error is a *cloud.Error.
type API interface {
	CreateENI(ctx context.Context, spec cloud.ENISpec) (cloud.ENI, error)
	DescribeENIs(ctx context.Context, filter cloud.ENIFilter) ([]cloud.ENI, error) // every page, sorted by ID
	AttachENI(ctx context.Context, eniID, instanceID string) error
	DetachENI(ctx context.Context, eniID, instanceID string) error
	DeleteENI(ctx context.Context, eniID string) error
	ModifyENI(ctx context.Context, eniID string, securityGroups []string) error
	AssignIPv4(ctx context.Context, eniID string, count int, clientToken string) ([]netip.Addr, error)
	UnassignIPv4(ctx context.Context, eniID string, addrs []netip.Addr) error
	AssignPrefixes(ctx context.Context, eniID string, count int, clientToken string) ([]netip.Prefix, error)
	UnassignPrefixes(ctx context.Context, eniID string, prefixes []netip.Prefix) error

	DescribeVSwitches(ctx context.Context, ids []string, vpcID string) ([]cloud.VSwitch, error)
	DescribeVPCs(ctx context.Context, ids []string) ([]cloud.VPC, error)
	DescribeInstance(ctx context.Context, id string) (cloud.Instance, error)
	DescribeInstances(ctx context.Context, ids []string) ([]cloud.Instance, error) // empty when denied
	DescribeInstanceTypes(ctx context.Context, ids []string) ([]cloud.InstanceType, error)
	DescribeSecurityGroups(ctx context.Context, vpcID string) ([]cloud.SecurityGroup, error)

	DescribeSecurityRules(ctx context.Context, group string) ([]cloud.SecurityRule, error)   // in the order they decide
	DescribeRouteTables(ctx context.Context, vpcID string) ([]cloud.RouteTable, error)       // "": VBRs' tables, too
	DescribeVBRs(ctx context.Context) ([]cloud.VBR, error)                                   // sorted by ID
	DescribeBGPPeers(ctx context.Context, vbrID string) ([]cloud.BGPPeer, error)             // "": of all VBRs
	DescribeBGPNetworks(ctx context.Context, vbrID string) ([]cloud.BGPNetwork, error)       // "": of all VBRs
	DescribeCENAttachments(ctx context.Context, cenID string) ([]cloud.CENAttachment, error) // "": of all instances

	CallerIdentity(ctx context.Context) (cloud.Identity, error)
	GetUser(ctx context.Context, name string) (cloud.User, error)
	CreateUser(ctx context.Context, user cloud.User) (cloud.User, error)
	DeleteUser(ctx context.Context, name string) error
	ListAccessKeys(ctx context.Context, user string) ([]string, error)
	CreateAccessKey(ctx context.Context, user string) (cloud.AccessKey, error)
	DeleteAccessKey(ctx context.Context, user, keyID string) error
	GetPolicy(ctx context.Context, name string) (cloud.Policy, error)
	CreatePolicy(ctx context.Context, policy cloud.Policy) error
	SetPolicyDocument(ctx context.Context, name, document string) error
	DeletePolicy(ctx context.Context, name string) error
	AttachPolicyToUser(ctx context.Context, policyType, policy, user string) error
	DetachPolicyFromUser(ctx context.Context, policyType, policy, user string) error
	ListPoliciesForUser(ctx context.Context, user string) ([]cloud.Policy, error)
	ListGroupsForUser(ctx context.Context, user string) ([]string, error) // names, sorted
	ListPoliciesForGroup(ctx context.Context, group string) ([]cloud.Policy, error)

	DescribeCluster(ctx context.Context, id string) (cloud.Cluster, error)
	ListClusters(ctx context.Context) ([]cloud.Cluster, error)
}

// Fixture is a fresh cloud for one test.
type Fixture struct {
	Account  API // the account's own key, which may do everything
	Operator API // a RAM user with AliyunCSFullAccess, AliyunRAMFullAccess and AliyunVPCReadOnlyAccess

	As      func(key cloud.AccessKey) API // the cloud as another key sees it
	Join    func(group, user string)      // makes a user a member of a RAM group, which is made when there is none
	Leave   func(group, user string)      // ends that
	Give    func(group, policy string)    // attaches a Custom policy to a RAM group
	Disable func(user, keyID string)      // makes a key of a user Inactive
	Settle  func()                        // lets time pass until every transition has ended; none ends before

	Region         string
	VPC            cloud.VPC
	Wide           string         // a vSwitch with room for Quota ENIs
	Narrow         string         // a /29 vSwitch in Wide's zone, with nothing in it
	Far            string         // a vSwitch in another zone
	Small          string         // a /26 vSwitch in Wide's zone, with nothing in it: 60 addresses, two whole /28 among them
	Dual           string         // a vSwitch in Wide's zone that has IPv6; the others have none
	SecurityGroups []string       // two in the VPC, of type normal
	Enterprise     string         // a third one, of type enterprise, without rules
	Instance       cloud.Instance // in Wide's zone, Running, with only its primary ENI; its type is among InstanceTypes
	SmallInstance  cloud.Instance // a second one there, of a type that takes fewer IPv6 addresses on an ENI than one can be created with
	Quota          int            // ENIs the account may have, more than one page of them (500)
	Cluster        cloud.Cluster  // the one registered cluster, with every field set
	Line           Line
}

// Run runs the suite. open makes a fresh Fixture for each test.
func Run(t *testing.T, open func(t *testing.T) Fixture) {
	tests := []struct {
		name string
		run  func(t *testing.T, f Fixture)
	}{
		{"ENILife", eniLife},
		{"ENIWithAllOptions", eniOptions},
		{"ModifyENIReplacesGroups", eniGroups},
		{"AddressesAreAssignedAndUnassigned", addressLife},
		{"UnassignIsAllOrNothing", unassignAllOrNothing},
		{"PrefixesAreAssignedAndUnassigned", prefixLife},
		{"PrefixTakesOnePlace", prefixPlaces},
		{"ScatteredAddressesMakeNoPrefix", prefixFragments},
		{"PrefixesAreForTheTerwayPolicy", prefixRights},
		{"IPv6ComesWithTheENI", ipv6AtCreation},
		{"IPv6Quotas", ipv6Quotas},
		{"StatesThatConflict", conflicts},
		{"WrongIDs", wrongIDs},
		{"WrongPlace", wrongPlace},
		{"VSwitchExhaustionAndRecovery", exhaustion},
		{"InstanceQuotas", instanceQuotas},
		{"AccountQuotaAndPaging", quotaAndPaging},
		{"ENIFilters", filters},
		{"ClientTokenRepeatsAndMismatches", clientTokens},
		{"ConcurrentAssignsNeverShareAnAddress", concurrentAssigns},
		{"CancelledContext", cancelled},
		{"Network", network},
		{"Instances", instances},
		{"Clusters", clusters},
		{"RoutesOfVPCAndBorderRouter", routes},
		{"RoutesGoWithTheBGPSession", routesWithdrawn},
		{"BorderRoutersAndBGP", borderRouters},
		{"SecurityRules", securityRules},
		{"EnterpriseSecurityGroups", enterpriseGroups},
		{"NetworkReadersNeedRights", networkRights},
		{"RAMUserLife", userLife},
		{"RAMKeysAreTwoAtMost", keyLife},
		{"RAMPolicyLifeAndRotation", policyLife},
		{"RAMAttachments", attachments},
		{"RAMRefusesDeletingWhatIsInUse", deleteConflicts},
		{"TerwayPolicyAllowsAndDenies", terwayPolicy},
		{"OperatorPolicies", operatorRights},
		{"UserWithoutPolicySeesNoInstances", noPolicy},
		{"DenyWinsAndRightsChangeAtOnce", denyWins},
		{"RAMGroupsGiveAndTakeRights", groupRights},
		{"CallerIdentity", identity},
		{"BadKeys", badKeys},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, open(t))
		})
	}
}

// wantError checks that err is a *cloud.Error of this kind and code, with the operation and, but for calls that did not
// reach the service, a request ID.
func wantError(t *testing.T, err error, kind cloud.Kind, code string) *cloud.Error {
	t.Helper()
	var e *cloud.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a *cloud.Error of kind %v, code %s", err, kind, code)
	}
	if e.Kind != kind || e.Code != code {
		t.Fatalf("got kind %v, code %q (%v); want kind %v, code %q", e.Kind, e.Code, e, kind, code)
	}
	if e.Op == "" || e.RequestID == "" {
		t.Fatalf("%v: Op is %q and RequestID is %q, both must be there", e, e.Op, e.RequestID)
	}
	return e
}

// must ends the test when err is not nil.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
