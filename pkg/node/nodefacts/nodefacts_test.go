package nodefacts

import (
	"bytes"
	"compress/gzip"
	"maps"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func at() time.Time { return time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC) }

// tree is a folder of files: path to content.
func tree(files map[string]string) fstest.MapFS {
	all := fstest.MapFS{}
	for name, content := range files {
		all[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return all
}

func kernelFiles(more map[string]string) fstest.MapFS {
	files := map[string]string{
		"proc/sys/kernel/osrelease":                 "6.1.0-18-amd64\n",
		"proc/sys/kernel/unprivileged_bpf_disabled": "2\n",
		"proc/sys/net/ipv4/conf/all/rp_filter":      "1\n",
		"proc/sys/net/ipv4/conf/default/rp_filter":  "2\n",
		"proc/sys/net/ipv4/ip_forward":              "1\n",
		"sys/class/net/lo/mtu":                      "65536\n",
		"sys/class/net/eth0/mtu":                    "1500\n",
		"sys/class/net/eth1/mtu":                    "8500\n",
		"sys/class/net/bonding_masters":             "bond0\n",
		"sys/class/net/cali0123456789a/mtu":         "1450\n",
		"sys/class/net/veth1a2b/mtu":                "1500\n",
	}
	maps.Copy(files, more)
	return tree(files)
}

func TestReadSaysWhatANodeIs(t *testing.T) {
	files := tree(map[string]string{
		"run/systemd/netif/state":                           "OPER_STATE=routable\n",
		"run/NetworkManager/devices/2":                      "",
		"etc/cni/net.d/10-terway.conflist":                  "{}",
		"etc/cni/net.d/05-cilium.conf":                      "{}",
		"etc/cni/net.d/calico-kubeconfig":                   "",
		"etc/cni/net.d/10-calico.conflist.bak":              "",
		"etc/udev/rules.d/61-eni.rules":                     "",
		"usr/lib/udev/rules.d/60-net.rules":                 "",
		"lib/udev/rules.d/60-net.rules":                     "",
		"usr/lib/udev/rules.d/80-net-setup-link.rules":      "",
		"etc/udev/rules.d/70-persistent-net.rules.disabled": "",
	})
	want := Facts{
		Kernel: "6.1.0-18-amd64", RPFilterAll: 1, RPFilterDefault: 2, IPForward: true,
		MTU: map[string]int{"lo": 65536, "eth0": 1500, "eth1": 8500, "veth1a2b": 1500}, Links: []string{"eth0", "eth1", "lo"},
		Networkd: true, NetworkManager: true, NetworkdManagesForeign: true, HasClsactBPF: true, Clock: at(),
		UdevENIRules: []string{"/etc/udev/rules.d/61-eni.rules", "/usr/lib/udev/rules.d/60-net.rules"},
		CNIConfs:     []string{"05-cilium.conf", "10-terway.conflist"},
	}
	if diff := cmp.Diff(want, Read(kernelFiles(nil), files, at())); diff != "" {
		t.Error(diff)
	}
}

func TestReadNamesWhatCannotBeRead(t *testing.T) {
	got := Read(tree(nil), tree(nil), at())
	if got.RPFilterAll != Unknown || got.RPFilterDefault != Unknown || got.HasClsactBPF {
		t.Errorf("unreadable settings look read: %+v", got)
	}
	all := strings.Join(got.Problems, "\n")
	for _, path := range []string{"/proc/sys/kernel/osrelease", "/proc/sys/net/ipv4/conf/all/rp_filter", "/proc/sys/net/ipv4/ip_forward", "/sys/class/net"} {
		if !strings.Contains(all, path) {
			t.Errorf("problems do not name %s:\n%s", path, all)
		}
	}
	odd := Read(kernelFiles(map[string]string{"proc/sys/net/ipv4/conf/all/rp_filter": "strict"}), tree(nil), at())
	if odd.RPFilterAll != Unknown || !strings.Contains(strings.Join(odd.Problems, ""), `"strict" is not a number`) {
		t.Errorf("a text for a number passes: %+v", odd)
	}
}

func TestNetworkdManagesForeignFollowsItsConfiguration(t *testing.T) {
	const both = "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules = off\n"
	running := map[string]string{"run/systemd/netif/state": ""}
	for name, test := range map[string]struct {
		files map[string]string
		want  bool
	}{
		"not running":          {files: map[string]string{"etc/systemd/networkd.conf": "[Network]\n"}, want: false},
		"defaults":             {files: running, want: true},
		"switched off":         {files: with(running, "etc/systemd/networkd.conf", both), want: false},
		"only routes":          {files: with(running, "etc/systemd/networkd.conf", "[Network]\nManageForeignRoutes=no\n"), want: true},
		"another section":      {files: with(running, "etc/systemd/networkd.conf", "[DHCPv4]\n"+both[len("[Network]\n"):]), want: true},
		"commented":            {files: with(running, "etc/systemd/networkd.conf", "[Network]\n#ManageForeignRoutes=no\n;ManageForeignRoutingPolicyRules=no\n"), want: true},
		"drop-in":              {files: with(running, "etc/systemd/networkd.conf.d/10-terway.conf", both), want: false},
		"drop-in hidden":       {files: with(with(running, "etc/systemd/networkd.conf.d/10.conf", "[Network]\n"), "usr/lib/systemd/networkd.conf.d/10.conf", both), want: true},
		"later drop-in wins":   {files: with(with(running, "usr/lib/systemd/networkd.conf.d/10.conf", both), "etc/systemd/networkd.conf.d/90.conf", "[Network]\nManageForeignRoutes=yes\n"), want: true},
		"etc hides usr/lib":    {files: with(with(running, "etc/systemd/networkd.conf", "[Network]\n"), "usr/lib/systemd/networkd.conf", both), want: true},
		"not a drop-in's name": {files: with(running, "etc/systemd/networkd.conf.d/10.conf.bak", both), want: true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Read(kernelFiles(nil), tree(test.files), at()).NetworkdManagesForeign; got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func with(files map[string]string, name, content string) map[string]string {
	all := maps.Clone(files)
	all[name] = content
	return all
}

func TestClsactFollowsTheKernel(t *testing.T) {
	config := func(text string) string {
		var zipped bytes.Buffer
		w := gzip.NewWriter(&zipped)
		_, _ = w.Write([]byte(text))
		_ = w.Close()
		return zipped.String()
	}
	const all = "CONFIG_BPF=y\nCONFIG_BPF_SYSCALL=y\nCONFIG_NET_SCH_INGRESS=m\n"
	for name, test := range map[string]struct {
		kernel, files map[string]string
		want          bool
	}{
		"no configuration, new":   {want: true},
		"no configuration, old":   {kernel: map[string]string{"proc/sys/kernel/osrelease": "3.10.0-1160.el7.x86_64"}, want: false},
		"configuration has it":    {kernel: map[string]string{"proc/config.gz": config(all)}, want: true},
		"configuration lacks bpf": {kernel: map[string]string{"proc/config.gz": config("# CONFIG_BPF_SYSCALL is not set\nCONFIG_NET_SCH_INGRESS=m\n")}, want: false},
		"configuration lacks it":  {kernel: map[string]string{"proc/config.gz": config("CONFIG_BPF_SYSCALL=y\n")}, want: false},
		"tcx":                     {kernel: map[string]string{"proc/config.gz": config("CONFIG_BPF_SYSCALL=y\nCONFIG_NET_XGRESS=y\n")}, want: true},
		"in boot":                 {files: map[string]string{"boot/config-6.1.0-18-amd64": "CONFIG_BPF_SYSCALL=y\n"}, want: false},
		"in modules":              {files: map[string]string{"usr/lib/modules/6.1.0-18-amd64/config": all}, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Read(kernelFiles(test.kernel), tree(test.files), at()).HasClsactBPF; got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
	files := kernelFiles(nil)
	delete(files, "proc/sys/kernel/unprivileged_bpf_disabled")
	if Read(files, tree(nil), at()).HasClsactBPF {
		t.Error("a kernel without the bpf system call has it")
	}
}
