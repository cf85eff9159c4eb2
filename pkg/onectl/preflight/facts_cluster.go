package preflight

import (
	"encoding/json"
	"net/netip"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// AddonKey is the AccessKey in Secret alibaba-addon-secret, without its secret.
type AddonKey struct {
	Exists   bool           `json:"exists"`             // the Secret is there
	KeyID    string         `json:"keyID,omitempty"`    // masked but for its last four characters
	Owner    cloud.Identity `json:"owner"`              // whose key it is
	Valid    bool           `json:"valid"`              // the cloud accepts it
	Problem  string         `json:"problem,omitempty"`  // why not, for people
	Policies []cloud.Policy `json:"policies,omitempty"` // attached to its owner; what the owner has through groups is in Groups

	Groups Part[[]RAMGroup] `json:"groups"` // that the owner is a member of; nothing for a key that is not a RAM user's
}

// RAMGroup is a RAM group with the policies that its members have through it.
type RAMGroup struct {
	Name     string         `json:"name"`
	Policies []cloud.Policy `json:"policies,omitempty"`
}

// Agent is Deployment ack-cluster-agent, which connects the cluster to Container Service.
type Agent struct {
	Found      bool   `json:"found"`
	Ready      int    `json:"ready"`
	Desired    int    `json:"desired"`
	Version    string `json:"version,omitempty"`
	Restricted bool   `json:"restricted"` // its ClusterRole is the restricted one
}

// NotProbed is why a node's Facts are not known when nobody asked for a pod on each node.
const NotProbed = "what a node's kernel and services are set to is only seen on the node: run again with --probe"

// Node is a Kubernetes node.
type Node struct {
	Name           string            `json:"name"`
	Cloud          bool              `json:"cloud"` // it has the label alibabacloud.com/external=true
	Labels         map[string]string `json:"labels,omitempty"`
	Annotations    map[string]string `json:"annotations,omitempty"` // those that checks read, not all
	Taints         []Taint           `json:"taints,omitempty"`
	ProviderID     string            `json:"providerID,omitempty"` // "cn-hangzhou.i-…"
	InternalIPs    []netip.Addr      `json:"internalIPs,omitempty"`
	PodCIDRs       []netip.Prefix    `json:"podCIDRs,omitempty"`
	Ready          bool              `json:"ready"`
	NotReady       string            `json:"notReady,omitempty"` // the condition's message when it is not ready
	KubeletVersion string            `json:"kubeletVersion,omitempty"`
	Runtime        string            `json:"runtime,omitempty"` // "containerd://2.1.4"
	OSImage        string            `json:"osImage,omitempty"`
	Kernel         string            `json:"kernel,omitempty"`
	Region         string            `json:"region,omitempty"`
	Zone           string            `json:"zone,omitempty"`
	InstanceType   string            `json:"instanceType,omitempty"`
	Pods           int               `json:"pods"`        // pods on it that have an address of the pod network
	Allocatable    int               `json:"allocatable"` // pods that the kubelet takes
	Facts          Part[NodeFacts]   `json:"facts"`       // what only a process on the node can see
}

// Taint is a node's taint.
type Taint struct {
	Key    string `json:"key"`
	Value  string `json:"value,omitempty"`
	Effect string `json:"effect"`
}

// NodeFacts is what "terwayd facts" sees on a node.
type NodeFacts struct {
	Kernel                 string         `json:"kernel"`          // "6.1.0-35-amd64"
	RPFilterAll            int            `json:"rpFilterAll"`     // net.ipv4.conf.all.rp_filter
	RPFilterDefault        int            `json:"rpFilterDefault"` // net.ipv4.conf.default.rp_filter
	IPForward              bool           `json:"ipForward"`
	MTU                    map[string]int `json:"mtu,omitempty"` // by link
	Networkd               bool           `json:"networkd"`      // systemd-networkd runs
	NetworkManager         bool           `json:"networkManager"`
	NetworkdManagesForeign bool           `json:"networkdManagesForeign"` // it removes rules and routes that are not its own
	UdevENIRules           []string       `json:"udevENIRules,omitempty"` // files that configure an ENI when it appears
	HasClsactBPF           bool           `json:"hasClsactBPF"`
	Clock                  time.Time      `json:"clock"`
	Links                  []string       `json:"links,omitempty"`
	CNIConfs               []string       `json:"cniConfs,omitempty"` // files of /etc/cni/net.d, in the order the runtime reads them
	Problems               []string       `json:"problems,omitempty"` // what could not be looked at
}

// Workload is a DaemonSet or a Deployment, with the parts of its pod template that decide where its pods go.
type Workload struct {
	Kind            string          `json:"kind"`
	Namespace       string          `json:"namespace"`
	Name            string          `json:"name"`
	Affinity        json.RawMessage `json:"affinity,omitempty"`     // corev1.Affinity
	NodeSelector    json.RawMessage `json:"nodeSelector,omitempty"` // map of labels
	Tolerations     json.RawMessage `json:"tolerations,omitempty"`  // []corev1.Toleration
	Images          []string        `json:"images,omitempty"`
	Desired         int             `json:"desired"`
	Ready           int             `json:"ready"`
	Owner           string          `json:"owner,omitempty"`           // who re-creates it, "Installation default"; "" for nobody
	OnCloud         int             `json:"onCloud"`                   // its pods on cloud nodes
	EveryWhere      string          `json:"everyWhere,omitempty"`      // why it must run on every node; "" when it need not
	CNI             string          `json:"cni,omitempty"`             // the kind of the data centre's CNI that it belongs to; "" for none
	ImagePullPolicy string          `json:"imagePullPolicy,omitempty"` // the most eager one of its containers
}

// Proxy is kube-proxy, or what stands for it.
type Proxy struct {
	Found           bool   `json:"found"`
	Mode            string `json:"mode,omitempty"`        // iptables, ipvs, nftables; "" is the default of its version
	ClusterCIDR     string `json:"clusterCIDR,omitempty"` // as configured
	DetectLocalMode string `json:"detectLocalMode,omitempty"`
	LocalPrefix     string `json:"localPrefix,omitempty"` // detectLocal.interfaceNamePrefix, of mode InterfaceNamePrefix
	ReplacedBy      string `json:"replacedBy,omitempty"`  // "cilium" when that serves Services
	CloudDesired    int    `json:"cloudDesired"`          // cloud nodes it shall run on
	CloudReady      int    `json:"cloudReady"`            // cloud nodes it is ready on
}

// DNS is the cluster's DNS server.
type DNS struct {
	Found     bool       `json:"found"`
	Ready     int        `json:"ready"`
	Desired   int        `json:"desired"`
	Service   netip.Addr `json:"service"`   // the address pods ask
	Endpoints int        `json:"endpoints"` // ready ones behind it
	OnCloud   int        `json:"onCloud"`   // pods of it on cloud nodes
}

// Terway is add-on terway-eniip as it is in the cluster.
type Terway struct {
	Installed     bool              `json:"installed"`
	Version       string            `json:"version,omitempty"`
	Images        []string          `json:"images,omitempty"`
	Desired       int               `json:"desired"`
	Ready         int               `json:"ready"`
	Misscheduled  int               `json:"misscheduled"`
	OnDataCentre  int               `json:"onDataCentre"` // its pods on nodes of the data centre
	NodeSelector  map[string]string `json:"nodeSelector,omitempty"`
	ConfigPresent bool              `json:"configPresent"`       // ConfigMap eni-config is there
	Config        ENIConfig         `json:"config"`              // its eni_conf
	CNIConf       string            `json:"cniConf,omitempty"`   // its 10-terway.conf
	Problems      []string          `json:"problems,omitempty"`  // why pods are not ready, and what does not parse
	Warnings      []string          `json:"warnings,omitempty"`  // what eni_conf's parser warns of
	Leftovers     []string          `json:"leftovers,omitempty"` // objects of an earlier or another Terway, "Kind namespace/name"
}

// ENIConfig is what checks read of eni_conf.
type ENIConfig struct {
	HasKey         bool                `json:"hasKey"`              // an AccessKey is written in it
	VSwitches      map[string][]string `json:"vSwitches,omitempty"` // by zone
	SecurityGroups []string            `json:"securityGroups,omitempty"`
	ServiceCIDRs   []netip.Prefix      `json:"serviceCIDRs,omitempty"`
	MaxPoolSize    int                 `json:"maxPoolSize"`
	MinPoolSize    int                 `json:"minPoolSize"`
	MaxENI         int                 `json:"maxENI"`
	Tags           map[string]string   `json:"tags,omitempty"`
	IPStack        string              `json:"ipStack,omitempty"`
}
