package preflight

import (
	"fmt"
	"slices"
	"testing"
)

// A whole preflight of a thousand nodes may take five seconds; this is what the checks of cluster, nodes and add-on take.
func BenchmarkChecksOfAThousandNodes(b *testing.B) {
	f := goodFacts(func(f *Facts) {
		for i := range 1000 {
			n := goodCloudNode(fmt.Sprintf("cloud-%d", i), fmt.Sprintf("i-9%d", i), "cn-hangzhou-i", fmt.Sprintf("10.1.%d.%d", i/250, i%250), "10.244.2.0/24")
			for link := range 30 {
				n.Facts.Value.MTU[fmt.Sprintf("cali%08d", link)] = 1500
			}
			f.Nodes.Value = append(f.Nodes.Value, n)
		}
		for i := range 100 {
			f.Workloads.Value = append(f.Workloads.Value, Workload{Kind: "DaemonSet", Namespace: "a", Name: fmt.Sprintf("d%d", i), Tolerations: f.Workloads.Value[0].Tolerations})
		}
	})
	b.ResetTimer()
	for b.Loop() {
		for _, c := range slices.Concat(clusterChecks(), nodeChecks(), addonChecks()) {
			c.Run(f)
		}
	}
}
