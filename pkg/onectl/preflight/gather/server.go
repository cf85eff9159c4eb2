package gather

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/datacentre"
	"github.com/onectl/onectl/pkg/onectl/preflight"
)

// server reads the API server's version and clock, and finds the cluster's address ranges. No call answers those, so the
// places that have them are asked in turn: the first that says something is believed.
func (r *round) server(ctx context.Context, seen *promise[objects], people *promise[census], registered *promise[cloud.Cluster]) preflight.Part[preflight.Server] {
	return askKube(ctx, r, "the API server", func(ctx context.Context, k Kube) (preflight.Server, error) {
		s := preflight.Server{URL: k.Server()}
		before := r.Now()
		version, said, err := k.Version(ctx)
		if err != nil {
			return s, err
		}
		s.Version = version
		if !said.IsZero() {
			s.ClockSkew = skew(said, before, r.Now())
		}
		services, pods, err := kubeadmRanges(ctx, k)
		if err != nil {
			return s, err
		}
		if s.ServiceCIDRs = services; services == nil {
			if s.ServiceCIDRs, err = serviceRanges(ctx, k); err != nil {
				return s, err
			}
		}
		if c := registered.get(); s.ServiceCIDRs == nil && c.Known && c.Value.ServiceCIDR.IsValid() {
			s.ServiceCIDRs = []netip.Prefix{c.Value.ServiceCIDR}
		}
		if s.PodCIDRs = pods; pods == nil {
			s.PodCIDRs = podRanges(seen.get(), people.get())
		}
		return s, nil
	})
}

// skew is how far the server's clock is ahead. A date has whole seconds, so what is under a second is none.
func skew(said, before, now time.Time) time.Duration {
	ahead := said.Sub(before.Add(now.Sub(before) / 2)).Round(time.Second)
	if ahead.Abs() <= time.Second {
		return 0
	}
	return ahead
}

// kubeadmRanges reads what kubeadm made the cluster with.
func kubeadmRanges(ctx context.Context, k Kube) (services, pods []netip.Prefix, err error) {
	object, err := k.Get(ctx, kind("v1", "ConfigMap"), system, "kubeadm-config")
	if err != nil || object == nil {
		return nil, nil, err
	}
	var conf struct {
		Networking struct{ ServiceSubnet, PodSubnet string }
	}
	if err := yaml.Unmarshal([]byte(data(object, "ClusterConfiguration")), &conf); err != nil {
		return nil, nil, err
	}
	return prefixes(conf.Networking.ServiceSubnet), prefixes(conf.Networking.PodSubnet), nil
}

// serviceRanges asks the API server's own objects (ServiceCIDR, since Kubernetes 1.33), then its command line, where it is a
// static pod.
func serviceRanges(ctx context.Context, k Kube) ([]netip.Prefix, error) {
	var found []netip.Prefix
	ranges, err := every(ctx, k, kind("networking.k8s.io/v1", "ServiceCIDR"), "", "", always)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, err
	}
	for _, object := range ranges {
		texts, _, _ := unstructured.NestedStringSlice(object.Object, "spec", "cidrs")
		found = append(found, prefixes(texts...)...)
	}
	if found != nil {
		return found, nil
	}
	servers, err := every(ctx, k, kind("v1", "Pod"), system, "component=kube-apiserver", always)
	for _, pod := range servers {
		if found == nil {
			found = prefixes(flag(&pod, "--service-cluster-ip-range"))
		}
	}
	return found, err
}

// flag is the value of a flag on a pod's command line.
func flag(pod *unstructured.Unstructured, name string) string {
	containers, _, _ := unstructured.NestedSlice(pod.Object, "spec", "containers")
	for _, entry := range containers {
		container, _ := entry.(map[string]any)
		for _, field := range []string{"command", "args"} {
			words, _, _ := unstructured.NestedStringSlice(container, field)
			for _, word := range words {
				if value, is := strings.CutPrefix(word, name+"="); is {
					return value
				}
			}
		}
	}
	return ""
}

// podRanges is what the data centre's network plugins give pods addresses from, else the ranges of its nodes.
func podRanges(seen preflight.Part[objects], people preflight.Part[census]) []netip.Prefix {
	var found []netip.Prefix
	if seen.Known {
		found = datacentre.PodCIDRs(seen.Value.cnis(people.Value.nodes))
	}
	if found == nil {
		for _, n := range people.Value.nodes {
			if !n.Cloud {
				found = append(found, n.PodCIDRs...)
			}
		}
	}
	return slices.Compact(found)
}
