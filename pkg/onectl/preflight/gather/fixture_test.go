package gather_test

const fixture = `apiVersion: v1
kind: Node
metadata:
  name: dc-1
  labels: {kubernetes.io/os: linux}
  annotations: {projectcalico.org/RouteReflectorClusterID: 244.0.0.1, volumes.kubernetes.io/controller-managed-attach-detach: "true"}
spec:
  podCIDR: 10.244.0.0/24
  podCIDRs: [10.244.0.0/24]
status:
  addresses: [{type: InternalIP, address: 10.20.0.11}, {type: Hostname, address: dc-1}]
  allocatable: {pods: "110"}
  conditions: [{type: Ready, status: "True"}]
  nodeInfo: {kubeletVersion: v1.34.1, containerRuntimeVersion: "containerd://2.1.4", osImage: Debian, kernelVersion: 6.1.0}
---
apiVersion: v1
kind: Node
metadata:
  name: cn-hangzhou.10.0.1.1
  labels: {kubernetes.io/os: linux, alibabacloud.com/external: "true", topology.kubernetes.io/zone: cn-hangzhou-i, topology.kubernetes.io/region: cn-hangzhou, node.kubernetes.io/instance-type: ecs.g7.xlarge}
spec:
  providerID: cn-hangzhou.INSTANCE
  taints: [{key: node.kubernetes.io/not-ready, effect: NoSchedule}]
status:
  allocatable: {pods: "45"}
  conditions: [{type: Ready, status: "False", reason: KubeletNotReady, message: no network}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {namespace: kube-system, name: calico-node}
spec:
  template:
    spec:
      nodeSelector: {kubernetes.io/os: linux}
      tolerations: [{operator: Exists}]
      hostNetwork: true
      containers: [{name: calico-node, image: "docker.io/calico/node:v3.30.3", imagePullPolicy: IfNotPresent, env: [{name: CALICO_IPV4POOL_IPIP, value: Never}]}]
---
apiVersion: v1
kind: ConfigMap
metadata: {namespace: kube-system, name: calico-config}
data: {calico_backend: bird}
---
apiVersion: crd.projectcalico.org/v1
kind: IPPool
metadata: {name: default-ipv4-ippool}
spec: {cidr: 10.244.0.0/16, ipipMode: Never, vxlanMode: Never}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {namespace: kube-system, name: kube-proxy}
spec:
  template:
    spec:
      hostNetwork: true
      tolerations: [{operator: Exists}]
      containers: [{name: kube-proxy, image: "registry.k8s.io/kube-proxy:v1.34.1"}]
---
apiVersion: v1
kind: ConfigMap
metadata: {namespace: kube-system, name: kube-proxy}
data:
  config.conf: |
    apiVersion: kubeproxy.config.k8s.io/v1alpha1
    kind: KubeProxyConfiguration
    mode: ipvs
    clusterCIDR: 10.244.0.0/16
    detectLocalMode: InterfaceNamePrefix
    detectLocal: {bridgeInterface: "", interfaceNamePrefix: cali}
---
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: kube-system, name: coredns}
spec: {replicas: 2, template: {spec: {containers: [{name: coredns, image: "registry.k8s.io/coredns/coredns:v1.12.0"}]}}}
status: {readyReplicas: 2}
---
apiVersion: v1
kind: Service
metadata: {namespace: kube-system, name: kube-dns}
spec: {clusterIP: 10.96.0.10}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {namespace: kube-system, name: kube-dns-1, labels: {kubernetes.io/service-name: kube-dns}}
endpoints: [{addresses: [10.244.0.2], conditions: {ready: true}}, {addresses: [10.244.0.3], conditions: {ready: false}}, {addresses: [10.244.0.4]}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: kube-system, name: ack-cluster-agent}
spec: {replicas: 2, template: {spec: {containers: [{name: agent, image: "registry.cn-hangzhou.aliyuncs.com/acs/agent:v1.13.1.105-g8ee9abb-aliyun"}]}}}
status: {readyReplicas: 1}
---
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: default, name: web}
spec: {replicas: 3, template: {spec: {containers: [{name: web, image: web}]}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {namespace: kube-system, name: kubeadm-config}
data:
  ClusterConfiguration: |
    networking: {dnsDomain: cluster.local, podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/16}
`
