package crowd

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func (s Size) isCloud(i int) bool { return i < len(s.Instances) }

func (s Size) nodeName(i int) string {
	if s.isCloud(i) {
		return "cn-hangzhou." + s.nodeIP(i)
	}
	return fmt.Sprintf("dc-%04d", i)
}

func (s Size) nodeIP(i int) string {
	if s.isCloud(i) {
		return fmt.Sprintf("10.0.%d.%d", i/250, 1+i%250)
	}
	return fmt.Sprintf("10.20.%d.%d", i/250, 1+i%250)
}

// node is as long as a kubelet's: fifty images, the usual labels and conditions.
func (s Size) node(i int) *corev1.Node {
	name, cidr := s.nodeName(i), fmt.Sprintf("10.%d.%d.0/24", 128+i/256, i%256)
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"},
			Annotations: map[string]string{"projectcalico.org/IPv4Address": s.nodeIP(i) + "/24", "volumes.kubernetes.io/controller-managed-attach-detach": "true"}},
		Spec: corev1.NodeSpec{PodCIDR: cidr, PodCIDRs: []string{cidr}},
		Status: corev1.NodeStatus{
			Addresses:   []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: s.nodeIP(i)}, {Type: corev1.NodeHostName, Address: name}},
			Allocatable: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("110"), corev1.ResourceCPU: resource.MustParse("16"), corev1.ResourceMemory: resource.MustParse("64Gi")},
			NodeInfo: corev1.NodeSystemInfo{KubeletVersion: "v1.36.3", ContainerRuntimeVersion: "containerd://2.1.4", OSImage: "Debian GNU/Linux 12 (bookworm)", KernelVersion: "6.1.0-35-amd64",
				OperatingSystem: "linux", Architecture: "amd64", MachineID: strings.Repeat("0123456789abcdef", 2)},
		},
	}
	for _, kind := range []corev1.NodeConditionType{corev1.NodeMemoryPressure, corev1.NodeDiskPressure, corev1.NodePIDPressure, corev1.NodeReady} {
		c := corev1.NodeCondition{Type: kind, Status: corev1.ConditionFalse, Reason: "KubeletHasSufficient" + string(kind), Message: "kubelet has sufficient resources available", LastHeartbeatTime: metav1.Now()}
		if kind == corev1.NodeReady {
			c.Status = corev1.ConditionTrue
		}
		n.Status.Conditions = append(n.Status.Conditions, c)
	}
	for j := range 50 {
		digest := fmt.Sprintf("registry.example.com/team/application-%02d@sha256:%064x", j, j)
		n.Status.Images = append(n.Status.Images, corev1.ContainerImage{Names: []string{digest, fmt.Sprintf("registry.example.com/team/application-%02d:v1.2.3", j)}, SizeBytes: 1 << 27})
	}
	if s.isCloud(i) {
		n.Spec.ProviderID = "cn-hangzhou." + s.Instances[i]
		for key, value := range map[string]string{"alibabacloud.com/external": "true", "alibabacloud.com/instance-id": s.Instances[i], "topology.kubernetes.io/region": "cn-hangzhou",
			"topology.kubernetes.io/zone": "cn-hangzhou-i", "node.kubernetes.io/instance-type": "ecs.g7.xlarge"} {
			n.Labels[key] = value
		}
	}
	return n
}

func template(name string) corev1.PodSpec {
	probe := &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(8080)}}}
	container := corev1.Container{
		Name: name, Image: "registry.example.com/team/" + name + ":v1.2.3", LivenessProbe: probe, ReadinessProbe: probe,
		Resources:    corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("128Mi")}},
		VolumeMounts: []corev1.VolumeMount{{Name: "token", MountPath: "/var/run/secrets/kubernetes.io/serviceaccount", ReadOnly: true}},
	}
	for _, key := range []string{"DATABASE_URL", "CACHE_URL", "QUEUE_URL", "LOG_LEVEL", "FEATURES"} {
		container.Env = append(container.Env, corev1.EnvVar{Name: key, Value: "some-value-of-" + strings.ToLower(key) + "-as-people-have-them"})
	}
	return corev1.PodSpec{Containers: []corev1.Container{container}, Volumes: []corev1.Volume{{Name: "token", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}}
}

func pod(i int, node string) *corev1.Pod {
	owner, controls := fmt.Sprintf("web-%d", i/replicas), true
	spec := template("web")
	spec.NodeName = node
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "default", Name: fmt.Sprintf("%s-5d4f6c7b8-%05d", owner, i), Labels: map[string]string{"app": owner, "pod-template-hash": "5d4f6c7b8"},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: owner + "-5d4f6c7b8", UID: types.UID(fmt.Sprintf("00000000-0000-0000-0000-%012d", i/replicas)), Controller: &controls}},
	}, Spec: spec}
}

func status(i int) corev1.PodStatus {
	now, address := metav1.NewTime(time.Now()), fmt.Sprintf("10.%d.%d.%d", 128+i/60000, i/250%256, 1+i%250)
	s := corev1.PodStatus{Phase: corev1.PodRunning, PodIP: address, PodIPs: []corev1.PodIP{{IP: address}}, StartTime: &now}
	for _, kind := range []corev1.PodConditionType{corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled} {
		s.Conditions = append(s.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now})
	}
	started := true
	s.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "web", Ready: true, Started: &started, Image: "registry.example.com/team/web:v1.2.3", ImageID: fmt.Sprintf("registry.example.com/team/web@sha256:%064x", i),
		ContainerID: fmt.Sprintf("containerd://%064x", i), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
	}}
	return s
}
