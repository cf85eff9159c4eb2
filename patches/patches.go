// Package patches holds what keeps a data centre's network plugin off cloud nodes, one file a plugin, to be used with plain
// kubectl or Helm. "onectl isolate apply" does the same, and does it also where somebody has set an affinity before.
package patches

import (
	"embed"
	"fmt"
	"slices"
	"strings"
)

// files are the patches.
//
//go:embed *.yaml
var files embed.FS

// Names lists the patches, without ".yaml".
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(fmt.Sprintf("patches: the embedded folder is not readable: %v", err)) // it is compiled in
	}
	var names []string
	for _, entry := range entries {
		names = append(names, strings.TrimSuffix(entry.Name(), ".yaml"))
	}
	slices.Sort(names)
	return names
}

// Get returns the text of a patch.
func Get(name string) (string, error) {
	text, err := files.ReadFile(name + ".yaml")
	if err != nil {
		return "", fmt.Errorf("there is no patch %q: the patches are %s", name, strings.Join(Names(), ", "))
	}
	return string(text), nil
}
