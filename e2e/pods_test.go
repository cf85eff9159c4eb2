package e2e

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// deployment is n probe pods with this name on cloud nodes. Once a pod has answered its node, one answer that fails restarts
// it; how long a busy machine takes to start it, or to answer, restarts nothing.
func deployment(name string, n int) string {
	return deploymentOn(`alibabacloud.com/external: "true"`, name, n, nil)
}

// deploymentOn is a deployment on nodes with a label, of pods with annotations.
func deploymentOn(label, name string, n int, annotations map[string]string) string {
	noted, _ := json.Marshal(annotations) // strings are no error
	return fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:
  replicas: %[2]d
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}, annotations: %[4]s}
    spec:
      nodeSelector: {%[3]s}
      terminationGracePeriodSeconds: 1
      containers:
      - name: probe
        image: docker.io/onectl/probe:lab
        imagePullPolicy: Never
        startupProbe: {httpGet: {port: 8080}, periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 120}
        readinessProbe: {httpGet: {port: 8080}, periodSeconds: 1, timeoutSeconds: 5}
        livenessProbe: {httpGet: {port: 8080}, periodSeconds: 2, timeoutSeconds: 5, failureThreshold: 1}
`, name, n, label, noted)
}

// datacentrePod is a pod of the data centre, with an address of its range.
func datacentrePod(node string) string { return serverPod("datacentre", node, false, 8080) }

// hostPod serves on the network of a data-centre node itself.
func hostPod(node string) string { return serverPod("host", node, true, 8181) }

// probePod serves on port 8383, which nothing on a node's own network has.
func probePod(name, node string, hostNetwork bool) string {
	return serverPod(name, node, hostNetwork, 8383)
}

func serverPod(name, node string, hostNetwork bool, port int) string {
	return fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %[1]s, labels: {app: %[1]s}}
spec:
  nodeName: %[2]s
  hostNetwork: %[3]v
  dnsPolicy: ClusterFirstWithHostNet
  tolerations: [{operator: Exists}]
  terminationGracePeriodSeconds: 1
  containers:
  - name: probe
    image: docker.io/onectl/probe:lab
    imagePullPolicy: Never
    args: [serve, -listen, ":%[4]d"]
    ports: [{containerPort: %[4]d}]
    readinessProbe: {httpGet: {port: %[4]d}, periodSeconds: 1}
`, name, node, hostNetwork, port)
}

// served is where the server of a probePod is asked.
func served(host string) string { return "http://" + host + ":8383" }

// podIPs maps the addresses of an app's running pods to their nodes.
func (s *story) podIPs(t *testing.T, app string) map[string]string {
	t.Helper()
	out := s.kubectl(t, "get", "pods", "-l", "app="+app, "--field-selector=status.phase=Running",
		"-o", `jsonpath={range .items[*]}{.status.podIP} {.spec.nodeName}{"\n"}{end}`)
	ips := map[string]string{}
	for line := range strings.Lines(out) {
		if ip, node, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			ips[ip] = node
		}
	}
	return ips
}

// pods are the names of an app's pods.
func (s *story) pods(t *testing.T, app string) []string {
	t.Helper()
	return strings.Fields(s.kubectl(t, "get", "pods", "-l", "app="+app, "-o", "jsonpath={.items[*].metadata.name}"))
}

// restarts maps an app's pods to how often their container was started again.
func (s *story) restarts(t *testing.T, app string) map[string]int {
	t.Helper()
	out := s.kubectl(t, "get", "pods", "-A", "-l", "app="+app, "-o", `jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[0].restartCount}{"\n"}{end}`)
	restarts := map[string]int{}
	for line := range strings.Lines(out) {
		name, count, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.Atoi(count)
		if err != nil {
			t.Fatalf("restarts of %s: %v in %q", app, err, out)
		}
		restarts[name] = n
	}
	return restarts
}

// get asks a pod's server from another pod and returns the address that it saw.
func (s *story) get(t *testing.T, pod, ip string) string {
	t.Helper()
	fields := strings.Fields(s.kubectl(t, "exec", pod, "--", "/probe", "get", served(ip)))
	return fields[len(fields)-1]
}

// reaches waits until a pod gets an answer: one side hears of a route, a Service or a name a moment before the other.
func (s *story) reaches(t *testing.T, pod, url string) {
	t.Helper()
	eventually(t, func() string {
		out, err := s.lab.Kubectl(t.Context(), nil, "exec", pod, "--", "/probe", "get", url)
		if err != nil {
			return fmt.Sprintf("%s does not reach %s: %s%v", pod, url, out, err)
		}
		return ""
	})
}

// losesSight waits until a pod gets no answer from another's server.
func (s *story) losesSight(t *testing.T, pod, ip string) {
	t.Helper()
	eventually(t, func() string {
		if out, err := s.lab.Kubectl(t.Context(), nil, "exec", pod, "--", "/probe", "get", served(ip)); err == nil {
			return fmt.Sprintf("%s still reaches %s: %s", pod, ip, out)
		}
		return ""
	})
}
