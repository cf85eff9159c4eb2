// Package nodefacts reads what a node is, as far as pods' traffic depends on it: kernel settings, links, and the services
// on the node that meddle with links, routes and rules. Everything comes from files (/proc, /sys, /etc, /run, /usr/lib),
// so it needs neither rights nor a netlink socket, and nothing is ever written.
package nodefacts

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Unknown is the value of a kernel setting that could not be read; Problems says why.
const Unknown = -1

// Facts is what a node is. `terwayd facts` prints it as JSON.
type Facts struct {
	Kernel                 string         `json:"kernel"`                 // "6.1.0-18-amd64"
	RPFilterAll            int            `json:"rpFilterAll"`            // net.ipv4.conf.all.rp_filter: 0 off, 1 strict, 2 loose
	RPFilterDefault        int            `json:"rpFilterDefault"`        // the same of links that come
	IPForward              bool           `json:"ipForward"`              // net.ipv4.ip_forward
	MTU                    map[string]int `json:"mtu,omitempty"`          // in bytes, of each of Links, and of the pod's link that has the largest
	Networkd               bool           `json:"networkd"`               // systemd-networkd runs
	NetworkManager         bool           `json:"networkManager"`         // NetworkManager runs
	NetworkdManagesForeign bool           `json:"networkdManagesForeign"` // systemd-networkd runs, and removes routes or rules that are not its own
	UdevENIRules           []string       `json:"udevENIRules,omitempty"` // udev rules that rename or configure ENIs when they come
	HasClsactBPF           bool           `json:"hasClsactBPF"`           // programs can mark packets at a link (clsact or tcx)
	Clock                  time.Time      `json:"clock"`                  // the node's, UTC
	Links                  []string       `json:"links,omitempty"`        // sorted, without the host ends of pods' links
	CNIConfs               []string       `json:"cniConfs,omitempty"`     // files in /etc/cni/net.d that a container runtime reads, in its order
	Problems               []string       `json:"problems,omitempty"`     // what could not be read, one sentence each
}

// reader gathers Facts from the kernel's files (proc, sys) and the node's (etc, run, usr/lib).
type reader struct {
	kernel fs.FS
	files  fs.FS
	facts  Facts
}

// Read reads a node. kernel has the folders proc and sys, files the node's etc, run and usr/lib; in a pod they are different
// roots. What cannot be read is one of Problems; a file of an optional service that is not there is none.
func Read(kernel, files fs.FS, now time.Time) Facts {
	r := &reader{kernel: kernel, files: files, facts: Facts{MTU: map[string]int{}, Clock: now.UTC()}}
	r.facts.Kernel = r.text("proc/sys/kernel/osrelease")
	r.facts.RPFilterAll = r.number("proc/sys/net/ipv4/conf/all/rp_filter")
	r.facts.RPFilterDefault = r.number("proc/sys/net/ipv4/conf/default/rp_filter")
	r.facts.IPForward = r.number("proc/sys/net/ipv4/ip_forward") == 1
	r.facts.HasClsactBPF = r.clsact()
	r.links()
	r.services()
	r.facts.UdevENIRules = r.udevRules()
	r.facts.CNIConfs = r.cniConfs()
	return r.facts
}

func (r *reader) problem(format string, args ...any) {
	r.facts.Problems = append(r.facts.Problems, fmt.Sprintf(format, args...))
}

func (r *reader) text(path string) string {
	data, err := fs.ReadFile(r.kernel, path)
	if err != nil {
		r.problem("read /%s: %v", path, cause(err))
	}
	return strings.TrimSpace(string(data))
}

func (r *reader) number(path string) int {
	text := r.text(path)
	if text == "" {
		return Unknown
	}
	value, err := strconv.Atoi(text)
	if err != nil {
		r.problem("read /%s: %q is not a number", path, text)
		return Unknown
	}
	return value
}

// links reads every link. Of the host ends of pods' links, of which a node has hundreds that are all alike, only the one
// with the largest MTU is kept: it says what pods may send.
func (r *reader) links() {
	entries, err := fs.ReadDir(r.kernel, "sys/class/net")
	if err != nil {
		r.problem("read /sys/class/net: %v", cause(err))
		return
	}
	pod, most := "", 0
	for _, entry := range entries {
		name := entry.Name()
		mtu, ok := r.mtu(name)
		switch {
		case !ok:
		case !isPodLink(name):
			r.facts.Links = append(r.facts.Links, name)
			r.facts.MTU[name] = mtu
		case mtu > most:
			pod, most = name, mtu
		}
	}
	if pod != "" {
		r.facts.MTU[pod] = most
	}
	slices.Sort(r.facts.Links)
}

// mtu is a link's, ok false when there is none of that name: bonding_masters is a file there, and links come and go.
func (r *reader) mtu(link string) (mtu int, ok bool) {
	data, err := fs.ReadFile(r.kernel, "sys/class/net/"+link+"/mtu")
	if err != nil {
		return 0, false
	}
	mtu, err = strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		r.problem("read /sys/class/net/%s/mtu: %v", link, err)
	}
	return mtu, err == nil
}

// isPodLink knows the names that CNI plugins give to host ends: Calico and Terway, the reference plugins, Cilium.
func isPodLink(name string) bool {
	for _, prefix := range []string{"cali", "veth", "lxc"} {
		if strings.HasPrefix(name, prefix) {
			return name != "lxcbr0"
		}
	}
	return false
}

// cniConfs is the files that a container runtime considers; it takes the first.
func (r *reader) cniConfs() []string {
	entries, err := fs.ReadDir(r.files, "etc/cni/net.d")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		r.problem("read /etc/cni/net.d: %v", cause(err))
	}
	var names []string
	for _, entry := range entries {
		if suffix := entry.Name()[strings.LastIndexByte(entry.Name(), '.')+1:]; suffix == "conf" || suffix == "conflist" || suffix == "json" {
			names = append(names, entry.Name())
		}
	}
	slices.Sort(names)
	return names
}

// cause is an error without the path, which the sentence around it has.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
