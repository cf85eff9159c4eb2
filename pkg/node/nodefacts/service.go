package nodefacts

import (
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// services looks for what configures links behind the daemon's back. A running systemd-networkd keeps its state in
// /run/systemd/netif/state, a running NetworkManager its devices in /run/NetworkManager/devices.
func (r *reader) services() {
	r.facts.Networkd = r.exists("run/systemd/netif/state")
	r.facts.NetworkManager = r.exists("run/NetworkManager/devices") || r.exists("run/NetworkManager/NetworkManager.pid")
	if !r.facts.Networkd {
		return
	}
	settings := r.networkd()
	r.facts.NetworkdManagesForeign = isOn(settings["ManageForeignRoutes"]) || isOn(settings["ManageForeignRoutingPolicyRules"])
}

func (r *reader) exists(name string) bool {
	_, err := fs.Stat(r.files, name)
	return err == nil
}

// networkd is the section [Network] of networkd.conf and its drop-ins, as networkd.conf(5) merges them: the first main file
// of the folders, then every drop-in sorted by name, where a folder further left hides equal names of the others.
func (r *reader) networkd() map[string]string {
	folders := []string{"etc/systemd", "run/systemd", "usr/local/lib/systemd", "usr/lib/systemd"}
	settings, dropIns := map[string]string{}, map[string]string{}
	for _, folder := range slices.Backward(folders) {
		for name := range r.names(folder + "/networkd.conf.d") {
			dropIns[name] = folder + "/networkd.conf.d/" + name
		}
	}
	for _, folder := range folders {
		if r.exists(folder + "/networkd.conf") {
			r.section(folder+"/networkd.conf", settings)
			break
		}
	}
	for _, name := range slices.Sorted(maps.Keys(dropIns)) {
		if path.Ext(name) == ".conf" {
			r.section(dropIns[name], settings)
		}
	}
	return settings
}

// section reads the assignments of [Network] into settings.
func (r *reader) section(name string, settings map[string]string) {
	data, err := fs.ReadFile(r.files, name)
	if err != nil {
		r.problem("read /%s: %v", name, cause(err))
		return
	}
	section := ""
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[':
			section = line
		case section == "[Network]":
			key, value, _ := strings.Cut(line, "=")
			settings[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
}

// isOn reads a boolean of systemd whose default is yes.
func isOn(value string) bool {
	switch strings.ToLower(value) {
	case "0", "no", "n", "false", "f", "off":
		return false
	}
	return true
}

// udevRules is the files of udev rules that give ENIs names or addresses by themselves. Upstream Terway deletes those of
// Alibaba Cloud's images; we name them.
func (r *reader) udevRules() []string {
	var found []string
	for _, folder := range []string{"etc/udev/rules.d", "run/udev/rules.d", "usr/lib/udev/rules.d", "lib/udev/rules.d"} {
		for name := range r.names(folder) {
			if meddles(name) && !slices.Contains(found, "/usr/"+folder+"/"+name) { // /lib is /usr/lib on most systems
				found = append(found, "/"+folder+"/"+name)
			}
		}
	}
	slices.Sort(found)
	return found
}

func meddles(name string) bool {
	known := []string{"60-net.rules", "61-eni.rules", "70-persistent-net.rules", "75-persistent-net-generator.rules"}
	return slices.Contains(known, name) || strings.Contains(name, "write_net_rules")
}

// names is the entries of a folder; none when it cannot be read.
func (r *reader) names(folder string) map[string]bool {
	entries, _ := fs.ReadDir(r.files, folder)
	names := map[string]bool{}
	for _, entry := range entries {
		names[entry.Name()] = true
	}
	return names
}
