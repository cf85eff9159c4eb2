package gather_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
	"github.com/onectl/onectl/pkg/onectl/preflight"
	"github.com/onectl/onectl/pkg/onectl/preflight/gather"
)

// onlyGet fails the test at any request that is not a read.
func onlyGet(t *testing.T) func(method, resource, name string) *apierrors.StatusError {
	return func(method, resource, name string) *apierrors.StatusError {
		if method != http.MethodGet {
			t.Errorf("%s %s %s", method, resource, name)
		}
		return nil
	}
}

func TestARightThatIsMissingHidesItsPartsOnly(t *testing.T) {
	t.Parallel()
	for resource, want := range map[string][]string{
		"secrets":             {"AddonKey", "Rights"},
		"events":              {"Events"},
		"clusterrolebindings": {"Agent", "Terway"},
		"nodes":               {"CNIs", "DNS", "Instances", "Nodes", "Proxy", "Terway", "Workloads"},
		"pods":                {"CNIs", "DNS", "Instances", "Nodes", "Proxy", "Terway", "Workloads"},
		"daemonsets":          {"Agent", "CNIs", "DNS", "Proxy", "Terway", "Workloads"},
		"endpointslices":      {"DNS"},
	} {
		t.Run(resource, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.kube.SetRefuse(func(method, kind, name string) *apierrors.StatusError {
				if kind == resource {
					return apierrors.NewForbidden(schema.GroupResource{Resource: kind}, name, errors.New("RBAC says no"))
				}
				return nil
			})
			got := unknown(s.gather(s.options()))
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" {
				t.Error(diff)
			}
			for part, why := range got {
				if !strings.Contains(why, "RBAC says no") {
					t.Errorf("%s does not say why: %s", part, why)
				}
			}
		})
	}
}

func TestACloudRightThatIsMissingHidesItsPartsOnly(t *testing.T) {
	t.Parallel()
	for action, test := range map[string]struct {
		want []string
		says string
	}{
		"vpc:DescribeVirtualBorderRouters":   {[]string{"VBRs"}, "AliyunVPCReadOnlyAccess"},
		"vpc:DescribeBgpPeers":               {[]string{"BGP"}, "AliyunVPCReadOnlyAccess"},
		"ecs:DescribeSecurityGroupAttribute": {[]string{"SecurityGroups"}, "AliyunECSReadOnlyAccess"},
		"ecs:DescribeNetworkInterfaces":      {[]string{"ENIs", "GroupUse"}, "AliyunECSReadOnlyAccess"},
		"ram:ListPoliciesForUser":            {[]string{"AddonKey", "Rights"}, "AliyunRAMReadOnlyAccess"},
		"ram:ListGroupsForUser":              {[]string{"Rights"}, "AliyunRAMReadOnlyAccess"},
		"cen:DescribeCens":                   {[]string{"CEN"}, "AliyunCENReadOnlyAccess"},
	} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			must(t, s.world.AddFault(fakecloud.Fault{Action: action, Code: "Forbidden.RAM"}))
			got := unknown(s.gather(s.options()))
			if diff := cmp.Diff(test.want, slices.Sorted(maps.Keys(got))); diff != "" {
				t.Error(diff)
			}
			if why := got[test.want[0]]; !strings.Contains(why, test.says) {
				t.Errorf("%s does not say what helps: %s", test.want[0], why)
			}
		})
	}
}

func TestAMissingPolicyIsNamed(t *testing.T) {
	t.Parallel()
	for policy, want := range map[string][]string{
		"AliyunCENReadOnlyAccess": {"CEN"},
		"AliyunECSReadOnlyAccess": {"SecurityGroups"}, // ENIs and instances are seen with the add-ons' key
		"AliyunVPCReadOnlyAccess": {"BGP", "BGPNetworks", "Routes", "VBRs"},
	} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			must(t, s.world.Session(s.made.AccountKey).DetachPolicyFromUser(t.Context(), "System", policy, s.made.Operator.Name))
			got := unknown(s.gather(s.options()))
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" {
				t.Error(diff)
			}
			for part, why := range got {
				if !strings.Contains(why, "attach "+policy+" to") {
					t.Errorf("%s does not say what helps: %s", part, why)
				}
			}
		})
	}
}

func TestASilentClusterLeavesTheCloudKnown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	o := s.options()
	o.Kube, o.KubeErr = nil, errors.New("kubeconfig nowhere: no such file")
	got := unknown(s.gather(o))
	want := []string{"AddonKey", "Agent", "CNIs", "DNS", "Events", "Instances", "Nodes", "Proxy", "Rights", "Server", "Terway", "Workloads"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" {
		t.Error(diff)
	}
	if why := got["Nodes"]; why != "nodes: kubeconfig nowhere: no such file" {
		t.Error(why)
	}
}

func TestNoCloudLeavesTheClusterKnown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	o := s.options()
	o.Cloud, o.CloudErr = nil, errors.New("no AccessKey: run \"onectl configure\"")
	got := unknown(s.gather(o))
	want := []string{"AddonKey", "BGP", "BGPNetworks", "CEN", "Cluster", "ENIs", "GroupUse", "Identity", "Instances", "Rights", "Routes", "SecurityGroups", "VBRs", "VPC", "VSwitches"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got))); diff != "" {
		t.Error(diff)
	}
}

func TestNeitherIsAnError(t *testing.T) {
	t.Parallel()
	noKube, noCloud := errors.New("no kubeconfig"), errors.New("no key")
	_, err := gather.New(gather.Options{KubeErr: noKube, CloudErr: noCloud}).Gather(t.Context(), preflight.GatherOptions{})
	if !errors.Is(err, noKube) || !errors.Is(err, noCloud) {
		t.Errorf("got %v", err)
	}
}

// slow is a cloud in which one call never ends by itself.
type slow struct{ gather.Cloud }

func (s slow) DescribeVBRs(ctx context.Context) ([]cloud.VBR, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAPartThatTakesTooLongIsUnknown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	o := s.options()
	o.Cloud = slow{o.Cloud}
	o.Timeout = 3 * time.Second
	got := unknown(s.gather(o))
	if diff := cmp.Diff(map[string]string{"VBRs": "virtual border routers: no answer within 3s"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestGatherEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	o := s.options()
	o.Cloud = slow{o.Cloud}
	ctx, cancel := context.WithCancel(t.Context())
	step := func(what string) {
		if what == "virtual border routers" {
			cancel()
		}
	}
	if _, err := gather.New(o).Gather(ctx, preflight.GatherOptions{Step: step}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAKeyThatTheCloudRefusesIsAFact(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.secret("LTAInobodyhasthiskey", "and-no-such-secret-either")
	f := s.gather(s.options())
	want := preflight.AddonKey{Exists: true, KeyID: "LTAI****skey", Problem: "the key does not exist any more (InvalidAccessKeyId.NotFound)"}
	if diff := cmp.Diff(preflight.Known(want), f.AddonKey); diff != "" {
		t.Error(diff)
	}
	if f.Rights.Known || !strings.Contains(f.Rights.Why, "does not exist") {
		t.Errorf("rights %+v", f.Rights)
	}
}

func TestInstancesThatTheCloudHidesAreNotTakenForDeleted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.secret("", "") // so that no other key may see them
	root := s.world.Session(s.made.AccountKey)
	must(t, root.DetachPolicyFromUser(t.Context(), "System", "AliyunECSReadOnlyAccess", s.made.Operator.Name))
	f := s.gather(s.options())
	if f.Instances.Known || !strings.Contains(f.Instances.Why, "AliyunECSReadOnlyAccess") {
		t.Errorf("instances %+v", f.Instances)
	}
}

func TestTheAddOnsKeySeesWhatTheOperatorsMayNot(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	root := s.world.Session(s.made.AccountKey)
	must(t, root.DetachPolicyFromUser(t.Context(), "System", "AliyunECSReadOnlyAccess", s.made.Operator.Name))
	f := s.gather(s.options())
	if !f.Instances.Known || len(f.Instances.Value) != 1 || !f.ENIs.Known || len(f.ENIs.Value) != 1 {
		t.Errorf("instances %+v, ENIs %+v", f.Instances, f.ENIs)
	}
}
