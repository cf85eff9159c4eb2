package conf

// unsupported is a key that upstream reads and that has no effect here. Its form is checked all the same: what is wrong
// would be wrong on the day it gets an effect.
type unsupported struct {
	key  string
	into any    // what its value is decoded into
	want string // the form in words
	text string // what happens instead
}

func (o *object) unsupported(all []unsupported) {
	for _, u := range all {
		if o.read(u.key, u.into, u.want) {
			o.without(u.key, u.text)
		}
	}
}

// withoutEffect names what upstream reads of eni_conf and this daemon does not need or does not do.
func (o *object) withoutEffect() {
	const watch = "it has no effect: the daemon asks the API server for next to nothing"
	o.unsupported([]unsupported{
		{"credential_path", new(string), "a string", "encrypted credential files are not read; put the AccessKey in Secret kube-system/alibaba-addon-secret"},
		{"prefix", new(string), "a string", "it has no effect, upstream ignores it too"},
		{"custom_stateful_workload_kinds", new([]string), "a list of strings", "it has no effect: a pod that keeps its address needs a PodNetworking"},
		{"backoff_override", new(map[string]map[string]any), "an object of objects", "it has no effect: the pool waits for what the cloud's answer asks for"},
		{"disable_device_plugin", new(bool), "true or false", "it has no effect: there is no device plugin"},
		{"kube_client_qps", new(float64), "a number", watch},
		{"kube_client_burst", new(int), "a whole number", watch},
		{"resource_group_id", new(string), "a string", "it has no effect: ENIs are made in the default resource group"},
		{"ipv6_prefix_count", new(int), "a whole number", "it has no effect: with ip_stack dual, ENIs get single IPv6 addresses"},
	})
}

// pluginWithoutEffect does the same for 10-terway.conf.
func (o *object) pluginWithoutEffect(c CNIConf) {
	if c.VirtualType != "Veth" {
		o.found.warn(o.at("eniip_virtual_type"), c.VirtualType+" is not supported; pods get a veth with policy routing (Veth)")
	}
	if c.DisablePeer {
		o.found.warn(o.at("disable_host_peer"), "it has no effect on pods that share an ENI: the veth is their only link")
	}
	if c.VLANStripType == "vlan" {
		o.found.warn(o.at("vlan_strip_type"), "it has no effect: trunk ENIs are not made by the node's daemon")
	}
	const policy = "it has no effect: network policies are left to another component"
	o.unsupported([]unsupported{
		{"bandwidth_mode", new(string), "a string", "it has no effect: the mode is chosen by the daemon"},
		{"enable_network_priority", new(bool), "true or false", "it has no effect: pods' packets have one priority"},
		{"network_policy_provider", new(string), "a string", policy},
		{"runtimeConfig", new(map[string]any), "an object", "it is given by the container runtime, not here; it is ignored"},
		{"veth_prefix", new(string), "a string", "it has no effect, upstream ignores it too: the prefix is cali"},
	})
	for _, key := range []string{"cilium_args", "cilium_enable_hubble", "cilium_hubble_listen_address", "cilium_hubble_metrics", "cilium_hubble_metrics_server"} {
		o.without(key, policy) // booleans in quotes are seen in the field
	}
}
