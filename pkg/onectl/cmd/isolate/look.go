package isolate

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/datacentre"
	"github.com/onectl/onectl/pkg/onectl/isolate"
)

// seen is the cluster as a plan needs it.
type seen struct {
	input  isolate.Input
	config *unstructured.Unstructured // the ConfigMap of the records, nil when there is none
}

// look reads the cluster. It writes nothing.
func look(ctx context.Context, k cmdutil.Kube, ch choice) (seen, error) {
	s := seen{input: isolate.Input{Scenario: datacentre.Scenario(ch.Scenario), Named: ch.named, Leave: ch.leave}}
	objects := &s.input.Objects
	for _, list := range []struct {
		apiVersion, kind string
		into             *[]unstructured.Unstructured
	}{
		{"apps/v1", "DaemonSet", &objects.DaemonSets}, {"apps/v1", "Deployment", &objects.Deployments},
		{"apps/v1", "StatefulSet", &s.input.StatefulSets}, {"v1", "Node", &objects.Nodes},
	} {
		found, err := k.List(ctx, cmdutil.Kind(list.apiVersion, list.kind), "", "")
		if err != nil {
			return s, err
		}
		*list.into = typed(found, list.apiVersion, list.kind)
	}
	for _, kind := range isolate.ResourceKinds() {
		found, err := k.List(ctx, kind, "", "")
		if err != nil && !apierrors.IsNotFound(err) { // a kind that is not defined is not there
			return s, err
		}
		objects.Resources = append(objects.Resources, typed(found, kind.GroupVersion().String(), kind.Kind)...)
	}
	for _, ref := range datacentre.ConfigMaps(objects.DaemonSets) {
		found, err := k.Get(ctx, cmdutil.Kind("v1", "ConfigMap"), ref.Namespace, ref.Name)
		if err != nil {
			return s, err
		}
		if found != nil {
			objects.ConfigMaps = append(objects.ConfigMaps, *found)
		}
	}
	err := s.records(ctx, k)
	return s, err
}

// planned looks at the cluster, and makes the plan of what was chosen.
func (ch *choice) planned(ctx context.Context, f *cmdutil.Factory) (cmdutil.Kube, seen, isolate.Plan, error) {
	k, err := f.Kube()
	if err != nil {
		return nil, seen{}, isolate.Plan{}, err
	}
	s, err := look(ctx, k, *ch)
	if err != nil {
		return nil, seen{}, isolate.Plan{}, err
	}
	plan, err := isolate.Make(s.input)
	return k, s, plan, err
}

func (s *seen) records(ctx context.Context, k cmdutil.Kube) (err error) {
	if s.config, err = k.Get(ctx, cmdutil.Kind("v1", "ConfigMap"), isolate.RecordsNamespace, isolate.RecordsName); err != nil {
		return err
	}
	s.input.Records, err = isolate.Records(s.config)
	return err
}

// typed gives items their kind, which those of a list lack.
func typed(items []unstructured.Unstructured, apiVersion, kind string) []unstructured.Unstructured {
	for i := range items {
		items[i].SetAPIVersion(apiVersion)
		items[i].SetKind(kind)
	}
	return items
}
