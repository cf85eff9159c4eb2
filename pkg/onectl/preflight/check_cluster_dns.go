package preflight

import (
	"fmt"
	"net/netip"
	"slices"
)

func dnsChecks() []Check {
	const category = "Services and DNS"
	return []Check{{
		ID: "dns-ready", Title: "The cluster's DNS server is ready", Category: category, Severity: Error, Run: dnsReady,
		Explain: "Pods on cloud nodes resolve names through the same CoreDNS as those of the data centre. At least one of its pods must be ready and stand behind the Service kube-dns, or every name lookup of a new pod fails. " +
			"Replicas and the Service's endpoints are counted. When pods are there and not ready, their log says why; CoreDNS waits for a network plugin on its node.",
		Fix: "kubectl -n kube-system rollout restart deployment/coredns",
	}, {
		ID: "dns-address", Title: "The DNS Service's address is in the Service CIDR", Category: category, Severity: Error, Run: dnsAddress,
		Explain: "The kubelet writes one address into every pod's resolv.conf, and kube-proxy must translate it to CoreDNS. Terway sends what is not the Service CIDR to the VPC, so a DNS address outside of it is lost there. " +
			"The address of Service kube-system/kube-dns is compared with the API server's Service CIDRs. Make the Service anew with an address of the CIDR, and give the kubelets that address as clusterDNS.",
		Fix: "kubectl -n kube-system get service kube-dns -o wide",
	}}
}

func dnsReady(f Facts) Finding {
	if !f.DNS.Known {
		return NotKnown(f.DNS.Why)
	}
	d := f.DNS.Value
	seen := []string{fmt.Sprintf("%d of %d replicas are ready", d.Ready, d.Desired), fmt.Sprintf("%d ready endpoints behind the Service", d.Endpoints)}
	switch {
	case !d.Found:
		return Fail("there is no CoreDNS in kube-system", "kubeadm init phase addon coredns")
	case d.Desired == 0:
		return Fail("CoreDNS is scaled to zero", "kubectl -n kube-system scale deployment/coredns --replicas=2", seen...)
	case d.Ready == 0:
		return Fail("no replica of CoreDNS is ready", "kubectl -n kube-system rollout restart deployment/coredns", seen...)
	case d.Endpoints == 0:
		return Fail("no ready CoreDNS pod stands behind the DNS Service", "kubectl -n kube-system describe service kube-dns", seen...)
	case d.Ready < d.Desired:
		return Warn("not every replica of CoreDNS is ready", "kubectl -n kube-system rollout restart deployment/coredns", seen...)
	}
	return Pass("CoreDNS is ready", seen...)
}

func dnsAddress(f Facts) Finding {
	switch {
	case !f.DNS.Known:
		return NotKnown(f.DNS.Why)
	case !f.DNS.Value.Found:
		return NotApplicable("there is no CoreDNS: see check dns-ready")
	case !f.DNS.Value.Service.IsValid():
		return Fail("CoreDNS has no Service kube-system/kube-dns with a cluster address", "kubeadm init phase addon coredns")
	case !f.Server.Known:
		return NotKnown(f.Server.Why)
	case len(f.Server.Value.ServiceCIDRs) == 0:
		return NotKnown("the API server's Service CIDR is not known")
	}
	address, cidrs := f.DNS.Value.Service, f.Server.Value.ServiceCIDRs
	if !slices.ContainsFunc(cidrs, func(p netip.Prefix) bool { return p.Contains(address) }) {
		return Fail(fmt.Sprintf("the DNS Service's address %s is outside the Service CIDR", address), "kubectl -n kube-system delete service kube-dns && kubeadm init phase addon coredns", fmt.Sprintf("Service CIDRs: %v", cidrs))
	}
	return Pass(fmt.Sprintf("pods ask DNS at %s", address))
}
