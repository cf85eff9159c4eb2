// Package cmdutil is what onectl's commands share: the factory of their dependencies, the registered cluster they work on,
// the add-on Secret, errors and printing. Logic of one command stays in the command's package.
package cmdutil

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/preflight"
	"github.com/onectl/onectl/pkg/onectl/profile"
	"github.com/onectl/onectl/pkg/onectl/ram"
)

// Clusters reads registered clusters and their network.
type Clusters interface {
	DescribeCluster(ctx context.Context, id string) (cloud.Cluster, error)
	ListClusters(ctx context.Context) ([]cloud.Cluster, error)
	DescribeVSwitches(ctx context.Context, ids []string, vpcID string) ([]cloud.VSwitch, error)
	CallerIdentity(ctx context.Context) (cloud.Identity, error)
}

// ENIs finds and removes ENIs.
type ENIs interface {
	DescribeENIs(ctx context.Context, filter cloud.ENIFilter) ([]cloud.ENI, error)
	DetachENI(ctx context.Context, eniID, instanceID string) error
	DeleteENI(ctx context.Context, eniID string) error
}

// Cloud is the cloud as one key sees it.
type Cloud interface {
	Clusters
	ENIs
	ram.Cloud
}

// Kube is the cluster in the data centre. Get returns nil for an object that is not there, Delete succeeds for one; the
// other errors are apimachinery's.
type Kube interface {
	Get(ctx context.Context, kind schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, error)
	List(ctx context.Context, kind schema.GroupVersionKind, namespace, selector string) ([]unstructured.Unstructured, error)
	Apply(ctx context.Context, object *unstructured.Unstructured, force bool) error
	Create(ctx context.Context, object *unstructured.Unstructured) error
	Update(ctx context.Context, object *unstructured.Unstructured) error
	TryUpdate(ctx context.Context, object *unstructured.Unstructured) error
	Delete(ctx context.Context, kind schema.GroupVersionKind, namespace, name string) error
	PodLog(ctx context.Context, namespace, pod, container string) ([]byte, error)
	Until(ctx context.Context, done func(context.Context) (bool, error)) error
}

// Gatherer looks at the cluster and at the cloud. What it cannot read is a part that is not known; an error is only that it
// could not look at all.
type Gatherer interface {
	Gather(ctx context.Context, o preflight.GatherOptions) (preflight.Facts, error)
}

// ConfigStore keeps the operator's configuration.
type ConfigStore interface {
	Load() (profile.Config, error)
	Save(profile.Config) error
}

// Prompter asks a person. Line returns otherwise when nothing was typed; Secret does not show what is typed.
type Prompter interface {
	Line(label, otherwise string) (string, error)
	Secret(label string) (string, error)
}

// Factory builds what commands depend on, when they ask for it: "onectl version" reads no file and reaches nobody.
type Factory struct {
	genericiooptions.IOStreams

	Flags     profile.Flags // bound to the command line
	Verbose   bool          // bound to --verbose: say each step on stderr
	Getenv    func(string) string
	Home      string
	Config    ConfigStore
	ConfigAt  string   // the configuration's path, for messages
	Prompt    Prompter // nil when nobody can answer
	Watched   bool     // a person watches stderr: show progress
	OpenCloud func(key cloud.AccessKey, s profile.Settings) (Cloud, error)
	OpenKube  func(s profile.Settings) (Kube, error)
	// OpenGatherer makes what preflight looks with. Settings without a key or a region are fine: the cloud's parts are then
	// not known.
	OpenGatherer func(s profile.Settings) (Gatherer, error)
	// Onectl runs another command line of onectl, without the program's name, with the same global flags.
	Onectl func(ctx context.Context, args []string) error
}

// Settings is flags over environment over configuration file.
func (f *Factory) Settings() (profile.Settings, error) {
	config, err := f.Config.Load()
	if err != nil {
		return profile.Settings{}, err
	}
	return profile.Resolve(f.Flags, f.Getenv, config, f.Home)
}

// Cloud is the cloud as the operator's key sees it.
func (f *Factory) Cloud() (Cloud, error) {
	s, err := f.Settings()
	if err != nil {
		return nil, err
	}
	if s.Key.IsZero() {
		return nil, profile.ErrNoKey
	}
	return f.CloudAs(s.Key)
}

// CloudAs is the cloud as another key sees it.
func (f *Factory) CloudAs(key cloud.AccessKey) (Cloud, error) {
	s, err := f.Settings()
	if err != nil {
		return nil, err
	}
	if s.Region == "" {
		return nil, profile.ErrNoRegion
	}
	return f.OpenCloud(key, s)
}

// Kube is the cluster in the data centre.
func (f *Factory) Kube() (Kube, error) {
	s, err := f.Settings()
	if err != nil {
		return nil, err
	}
	return f.OpenKube(s)
}
