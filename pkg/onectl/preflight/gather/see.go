package gather

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/onectl/onectl/pkg/cloud"
)

// Objects reads objects of any kind. Get returns nil for one that is not there.
type Objects interface {
	Get(ctx context.Context, kind schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, error)
	Each(ctx context.Context, kind schema.GroupVersionKind, namespace, selector string, visit func(*unstructured.Unstructured) error) error
}

// Lists reads what a cluster has many of, page by page. What visit gets is only valid until it returns.
type Lists interface {
	EachPod(ctx context.Context, visit func(*corev1.Pod)) error
	EachNode(ctx context.Context, visit func(*corev1.Node)) error
	EachWarning(ctx context.Context, visit func(*corev1.Event)) error
}

// Kube is the cluster in the data centre, as far as one can look. *kube.Client has it.
type Kube interface {
	Objects
	Lists
	Version(ctx context.Context) (version string, now time.Time, err error)
	Server() string // the API server's URL
}

// Prober runs `terwayd facts` of an image on nodes and returns its output by node; a node that has none has an error. It takes away
// what it made, also when ctx ends.
type Prober interface {
	Probe(ctx context.Context, image string, nodes []string) (outputs map[string][]byte, failures map[string]error)
}

// Accounts reads who a key belongs to and what its user may do.
type Accounts interface {
	CallerIdentity(ctx context.Context) (cloud.Identity, error)
	ListPoliciesForUser(ctx context.Context, user string) ([]cloud.Policy, error)
	ListGroupsForUser(ctx context.Context, user string) ([]string, error)
	ListPoliciesForGroup(ctx context.Context, group string) ([]cloud.Policy, error)
	GetPolicy(ctx context.Context, name string) (cloud.Policy, error)
}

// Clusters reads registered clusters.
type Clusters interface {
	DescribeCluster(ctx context.Context, id string) (cloud.Cluster, error)
	ListClusters(ctx context.Context) ([]cloud.Cluster, error)
}

// Networks reads a VPC and what is in it.
type Networks interface {
	DescribeVPCs(ctx context.Context, ids []string) ([]cloud.VPC, error)
	DescribeVSwitches(ctx context.Context, ids []string, vpcID string) ([]cloud.VSwitch, error)
	DescribeSecurityGroups(ctx context.Context, vpcID string) ([]cloud.SecurityGroup, error)
	DescribeENIs(ctx context.Context, filter cloud.ENIFilter) ([]cloud.ENI, error)
	DescribeInstances(ctx context.Context, ids []string) ([]cloud.Instance, error)
}

// Lines reads what connects a VPC and a data centre. "" is every VBR, VPC or CEN instance of the region.
type Lines interface {
	DescribeSecurityRules(ctx context.Context, group string) ([]cloud.SecurityRule, error)
	DescribeRouteTables(ctx context.Context, vpcID string) ([]cloud.RouteTable, error)
	DescribeVBRs(ctx context.Context) ([]cloud.VBR, error)
	DescribeBGPPeers(ctx context.Context, vbrID string) ([]cloud.BGPPeer, error)
	DescribeBGPNetworks(ctx context.Context, vbrID string) ([]cloud.BGPNetwork, error)
	DescribeCENAttachments(ctx context.Context, cenID string) ([]cloud.CENAttachment, error)
}

// Cloud is the cloud as one key sees it, as far as one can look. *openapi.Client has it.
type Cloud interface {
	Accounts
	Clusters
	Networks
	Lines
}
