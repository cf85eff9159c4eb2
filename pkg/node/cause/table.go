package cause

// The codes, as in the table below.
const (
	VSwitchExhausted     Code = "VSwitchExhausted"
	NodeFull             Code = "NodeFull"
	QuotaExceeded        Code = "QuotaExceeded"
	PermissionDenied     Code = "PermissionDenied"
	BadAccessKey         Code = "BadAccessKey"
	InvalidConfiguration Code = "InvalidConfiguration"
	NoIPv6               Code = "NoIPv6"
	NoPrefix             Code = "NoPrefix"
	ENISetupFailed       Code = "ENISetupFailed"
	APIThrottled         Code = "APIThrottled"
	CloudUnavailable     Code = "CloudUnavailable"
	CloudConflict        Code = "CloudConflict"
	CloudRefused         Code = "CloudRefused"
	AddressOnTheWay      Code = "AddressOnTheWay"
	PoolStarting         Code = "PoolStarting"
	PoolStopped          Code = "PoolStopped"
	SandboxReleased      Code = "SandboxReleased"
	AddressVanished      Code = "AddressVanished"

	RequestInvalid      Code = "RequestInvalid"
	PluginConfigInvalid Code = "PluginConfigInvalid"
	VersionUnsupported  Code = "VersionUnsupported"
	NetNSUnusable       Code = "NetNSUnusable"
	SandboxUnknown      Code = "SandboxUnknown"
	PodNetworkDiffers   Code = "PodNetworkDiffers"
	KernelRefused       Code = "KernelRefused"
	LedgerUnwritable    Code = "LedgerUnwritable"
	RequestTimedOut     Code = "RequestTimedOut"
	PluginGone          Code = "PluginGone"
	DaemonUnreachable   Code = "DaemonUnreachable"
	RequestFailed       Code = "RequestFailed"

	NetworkRepaired           Code = "NetworkRepaired"
	NetworkContested          Code = "NetworkContested"
	NetworkNotRepaired        Code = "NetworkNotRepaired"
	ConfigurationRefused      Code = "ConfigurationRefused"
	ConfigurationNeedsRestart Code = "ConfigurationNeedsRestart"
	ConfigurationIgnored      Code = "ConfigurationIgnored"
	LedgerDamaged             Code = "LedgerDamaged"
	IPv6ForwardingOff         Code = "IPv6ForwardingOff"
	SlotsDamaged              Code = "SlotsDamaged"
	LedgerRecovered           Code = "LedgerRecovered"
	InstanceTypeUnknown       Code = "InstanceTypeUnknown"
	MetadataUnavailable       Code = "MetadataUnavailable"
	APIServerUnavailable      Code = "APIServerUnavailable"
	SymmetricRoutingOff       Code = "SymmetricRoutingOff"
	ServicesUnreachable       Code = "ServicesUnreachable"
	ForeignCNIConfiguration   Code = "ForeignCNIConfiguration"
	ENIModeKept               Code = "ENIModeKept"
)

const (
	byItself   = "it is tried again by itself"
	newSandbox = "delete the pod so that it gets another sandbox"
)

// table is what is known: first what stands between a pod and its address, then what is wrong with a request of the
// container runtime, then what is wrong with the node.
var table = []Cause{
	{VSwitchExhausted, Critical, "no usable vSwitch of the node's zone has a free address",
		"add a vSwitch of this zone to vswitches in eni-config, or free addresses in it"},
	{NodeFull, Warning, "the instance carries no more ENIs and addresses",
		"move pods to another node, use a larger instance type, or lower the node's max pods"},
	{QuotaExceeded, Critical, "a limit of the account or of the instance is reached",
		"raise the quota in the Quota Center, or remove ENIs that are not needed"},
	{PermissionDenied, Critical, "RAM refuses an action",
		"allow the action for the add-on's RAM user: onectl ram-user grant --addon terway-eniip"},
	{BadAccessKey, Critical, "there is no AccessKey, or the cloud does not accept it",
		"enable the AccessKey of Secret kube-system/alibaba-addon-secret, or delete the Secret and make another key: onectl ram-user grant --addon terway-eniip"},
	{InvalidConfiguration, Critical, "the cloud refuses what eni-config asks for, or a vSwitch named there cannot be used",
		"correct ConfigMap kube-system/eni-config: kubectl -n kube-system edit configmap eni-config"},
	{NoIPv6, Critical, "dual stack is asked for, and the instance type carries no IPv6 address",
		"use an instance type with IPv6 addresses, correct the node's annotation of its limits, or set ip_stack to ipv4 in eni-config"},
	{NoPrefix, Info, "no vSwitch has a whole /28 prefix",
		"single addresses are assigned meanwhile; reserve a CIDR block for prefixes in the vSwitch, or name another vSwitch in eni-config"},
	{ENISetupFailed, Critical, "an ENI is attached, but the node cannot use it",
		"look for the ENI's link on the node (ip link) and at the daemon's log"},
	{APIThrottled, Warning, "the cloud answers that there are too many calls",
		byItself + ", less often; when it stays, lower rate_limit in eni-config or ask for a higher quota"},
	{CloudUnavailable, Warning, "the cloud failed, or could not be reached",
		byItself + "; when it stays, look at the node's way to the endpoints of ECS and VPC inside the VPC"},
	{CloudConflict, Info, "a resource in the cloud is in a state that does not allow the call now",
		byItself},
	{CloudRefused, Warning, "the cloud refused a call for a reason of its own",
		"look for the request's ID in the daemon's log, and give it to the cloud's support when it stays"},
	{AddressOnTheWay, Info, "the cloud is working on an address for the pod", byItself},
	{PoolStarting, Info, "the daemon has not read the instance's ENIs yet",
		byItself},
	{PoolStopped, Info, "the daemon is stopping", "its successor answers"},
	{SandboxReleased, Info, "the sandbox was deleted while it waited for an address", "nothing; kubelet makes another one when it wants one"},
	{AddressVanished, Critical, "a pod holds an address that the cloud no longer shows on its ENI: the pod has no network",
		newSandbox + ", and find out who removed the address (ActionTrail: UnassignPrivateIpAddresses, DetachNetworkInterface)"},

	{RequestInvalid, Warning, "the container runtime's request lacks something, or cannot be read",
		"compare the runtime's version with the CNI versions that terway tells (CNI_COMMAND=VERSION)"},
	{PluginConfigInvalid, Critical, "the CNI configuration cannot be used",
		"correct 10-terway.conf in ConfigMap kube-system/eni-config, or the Pod's bandwidth annotations"},
	{VersionUnsupported, Critical, "plugin, configuration and daemon do not have a version in common",
		"restart this node's terway-eniip pod, which installs plugin and configuration of its own version"},
	{NetNSUnusable, Warning, "the pod's network namespace cannot be opened or used",
		"the container runtime makes another sandbox when kubelet tries again"},
	{SandboxUnknown, Warning, "the daemon has no record of the sandbox", newSandbox},
	{PodNetworkDiffers, Warning, "a pod's network is not as ADD left it", newSandbox},
	{KernelRefused, Critical, "the kernel refused a part of the pod's network",
		"look at the error's end for the kernel's word, and run onectl preflight for what a node's kernel must have"},
	{LedgerUnwritable, Critical, "the daemon cannot write its ledger", "check that the node's disk is not full: df -h /var/lib/cni"},
	{RequestTimedOut, Warning, "a request was not served in time", byItself + "; the daemon's log says what it waited for"},
	{PluginGone, Info, "the CNI plugin ended before it had its answer", "kubelet asks again when it still wants the sandbox"},
	{DaemonUnreachable, Critical, "terwayd does not answer on its socket",
		"look at this node's terway-eniip pod: kubectl -n kube-system get pods -l app=terway-eniip -o wide"},
	{RequestFailed, Warning, "a request failed for a reason that has no code of its own",
		byItself + "; when it stays, the daemon's log has the whole error"},

	{NetworkRepaired, Info, "another program removed rules, routes, neighbours or filters of ours; they are there again",
		"nothing; when it comes often, find the program with ip monitor"},
	{NetworkContested, Warning, "another program removes again and again what terwayd makes; the next repair waits",
		"find the program (systemd-networkd, NetworkManager, another CNI plugin's agent; ip monitor shows when it happens) and keep it off these rules and links"},
	{NetworkNotRepaired, Critical, "what another program removed could not be made again",
		byItself + "; look at the error's end for the kernel's word"},
	{ConfigurationRefused, Warning, "the configuration cannot be used; the node works by an older one",
		"correct what the message names: kubectl -n kube-system edit configmap eni-config"},
	{ConfigurationNeedsRestart, Warning, "changed values wait for a restart of the daemon",
		"restart the daemons, pods keep their network meanwhile: kubectl -n kube-system delete pod -l app=terway-eniip"},
	{ConfigurationIgnored, Warning, "a part of the configuration has no effect", "remove the key, or read why in the daemon's log"},
	{LedgerDamaged, Warning, "the ledger was damaged; a new one is made from the kernel", "look at the node's disk"},
	{IPv6ForwardingOff, Critical, "dual stack is asked for, and the node does not forward IPv6",
		"switch it on (sysctl -w net.ipv6.conf.all.forwarding=1), boot with IPv6, or set ip_stack to ipv4 in eni-config"},
	{SlotsDamaged, Warning, "the file of ENI slots was damaged; they are taken from the kernel's rules", "look at the node's disk"},
	{LedgerRecovered, Warning, "the ledger did not know running sandboxes; their records are made again from the kernel",
		"look at the node's disk, and at who removed /var/lib/cni/terway"},
	{InstanceTypeUnknown, Warning, "the limits of the instance's type are not known, the least are assumed",
		"set the limits: kubectl annotate node NODE alibabacloud.com/instance-type-info=…"},
	{MetadataUnavailable, Critical, "the instance metadata service does not answer",
		"this node must be an ECS instance; try on the node: curl http://100.100.100.200/latest/meta-data/instance-id"},
	{APIServerUnavailable, Info, "the API server does not answer; pods are served without it",
		byItself + "; running and new pods do not depend on it"},
	{SymmetricRoutingOff, Warning, "NodePorts and hostPorts of pods on this node do not answer",
		"give the node a default route and a kernel with nftables, then restart this node's terway-eniip pod"},
	{ServicesUnreachable, Critical, "pods with an ENI of their own do not reach Services, or probes do not reach them",
		"set service_cidr in eni-config, give the node a default route and a kernel with nftables (or kube-proxy --masquerade-all), then restart this node's terway-eniip pod"},
	{ForeignCNIConfiguration, Critical, "the container runtime reads another CNI configuration than Terway's",
		"keep the data centre's CNI off this node and remove its files: onectl isolate apply"},
	{ENIModeKept, Warning, "the Node's label asks for ENIs of another kind than its pods have, or for none that there is; the node keeps to theirs",
		"drain the node, which follows its label a minute after its last pod has gone, or put the label k8s.aliyun.com/exclusive-mode-eni-type back"},
}
