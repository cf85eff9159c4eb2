// Package addon knows the add-ons: what there is, which objects one consists of (Render is pure: dry runs print exactly
// what is applied), how Terway's configuration follows from the registered cluster, and when an add-on is up.
package addon

import (
	"fmt"
	"slices"
	"strings"

	"github.com/onectl/onectl/pkg/onectl/spelling"
)

// Addon is one entry of the catalogue.
type Addon struct {
	Name     string `json:"name"`
	Category string `json:"category"`
	Summary  string `json:"summary"`
	Bundled  bool   `json:"bundled"` // onectl carries it and can install it; the others are installed by the platform
}

// Terway is the add-on that gives pods on cloud nodes their addresses.
const Terway = "terway-eniip"

// Catalogue is every add-on that onectl knows, sorted by name.
func Catalogue() []Addon {
	return []Addon{
		{"ack-cost-exporter", "Cost", "cost insights", false},
		{"ack-node-problem-detector", "Logs and Monitoring", "node events to the event center", false},
		{"ack-virtual-node", "Others", "pods on elastic container instances", false},
		{"alicloud-monitor-controller", "Logs and Monitoring", "alerting", false},
		{"aliyun-acr-credential-helper", "Security", "pulls from Container Registry without a password", false},
		{"csi-plugin", "Storage", "volumes of disks, NAS and OSS, on nodes", false},
		{"csi-provisioner", "Storage", "volumes of disks, NAS and OSS, made on demand", false},
		{"logtail-ds", "Logs and Monitoring", "logs to Log Service", false},
		{"migrate-controller", "Application backup", "backups to OSS", false},
		{Terway, "Networking", "pods on cloud nodes get VPC addresses from ENIs", true},
	}
}

// Names is the names in the catalogue; with bundled, only of those that onectl can install.
func Names(bundled bool) []string {
	var names []string
	for _, a := range Catalogue() {
		if a.Bundled || !bundled {
			names = append(names, a.Name)
		}
	}
	return names
}

// Find returns the add-on of a name. Its error suggests the name that was probably meant.
func Find(name string) (Addon, error) {
	all := Catalogue()
	at := slices.IndexFunc(all, func(a Addon) bool { return a.Name == name })
	if at >= 0 {
		return all[at], nil
	}
	if near := nearest(name, Names(false)); near != "" {
		return Addon{}, fmt.Errorf("unknown add-on %q: did you mean %q? \"onectl addon list\" shows all", name, near)
	}
	return Addon{}, fmt.Errorf("unknown add-on %q: \"onectl addon list\" shows all", name)
}

// nearest is the candidate that takes the fewest edits from name, "" when none is near. A name cut short ("terway") is near.
func nearest(name string, candidates []string) string {
	best, fewest := "", max(len(name)/3, 2)+1
	for _, candidate := range candidates {
		edits := spelling.Distance(strings.ToLower(name), candidate)
		if len(name) >= 3 && strings.HasPrefix(candidate, strings.ToLower(name)) {
			edits = 0
		}
		if edits < fewest {
			best, fewest = candidate, edits
		}
	}
	return best
}
