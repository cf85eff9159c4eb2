package conf

import (
	"fmt"
	"strconv"
)

// ParseCNI reads the text of 10-terway.conf. The error joins every problem, each with its path, and says what to do;
// the configuration is usable only without one. Warnings may come with or without an error.
func ParseCNI(text []byte) (CNIConf, []Warning, error) {
	o, err := parse("10-terway.conf", text)
	if err != nil {
		return CNIConf{}, nil, err
	}
	c := CNIConf{
		CNIVersion:    o.choice("cniVersion", "0.4.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"),
		Name:          o.text("name", "terway"),
		Type:          o.choice("type", "terway", "terway"),
		VirtualType:   o.choice("eniip_virtual_type", "Veth", "Veth", "IPVlan", "datapathv2"),
		MTU:           o.number("mtu", 1500, 0),
		AutoMTU:       o.boolean("auto_mtu", false),
		DisablePeer:   o.boolean("disable_host_peer", false),
		VLANStripType: o.choice("vlan_strip_type", "filter", "filter", "vlan"),
		Debug:         o.boolean("debug", false),
	}
	c.readCapabilities(o)
	c.readRoutes(o)
	c.readSymmetric(o)
	o.pluginWithoutEffect(c)
	c.validate(o)
	o.rest()
	warnings, err := o.result()
	return c, warnings, err
}

func (c *CNIConf) readCapabilities(o *object) {
	capabilities := o.child("capabilities")
	c.Bandwidth = capabilities.boolean("bandwidth", true)
	capabilities.rest()
}

func (c *CNIConf) readRoutes(o *object) {
	for i, text := range o.texts("host_stack_cidrs") {
		if prefix, ok := o.prefix(fmt.Sprintf("%s[%d]", o.at("host_stack_cidrs"), i), text); ok {
			c.HostStackCIDRs = append(c.HostStackCIDRs, prefix)
		}
	}
}

func (c *CNIConf) readSymmetric(o *object) {
	_, given := o.fields["symmetric_routing_config"]
	s := o.child("symmetric_routing_config")
	c.SymmetricRouting = Symmetric{
		Enabled:   o.boolean("symmetric_routing", true),
		Interface: s.text("interface", "eth0"),
		Mark:      s.bits("mark", 0x10),
		Mask:      s.bits("mask", 0x10),
		TableID:   s.number("table_id", 100, 1),
		Priority:  s.number("rule_priority", 600, 1),
		Backend:   s.choice("backend", "iptables", "iptables", "nftables"),
	}
	s.asked["comment"] = true
	s.rest()
	if given {
		o.found.warn(o.at("symmetric_routing_config"), "the mark and the mask are used, nothing else: replies leave by the link of the default route, by nftables, the main table and a rule with priority 600")
	}
}

// bits reads a 32-bit mask: a number, or a string such as "0x10".
func (o *object) bits(key string, fallback uint32) uint32 {
	raw := string(o.fields[key])
	if text, err := strconv.Unquote(raw); err == nil {
		raw = text
	}
	o.asked[key] = true
	if raw == "" || raw == "null" {
		return fallback
	}
	value, err := strconv.ParseUint(raw, 0, 32)
	if err != nil {
		o.found.problem(o.at(key), "it is %s; it must be a number of 32 bits such as 16 or \"0x10\"", raw)
		return fallback
	}
	return uint32(value)
}

func (c *CNIConf) validate(o *object) {
	if c.MTU != 0 && (c.MTU < 576 || c.MTU > 9000) {
		o.found.problem(o.at("mtu"), "it is %d; it must be 0 (the ENI's), or 576 to 9000", c.MTU)
	}
}
