package conf

import "net/netip"

// CNIConf is the content of 10-terway.conf. The comment beside a field is its key and its default.
type CNIConf struct {
	CNIVersion     string         // cniVersion, 0.4.0
	Name           string         // name, terway
	Type           string         // type, terway
	Bandwidth      bool           // capabilities.bandwidth, true: the Pod's bandwidth annotations hold
	VirtualType    string         // eniip_virtual_type, Veth; IPVlan and datapathv2 are served as Veth with a warning
	HostStackCIDRs []netip.Prefix // host_stack_cidrs
	MTU            int            // mtu, 1500
	AutoMTU        bool           // auto_mtu: take the ENI link's MTU
	DisablePeer    bool           // disable_host_peer
	VLANStripType  string         // vlan_strip_type, filter; or vlan
	Debug          bool           // debug

	SymmetricRouting Symmetric // symmetric_routing, symmetric_routing_config
}

// Symmetric is how answers to connections that came in by the primary ENI leave by it again.
type Symmetric struct {
	Enabled   bool   // symmetric_routing, true
	Interface string // interface, eth0
	Mark      uint32 // mark, 0x10
	Mask      uint32 // mask, 0x10
	TableID   int    // table_id, 100
	Priority  int    // rule_priority, 600
	Backend   string // backend, nftables; or iptables
}
