package connectivity

import (
	"fmt"
	"net/netip"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/onectl/onectl/pkg/onectl/connectivity/job"
)

// Observed is what a pod's status says.
type Observed struct {
	Addresses []netip.Addr
	Running   bool
	Over      bool   // it has ended, well or not
	Message   string // its container's last words
	Waiting   string // why it does not run, for people; "" when it runs or did
}

// Observe reads a pod.
func Observe(pod unstructured.Unstructured) Observed {
	phase, _, _ := unstructured.NestedString(pod.Object, "status", "phase")
	o := Observed{Running: phase == "Running", Over: phase == "Succeeded" || phase == "Failed", Addresses: addressesIn(pod, "status", "podIPs")}
	if len(o.Addresses) == 0 {
		text, _, _ := unstructured.NestedString(pod.Object, "status", "podIP")
		o.Addresses = appendAddress(nil, text)
	}
	o.Message, o.Waiting = containerWords(pod)
	if reason, _, _ := unstructured.NestedString(pod.Object, "status", "reason"); phase == "Failed" && reason != "" {
		message, _, _ := unstructured.NestedString(pod.Object, "status", "message")
		o.Waiting = reason + ": " + message // refused by the kubelet, or out of time
	}
	if !o.Running && !o.Over && o.Waiting == "" {
		o.Waiting = "it is " + phase
	}
	return o
}

// containerWords are the last words of the pod's container, and why it waits.
func containerWords(pod unstructured.Unstructured) (last, waiting string) {
	containers, _, _ := unstructured.NestedSlice(pod.Object, "status", "containerStatuses")
	if len(containers) == 0 {
		return "", ""
	}
	state, _ := containers[0].(map[string]any)
	last, _, _ = unstructured.NestedString(state, "state", "terminated", "message")
	reason, _, _ := unstructured.NestedString(state, "state", "waiting", "reason")
	message, _, _ := unstructured.NestedString(state, "state", "waiting", "message")
	switch {
	case reason == "":
		return last, ""
	case message == "":
		return last, reason
	}
	return last, reason + ": " + message
}

// Addresses of a Service, all families; none when it has no cluster IP yet.
func ServiceAddresses(service unstructured.Unstructured) []netip.Addr {
	texts, _, _ := unstructured.NestedStringSlice(service.Object, "spec", "clusterIPs")
	if len(texts) == 0 {
		text, _, _ := unstructured.NestedString(service.Object, "spec", "clusterIP")
		texts = []string{text}
	}
	var all []netip.Addr
	for _, text := range texts {
		all = appendAddress(all, text)
	}
	return all
}

func addressesIn(object unstructured.Unstructured, path ...string) []netip.Addr {
	items, _, _ := unstructured.NestedSlice(object.Object, path...)
	var all []netip.Addr
	for _, item := range items {
		fields, _ := item.(map[string]any)
		text, _ := fields["ip"].(string)
		all = appendAddress(all, text)
	}
	return all
}

func appendAddress(all []netip.Addr, text string) []netip.Addr {
	if a, err := netip.ParseAddr(text); err == nil {
		return append(all, a)
	}
	return all
}

// Hear takes a client's results from its last words, or else from its log. Without either, the reason is in Problem.
func (c *Client) Hear(o Observed, log func() ([]byte, error)) {
	c.Problem = ""
	var err error
	if c.Results, err = job.Unpack(o.Message); err == nil {
		return
	}
	if o.Waiting != "" {
		c.Problem = o.Waiting
		return
	}
	text, logErr := log()
	if logErr != nil {
		c.Problem = fmt.Sprintf("its results can not be read: %v", logErr)
		return
	}
	if c.Results, err = job.Unpack(string(text)); err != nil {
		c.Problem = fmt.Sprintf("it told no results (%v): %.200s", err, text)
	}
}
