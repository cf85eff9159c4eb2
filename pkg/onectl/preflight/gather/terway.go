package gather

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/onectl/onectl/pkg/node/conf"
	"github.com/onectl/onectl/pkg/onectl/addon"
	"github.com/onectl/onectl/pkg/onectl/datacentre"
	"github.com/onectl/onectl/pkg/onectl/preflight"
)

// terway reads the add-on as it is: its DaemonSet, its configuration, why pods are not ready, and what else of a Terway is
// there.
func (r *round) terway(ctx context.Context, c census, o objects) preflight.Part[preflight.Terway] {
	return askKube(ctx, r, "Terway", func(ctx context.Context, k Kube) (preflight.Terway, error) {
		ref := datacentre.Ref{Kind: "DaemonSet", Namespace: system, Name: addon.Terway}
		t := preflight.Terway{OnDataCentre: c.pods[ref].onDataCentre}
		if set := o.find(ref); set != nil {
			installed(&t, set)
		}
		if err := configured(ctx, k, &t); err != nil {
			return t, err
		}
		if t.Installed && t.Ready < t.Desired {
			pods, err := every(ctx, k, kind("v1", "Pod"), system, "app="+addon.Terway, always)
			if err != nil {
				return t, err
			}
			t.Problems = append(t.Problems, addon.Stuck(pods)...)
		}
		return t, leftovers(ctx, k, o, &t)
	})
}

func installed(t *preflight.Terway, set *unstructured.Unstructured) {
	spec, _, _ := unstructured.NestedMap(set.Object, "spec", "template", "spec")
	t.Installed = true
	t.Images, _ = images(spec)
	if t.Version = set.GetAnnotations()[addon.VersionAnnotation]; t.Version == "" {
		t.Version = tag(t.Images)
	}
	t.NodeSelector, _, _ = unstructured.NestedStringMap(spec, "nodeSelector")
	t.Desired, t.Ready, t.Misscheduled = number(set, "status", "desiredNumberScheduled"), number(set, "status", "numberReady"), number(set, "status", "numberMisscheduled")
}

// configured reads ConfigMap eni-config. What does not parse is one of Terway's problems, not a reason to know nothing.
func configured(ctx context.Context, k Kube, t *preflight.Terway) error {
	object, err := k.Get(ctx, kind("v1", "ConfigMap"), system, addon.ConfigMapName)
	if err != nil || object == nil {
		return err
	}
	t.ConfigPresent, t.CNIConf = true, data(object, addon.KeyCNIConf)
	eni, warnings, err := conf.ParseENI([]byte(data(object, addon.KeyENIConf)))
	if err != nil {
		t.Problems = append(t.Problems, strings.Split(err.Error(), "\n")...)
	} else {
		t.Config = preflight.ENIConfig{
			HasKey: eni.AccessKey.ID != "" || !eni.AccessKey.Secret.IsZero(), VSwitches: eni.VSwitches, SecurityGroups: eni.SecurityGroups,
			ServiceCIDRs: eni.ServiceCIDRs, MaxPoolSize: eni.MaxPoolSize, MinPoolSize: eni.MinPoolSize, MaxENI: eni.MaxENI, Tags: eni.ENITags, IPStack: eni.IPStack,
		}
	}
	_, more, err := conf.ParseCNI([]byte(t.CNIConf))
	if err != nil {
		t.Problems = append(t.Problems, strings.Split(err.Error(), "\n")...)
	}
	for _, w := range slices.Concat(warnings, more) {
		t.Warnings = append(t.Warnings, w.String())
	}
	return nil
}

// leftovers are objects of a Terway that is not this one: an uninstall that was cut short, another variant, upstream's own.
func leftovers(ctx context.Context, k Kube, o objects, t *preflight.Terway) error {
	for _, set := range slices.Concat(o.sets, o.deployments) {
		ours := set.GetKind() == "DaemonSet" && set.GetNamespace() == system && set.GetName() == addon.Terway
		if strings.HasPrefix(set.GetName(), "terway") && !ours {
			t.Leftovers = append(t.Leftovers, set.GetKind()+" "+set.GetNamespace()+"/"+set.GetName())
		}
	}
	type place struct {
		kind            schema.GroupVersionKind
		namespace, name string
	}
	const rbac = "rbac.authorization.k8s.io/v1"
	places := []place{{kind(rbac, "ClusterRole"), "", "terway-pod-reader"}, {kind(rbac, "ClusterRoleBinding"), "", "terway-binding"}} // upstream's names
	if !t.Installed {
		places = append(places, place{kind(rbac, "ClusterRole"), "", addon.Terway}, place{kind(rbac, "ClusterRoleBinding"), "", addon.Terway},
			place{kind("v1", "ServiceAccount"), system, "terway"}, place{kind("v1", "ConfigMap"), system, addon.ConfigMapName})
	}
	for _, p := range places {
		found, err := k.Get(ctx, p.kind, p.namespace, p.name)
		if err != nil {
			return err
		}
		if found != nil {
			t.Leftovers = append(t.Leftovers, p.kind.Kind+" "+strings.TrimPrefix(p.namespace+"/"+p.name, "/"))
		}
	}
	return nil
}
