package fabric

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// setSysctls makes the namespace forward. A new namespace has the settings of the machine's own (devconf_inherit_init_net),
// so whatever matters is set.
func (r *router) setSysctls(proxyARP bool) error {
	answer := "0"
	if proxyARP {
		answer = "1"
	}
	return inNetNS(int(r.file.Fd()), func() error {
		return errors.Join(
			setSysctl("ipv4/ip_forward", "1"),
			setSysctl("ipv4/conf/all/proxy_arp", answer),
			setSysctl("ipv4/conf/all/arp_ignore", "0"),
			setSysctl("ipv4/conf/default/arp_ignore", "0"),
			setSysctl("ipv4/conf/all/arp_filter", "0"),
			setSysctl("ipv4/conf/default/arp_filter", "0"),
			setSysctl("ipv4/conf/all/rp_filter", "0"),
			setSysctl("ipv4/conf/default/rp_filter", "0"),
			setSysctl("ipv4/conf/all/send_redirects", "0"),
			setSysctl("ipv4/conf/default/send_redirects", "0"),
			setSysctl("ipv6/conf/all/forwarding", "1"),
			setSysctl("ipv6/conf/all/disable_ipv6", "1"), // setIPv6 enables single links
			setSysctl("ipv6/conf/default/disable_ipv6", "1"),
		)
	})
}

// answerARPAtOnce takes away the random delay, 0.8 s at most, before an ARP answer for somebody else.
func (r *router) answerARPAtOnce(link string) error {
	return inNetNS(int(r.file.Fd()), func() error { return setSysctl("ipv4/neigh/"+link+"/proxy_delay", "0") })
}

// setSysctl sets net/name for the thread's namespace, unless it has that value. A kernel without IPv6 is fine.
func setSysctl(name, value string) error {
	path := filepath.Join("/proc/sys/net", name)
	current, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(name, "ipv6/") {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read sysctl: %w", err)
	}
	if strings.TrimSpace(string(current)) == value {
		return nil
	}
	if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
		return fmt.Errorf("set sysctl: %w", err)
	}
	return nil
}
