package preflight

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var quotedImage = regexp.MustCompile(`image "([^"]+)"`)

func overlayChecks() []Check {
	const category = "Overlay"
	overlay := []string{"overlay"}
	return []Check{{
		ID: "overlay-images", Title: "Cloud nodes can pull the images of the data centre's overlay", Category: category, Severity: Error, Scenarios: overlay, Run: overlayImages,
		Explain: "In the overlay scenario the data centre's DaemonSet runs on cloud nodes too, so these must be able to pull its images. A registry inside the data centre needs a route, a name and credentials there. While the DaemonSet is not ready everywhere, events of failed pulls on cloud nodes that name one of its images decide; " +
			"before a cloud node exists the images are only listed. Copy the images to a registry that both sides reach, or let the VPC reach yours.",
		Fix: "kubectl -n NAMESPACE set image daemonset/NAME CONTAINER=REACHABLE-IMAGE",
	}, {
		ID: "overlay-cloud-nodes", Title: "The data centre's overlay runs on every cloud node", Category: category, Severity: Error, Scenarios: overlay, Run: overlayCovers,
		Explain: "Without the overlay's DaemonSet a cloud node has no pod network and stays NotReady. Its node selector, affinity and tolerations are matched against every cloud node, and its pods there are counted. An affinity that keeps it off, perhaps from a time when this was to become a BGP network, must go: " +
			"onectl isolate undo takes away what onectl added.",
		Fix: "onectl isolate undo",
	}, {
		ID: "overlay-size", Title: "The overlay has at most 100 nodes", Category: category, Severity: Warning, Scenarios: overlay, Run: overlaySize,
		Explain: "Alibaba Cloud recommends an overlay for fewer than 100 nodes without high demands on the network: every node keeps a tunnel and neighbour entries for every other, and each packet across the line pays for encapsulation. Beyond that, BGP routing in the data centre with Terway on cloud nodes scales and is faster. " +
			"All nodes of the cluster are counted.",
		Fix: "onectl preflight --pre --scenario bgp",
	}, {
		ID: "image-pulls", Title: "Cloud nodes can pull the images they need", Category: "Images", Severity: Warning, Run: imagePulls,
		Explain: "A cloud node that cannot pull an image usually cannot reach the registry: it is inside the data centre, its name is only known there, or a NAT gateway is missing in the VPC. Recent events of failed pulls on cloud nodes are listed by image; those of an overlay's own images are check overlay-images. " +
			"Log on to the node named in the evidence and try the pull.",
		Fix: "crictl pull IMAGE",
	}}
}

// pullFailure is an image that cloud nodes could not pull.
type pullFailure struct{ image, node, message string }

// pullFailures is the failed pulls that happened on cloud nodes, each image and node once.
func pullFailures(f Facts) []pullFailure {
	onCloud := map[string]bool{}
	for _, n := range cloudNodes(f.Nodes.Value) {
		onCloud[n.Name] = true
	}
	var found []pullFailure
	for _, e := range recent(f, imageTries, "Failed", "BackOff", "ErrImagePull", "ImagePullBackOff") {
		match := quotedImage.FindStringSubmatch(e.Message)
		if match == nil || !onCloud[e.Node] || replaced(f, e, match[1]) {
			continue
		}
		if !slices.ContainsFunc(found, func(p pullFailure) bool { return p.image == match[1] && p.node == e.Node }) {
			found = append(found, pullFailure{image: match[1], node: e.Node, message: e.Message})
		}
	}
	return found
}

// pluginImages is the images of the DaemonSets of the data centre's network plugin, and missing those of them that are
// not ready everywhere; where a DaemonSet is, its images were pulled.
func pluginImages(f Facts) (images, missing []string) {
	for _, w := range pluginWorkloads(f) {
		if w.Kind != "DaemonSet" {
			continue
		}
		if w.Ready < w.Desired {
			missing = append(missing, w.Images...)
		}
		for _, image := range w.Images {
			if !slices.Contains(images, image) {
				images = append(images, image)
			}
		}
	}
	return images, missing
}

// sameImage: the kubelet's message may write out the registry that a pod's template leaves out.
// replaced reports whether an event is of a pod of a workload that has other images by now: it is history.
func replaced(f Facts, e Event, image string) bool {
	at := slices.IndexFunc(f.Workloads.Value, func(w Workload) bool {
		return w.Namespace == e.Namespace && strings.HasPrefix(e.Name, w.Name+"-")
	})
	return at >= 0 && !slices.ContainsFunc(f.Workloads.Value[at].Images, func(has string) bool { return sameImage(has, image) })
}

func sameImage(a, b string) bool {
	bare := func(image string) string {
		return strings.TrimPrefix(strings.TrimPrefix(image, "docker.io/"), "library/")
	}
	return bare(a) == bare(b)
}

func overlayImages(f Facts) Finding {
	switch {
	case !f.Workloads.Known:
		return NotKnown(f.Workloads.Why)
	case !f.CNIs.Known:
		return NotKnown(f.CNIs.Why)
	case !f.Nodes.Known:
		return NotKnown(f.Nodes.Why)
	case !f.Events.Known:
		return NotKnown(f.Events.Why)
	}
	images, missing := pluginImages(f)
	var failed []string
	var first pullFailure
	for _, p := range pullFailures(f) {
		if slices.ContainsFunc(missing, func(image string) bool { return sameImage(image, p.image) }) {
			if failed == nil {
				first = p
			}
			failed = append(failed, fmt.Sprintf("%s on %s: %s", p.image, p.node, p.message))
		}
	}
	switch {
	case len(images) == 0:
		return NotApplicable("no DaemonSet of an overlay was recognised")
	case len(failed) > 0:
		return Fail("cloud nodes cannot pull the overlay's image "+first.image, setImage(f, first), capped(failed)...)
	case len(cloudNodes(f.Nodes.Value)) == 0:
		return Finding{Outcome: OutcomeSkip, Summary: "no cloud node has pulled them yet: see that the VPC can", Evidence: images}
	}
	return Pass("cloud nodes have no trouble pulling the overlay's images", images...)
}

// setImage is the command that has the overlay's DaemonSet use a copy of the image that could not be pulled.
func setImage(f Facts, failed pullFailure) string {
	namespace, name := "NAMESPACE", "NAME"
	for _, w := range f.Workloads.Value {
		if w.CNI != "" && w.Kind == "DaemonSet" && slices.ContainsFunc(w.Images, func(image string) bool { return sameImage(image, failed.image) }) {
			namespace, name = w.Namespace, w.Name
		}
	}
	return fmt.Sprintf("kubectl -n %s set image daemonset/%s CONTAINER=IMAGE, a copy of %s in a registry that %s reaches", namespace, name, failed.image, failed.node)
}

func overlayCovers(f Facts) Finding {
	workloads, instead := placedPlugins(f)
	if instead != nil {
		return *instead
	}
	want := len(cloudNodes(f.Nodes.Value))
	for _, w := range workloads {
		if w.Kind != "DaemonSet" {
			continue
		}
		switch { // one more than there are: a node that joins
		case len(w.on) < want+1:
			return Fail(w.ref()+" may not run on every cloud node", "onectl isolate undo", fmt.Sprintf("there are %s; it may run on %v", count(want, "cloud node"), capped(w.on)))
		case w.OnCloud < want:
			return Fail(fmt.Sprintf("%s has %s on %s", w.ref(), count(w.OnCloud, "pod"), count(want, "cloud node")), fmt.Sprintf("kubectl -n %s rollout restart daemonset/%s", w.Namespace, w.Name))
		}
	}
	return Pass("the overlay covers " + count(want, "cloud node"))
}

func overlaySize(f Facts) Finding {
	if !f.Nodes.Known {
		return NotKnown(f.Nodes.Why)
	}
	if n := len(f.Nodes.Value); n > 100 {
		return Fail(fmt.Sprintf("the overlay has %d nodes, more than the recommended 100", n), "onectl preflight --pre --scenario bgp, to see what BGP routing would need")
	}
	return Pass(fmt.Sprintf("the overlay has %s", count(len(f.Nodes.Value), "node")))
}

func imagePulls(f Facts) Finding {
	switch {
	case !f.Events.Known:
		return NotKnown(f.Events.Why)
	case !f.Nodes.Known:
		return NotKnown(f.Nodes.Why)
	case len(cloudNodes(f.Nodes.Value)) == 0:
		return NotApplicable("there is no cloud node yet")
	}
	var overlay, failed []string
	if f.Scenario == "overlay" {
		overlay, _ = pluginImages(f)
	}
	var first pullFailure
	for _, p := range pullFailures(f) {
		if slices.ContainsFunc(overlay, func(image string) bool { return sameImage(image, p.image) }) {
			continue
		}
		if failed == nil {
			first = p
		}
		failed = append(failed, fmt.Sprintf("%s on %s: %s", p.image, p.node, p.message))
	}
	if len(failed) > 0 {
		return Fail("cloud nodes cannot pull "+first.image, "on "+first.node+": crictl pull "+first.image, capped(failed)...)
	}
	return Pass("no pull failed on a cloud node")
}
