package main

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/onectl/onectl/pkg/node/cause"
)

// forwarding6 is where the kernel says whether it forwards IPv6. Routes of pods cannot be made through netlink so that they
// work without it, and turning it on ends router advertisements on the node's own links: that is the operator's to decide.
const forwarding6 = "/proc/sys/net/ipv6/conf/all/forwarding"

// adviseForwarding tells people when pods have IPv6 addresses on a node that does not forward them.
func (n *node) adviseForwarding() {
	if !n.config.ENI.Dual() {
		return
	}
	text, err := os.ReadFile(forwarding6)
	if err == nil && strings.TrimSpace(string(text)) == "1" {
		return
	}
	advice := "ip_stack is dual and this node does not forward IPv6, so pods reach nobody with it; run sysctl -w net.ipv6.conf.all.forwarding=1 on the node, and keep it in /etc/sysctl.d"
	if errors.Is(err, fs.ErrNotExist) {
		advice = "ip_stack is dual and this node's kernel has no IPv6; boot it with IPv6, or set ip_stack to ipv4 in eni-config"
	}
	n.logger.Warn(advice, "cause", cause.IPv6ForwardingOff)
	n.tell(cause.IPv6ForwardingOff, advice)
}
