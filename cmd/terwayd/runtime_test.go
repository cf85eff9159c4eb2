package main

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/containernetworking/cni/libcni"
	types100 "github.com/containernetworking/cni/pkg/types/100"

	"github.com/onectl/onectl/pkg/testkit"
)

// pod is a sandbox of a pod.
type pod struct {
	id, name string
	ns       *testkit.NetNS
	gives    map[string]any // runtimeConfig, by capability
}

func (s *stand) pod(id, name string) pod {
	s.t.Helper()
	return pod{id: id, name: name, ns: testkit.NewNetNS(s.t)}
}

func (p pod) runtime() *libcni.RuntimeConf {
	return &libcni.RuntimeConf{ContainerID: p.id, NetNS: p.ns.Path, IfName: "eth0", CapabilityArgs: p.gives, Args: [][2]string{
		{"IgnoreUnknown", "1"}, {"K8S_POD_NAMESPACE", "default"}, {"K8S_POD_NAME", p.name}, {"K8S_POD_INFRA_CONTAINER_ID", p.id},
	}}
}

// list is the plugin list that the daemon wrote.
func (s *stand) list() *libcni.NetworkConfigList {
	s.t.Helper()
	list, err := libcni.ConfListFromFile(s.path("net.d", "10-terway.conflist"))
	s.must(err)
	return list
}

// inHost runs do as the container runtime: in the node's namespace.
func (s *stand) inHost(do func(list *libcni.NetworkConfigList) error) (err error) {
	s.t.Helper()
	list := s.list()
	s.host.Do(func() { err = do(list) })
	return err
}

func (s *stand) tryAdd(p pod) (ip netip.Addr, result *types100.Result, err error) {
	s.t.Helper()
	err = s.inHost(func(list *libcni.NetworkConfigList) error {
		raw, err := s.cni.AddNetworkList(s.t.Context(), list, p.runtime())
		if err != nil {
			return err
		}
		result, err = types100.NewResultFromResult(raw)
		return err
	})
	if err != nil {
		return netip.Addr{}, nil, err
	}
	ip, _ = netip.AddrFromSlice(result.IPs[0].Address.IP.To4())
	return ip, result, nil
}

func (s *stand) add(p pod) netip.Addr {
	s.t.Helper()
	ip, _, err := s.tryAdd(p)
	if err != nil {
		s.t.Fatalf("ADD of %s: %v", p.name, err)
	}
	return ip
}

func (s *stand) del(p pod) error {
	s.t.Helper()
	return s.inHost(func(list *libcni.NetworkConfigList) error {
		return s.cni.DelNetworkList(s.t.Context(), list, p.runtime())
	})
}

func (s *stand) check(p pod) error {
	s.t.Helper()
	return s.inHost(func(list *libcni.NetworkConfigList) error {
		return s.cni.CheckNetworkList(s.t.Context(), list, p.runtime())
	})
}

func (s *stand) status() error {
	s.t.Helper()
	return s.inHost(func(list *libcni.NetworkConfigList) error { return s.cni.GetStatusNetworkList(s.t.Context(), list) })
}

// gauge reads one number of /metrics, by the beginning of its line.
func (s *stand) gauge(name string) (value float64) {
	s.t.Helper()
	body, _ := s.get("/metrics")
	for line := range strings.SplitSeq(body, "\n") {
		if strings.HasPrefix(line, name) {
			fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &value)
			return value
		}
	}
	s.t.Fatalf("no metric %s", name)
	return 0
}

func (s *stand) ping(from *testkit.NetNS, to netip.Addr) {
	s.t.Helper()
	if err := from.Ping(netip.Addr{}, to, 5*time.Second); err != nil {
		s.t.Error(err)
	}
}
