package gather

import (
	"context"
	"net/netip"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/onectl/onectl/pkg/onectl/datacentre"
	"github.com/onectl/onectl/pkg/onectl/preflight"
)

const system = "kube-system"

// lookAtCluster starts the parts that come from the cluster in the data centre.
func (r *round) lookAtCluster(ctx context.Context, f *preflight.Facts, people *promise[census], seen *promise[objects]) {
	both := func(read func(census, objects)) (why string) {
		c, o := people.get(), seen.get()
		if !c.Known {
			return c.Why
		}
		if !o.Known {
			return o.Why
		}
		read(c.Value, o.Value)
		return ""
	}
	r.wait.Go(func() {
		why := both(func(c census, o objects) {
			cnis := o.cnis(c.nodes)
			f.CNIs = preflight.Known(cnis)
			if f.Scenario == "" {
				scenario, _ := datacentre.ScenarioOf(cnis)
				f.Scenario = string(scenario)
			}
			f.Workloads = known(o.workloads(c, cnis))
		})
		if why != "" {
			f.CNIs.Why, f.Workloads.Why = why, why
		}
	})
	r.wait.Go(func() {
		if why := both(func(c census, o objects) { f.Proxy = r.proxy(ctx, c, o) }); why != "" {
			f.Proxy.Why = why
		}
	})
	r.wait.Go(func() {
		if why := both(func(c census, o objects) { f.DNS = r.dns(ctx, c, o) }); why != "" {
			f.DNS.Why = why
		}
	})
	r.wait.Go(func() {
		if why := both(func(c census, o objects) { f.Terway = r.terway(ctx, c, o) }); why != "" {
			f.Terway.Why = why
		}
	})
	r.wait.Go(func() {
		f.Agent = after(seen.get(), func(o objects) preflight.Part[preflight.Agent] { return r.agent(ctx, o) })
	})
	r.wait.Go(func() { f.Events = r.events(ctx) })
}

func known[T any](value T, err error) preflight.Part[T] {
	if err != nil {
		return preflight.Unknown[T]("%v", err)
	}
	return preflight.Known(value)
}

// proxy reads kube-proxy's configuration and where it runs.
func (r *round) proxy(ctx context.Context, c census, o objects) preflight.Part[preflight.Proxy] {
	return askKube(ctx, r, "kube-proxy", func(ctx context.Context, k Kube) (preflight.Proxy, error) {
		ref := datacentre.Ref{Kind: "DaemonSet", Namespace: system, Name: "kube-proxy"}
		p := preflight.Proxy{Found: o.find(ref) != nil, ReplacedBy: o.replacesProxy(), CloudDesired: c.pods[ref].onCloud, CloudReady: c.pods[ref].readyOnCloud}
		object, err := k.Get(ctx, kind("v1", "ConfigMap"), system, "kube-proxy")
		if err != nil || object == nil {
			return p, err
		}
		var conf struct {
			Mode, ClusterCIDR, DetectLocalMode string
			DetectLocal                        struct{ InterfaceNamePrefix string }
		}
		if err := yaml.Unmarshal([]byte(data(object, "config.conf")), &conf); err != nil {
			return p, err
		}
		p.Mode, p.ClusterCIDR, p.DetectLocalMode, p.LocalPrefix = conf.Mode, conf.ClusterCIDR, conf.DetectLocalMode, conf.DetectLocal.InterfaceNamePrefix
		return p, nil
	})
}

// replacesProxy is the network plugin that serves Services in place of kube-proxy.
func (o objects) replacesProxy() string {
	for _, config := range o.config {
		value := data(&config, "kube-proxy-replacement")
		if config.GetName() == "cilium-config" && (value == "true" || value == "strict") {
			return "cilium"
		}
	}
	return ""
}

func data(configMap *unstructured.Unstructured, key string) string {
	text, _, _ := unstructured.NestedString(configMap.Object, "data", key)
	return text
}

// dns reads the cluster's DNS server: the Deployment, its Service, and who is ready behind that.
func (r *round) dns(ctx context.Context, c census, o objects) preflight.Part[preflight.DNS] {
	return askKube(ctx, r, "the cluster's DNS", func(ctx context.Context, k Kube) (preflight.DNS, error) {
		var d preflight.DNS
		for _, name := range []string{"coredns", "kube-dns"} {
			ref := datacentre.Ref{Kind: "Deployment", Namespace: system, Name: name}
			if object := o.find(ref); object != nil && !d.Found {
				d.Found, d.Desired, d.Ready, d.OnCloud = true, replicas(object), number(object, "status", "readyReplicas"), c.pods[ref].onCloud
			}
		}
		service, err := k.Get(ctx, kind("v1", "Service"), system, "kube-dns")
		if err != nil || service == nil {
			return d, err
		}
		address, _, _ := unstructured.NestedString(service.Object, "spec", "clusterIP")
		d.Service, _ = netip.ParseAddr(address) // "None" is no address
		slices, err := every(ctx, k, kind("discovery.k8s.io/v1", "EndpointSlice"), system, "kubernetes.io/service-name=kube-dns", always)
		for _, slice := range slices {
			d.Endpoints += readyEndpoints(&slice)
		}
		return d, err
	})
}

// readyEndpoints counts those that Services send to. One that says nothing is ready (API reference, EndpointConditions).
func readyEndpoints(slice *unstructured.Unstructured) (n int) {
	endpoints, _, _ := unstructured.NestedSlice(slice.Object, "endpoints")
	for _, entry := range endpoints {
		endpoint, _ := entry.(map[string]any)
		if ready, said, _ := unstructured.NestedBool(endpoint, "conditions", "ready"); ready || !said {
			n++
		}
	}
	return n
}

// agent reads the agent that connects the cluster to Container Service, under the names it has had.
func (r *round) agent(ctx context.Context, o objects) preflight.Part[preflight.Agent] {
	return askKube(ctx, r, "the registered cluster's agent", func(ctx context.Context, k Kube) (preflight.Agent, error) {
		var a preflight.Agent
		for _, at := range []datacentre.Ref{{Namespace: system, Name: "ack-cluster-agent"}, {Namespace: system, Name: "alibabacloud-ack-connector"}, {Namespace: "ack-system", Name: "ack-cluster-agent"}} {
			at.Kind = "Deployment"
			if object := o.find(at); object != nil && !a.Found {
				spec, _, _ := unstructured.NestedMap(object.Object, "spec", "template", "spec")
				names, _ := images(spec)
				a = preflight.Agent{Found: true, Desired: replicas(object), Ready: number(object, "status", "readyReplicas"), Version: tag(names)}
			}
		}
		if !a.Found {
			return a, nil
		}
		bindings, err := every(ctx, k, kind("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"), "", "", makesAgentAdmin)
		a.Restricted = len(bindings) == 0
		return a, err
	})
}

// makesAgentAdmin finds the binding that the agent's administrator mode consists of.
func makesAgentAdmin(binding *unstructured.Unstructured) bool {
	role, _, _ := unstructured.NestedString(binding.Object, "roleRef", "name")
	subjects, _, _ := unstructured.NestedSlice(binding.Object, "subjects")
	for _, entry := range subjects {
		subject, _ := entry.(map[string]any)
		if role == "cluster-admin" && subject["kind"] == "ServiceAccount" && subject["name"] == "ack" {
			return true
		}
	}
	return false
}

// tag is the version in the first image's name.
func tag(images []string) string {
	if len(images) == 0 {
		return ""
	}
	name, _, _ := strings.Cut(images[0], "@")
	at := strings.LastIndexByte(name, ':')
	if at <= strings.LastIndexByte(name, '/') {
		return ""
	}
	return name[at+1:]
}
