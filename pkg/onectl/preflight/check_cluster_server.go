package preflight

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var leadingNumbers = regexp.MustCompile(`^v?([0-9]+(\.[0-9]+)*)?`)

func serverChecks() []Check {
	const category = "Cluster"
	return []Check{{
		ID: "api-server-version", Title: "The API server is Kubernetes 1.24 or newer", Category: category, Severity: Error, Run: serverVersion,
		Explain: "onectl and Terway use server-side apply, events and pod fields as Kubernetes has had them since 1.24; older servers are neither supported upstream nor tried. " +
			"The version is what the API server says of itself. Upgrade the control plane one minor version at a time, kubelets after it.",
		Fix: "kubeadm upgrade plan",
	}, {
		ID: "kubelet-skew", Title: "Kubelets are not newer than the API server and at most three minor versions older", Category: category, Severity: Warning, Run: kubeletSkew,
		Explain: "Kubernetes supports a kubelet that is up to three minor versions older than the API server (two before kubelet 1.25) and never a newer one. Images of cloud nodes often carry another kubelet than the data centre, " +
			"so this is where hybrid clusters drift. Each node's reported kubelet version is compared with the server's. Upgrade the nodes that are behind, or the control plane when nodes are ahead of it.",
		Fix: "kubeadm upgrade plan",
	}, {
		ID: "api-server-clock", Title: "The API server's clock agrees with this machine's", Category: category, Severity: Warning, Run: serverClock,
		Explain: "Cloud API calls are signed with a time stamp, and certificates and tokens have a beginning and an end: a clock that is wrong by minutes makes them fail with errors that do not mention time. " +
			"The Date header of the API server's answer is compared with this machine's clock; more than 30 s is a fault. Let chrony or systemd-timesyncd set both clocks.",
		Fix: "timedatectl set-ntp true",
	}}
}

// numbers is what a version begins with: "v1.34.1-aliyun.1" is 1, 34, 1. Nil when it begins with none.
func numbers(text string) []int {
	var out []int
	for _, part := range strings.Split(leadingNumbers.FindStringSubmatch(text)[1], ".") {
		if n, err := strconv.Atoi(part); err == nil {
			out = append(out, n)
		}
	}
	return out
}

func serverVersion(f Facts) Finding {
	if !f.Server.Known {
		return NotKnown(f.Server.Why)
	}
	got := numbers(f.Server.Value.Version)
	if len(got) < 2 {
		return NotKnown(fmt.Sprintf("the API server's version %q is not a version", f.Server.Value.Version))
	}
	if slices.Compare(got, []int{1, 24}) < 0 {
		return Fail("the API server is Kubernetes "+f.Server.Value.Version+", older than 1.24", "kubeadm upgrade plan")
	}
	return Pass("the API server is Kubernetes " + f.Server.Value.Version)
}

func kubeletSkew(f Facts) Finding {
	if !f.Server.Known {
		return NotKnown(f.Server.Why)
	}
	server := numbers(f.Server.Value.Version)
	if len(server) < 2 {
		return NotKnown(fmt.Sprintf("the API server's version %q is not a version", f.Server.Value.Version))
	}
	return ofNodes(f, "node", slices.Clone[[]Node], question{
		good: "kubelets fit API server " + f.Server.Value.Version, bad: "have a kubelet that does not fit API server " + f.Server.Value.Version,
		fix: "kubectl drain NODE --ignore-daemonsets, then install the API server's kubelet version on it and kubectl uncordon NODE",
		ask: func(n Node) string { return skew(server, n.KubeletVersion) },
	})
}

func skew(server []int, kubelet string) string {
	got := numbers(kubelet)
	if len(got) < 2 {
		return fmt.Sprintf("kubelet version %q is not a version", kubelet)
	}
	allowed := 3
	if got[1] < 25 {
		allowed = 2
	}
	behind := server[1] - got[1]
	switch {
	case got[0] != server[0] || behind < 0:
		return "kubelet " + kubelet + " is newer than the API server"
	case behind > allowed:
		return fmt.Sprintf("kubelet %s is %d minor versions older than the API server", kubelet, behind)
	}
	return ""
}

func serverClock(f Facts) Finding {
	if !f.Server.Known {
		return NotKnown(f.Server.Why)
	}
	off := f.Server.Value.ClockSkew.Round(time.Second)
	if off.Abs() > 30*time.Second {
		return Fail(fmt.Sprintf("the API server's clock and this machine's are %s apart", off.Abs()), "timedatectl set-ntp true", fmt.Sprintf("API server less this machine: %s", off))
	}
	return Pass(fmt.Sprintf("the API server's clock is within %s of this machine's", max(off.Abs(), time.Second)))
}
