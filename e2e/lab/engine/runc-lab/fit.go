package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Capabilities by number, linux/capability.h.
const sysResource = 24

// newest are capabilities that engines older than Linux 5.9 do not know, so their "privileged" lacks them.
var newest = map[string]int{"CAP_PERFMON": 38, "CAP_BPF": 39, "CAP_CHECKPOINT_RESTORE": 40}

// capabilities are what this process may give, by number.
type capabilities uint64

func (c capabilities) has(number int) bool { return c&(1<<number) != 0 }

// capabilitiesOf reads a /proc/PID/status: those in the effective and in the bounding set. A damaged text has none.
func capabilitiesOf(status string) capabilities {
	all, seen := ^uint64(0), 0
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		if name != "CapEff" && name != "CapBnd" {
			continue
		}
		set, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err != nil {
			return 0
		}
		all &= set
		seen++
	}
	if seen != 2 {
		return 0
	}
	return capabilities(all)
}

type object = map[string]any

// edit rewrites a JSON file in place. Numbers stay as they were written: device and size limits exceed a float's exactness.
func edit(path string, change func(object)) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var document object
	if err := decoder.Decode(&document); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	change(document)
	if data, err = json.Marshal(document); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}

// fitBundle changes an OCI runtime configuration (config.json).
func (c capabilities) fitBundle(config object) {
	if process, ok := config["process"].(object); ok {
		c.fitProcess(process)
	}
}

// fitProcess changes an OCI process: the one of a configuration, or the file of `runc exec --process`.
func (c capabilities) fitProcess(process object) {
	if sets, ok := process["capabilities"].(object); ok {
		for name, set := range sets {
			if list, ok := set.([]any); ok {
				sets[name] = c.fit(list)
			}
		}
	}
	if score, ok := process["oomScoreAdj"].(json.Number); ok && strings.HasPrefix(score.String(), "-") && !c.has(sysResource) {
		process["oomScoreAdj"] = 0
	}
}

// fit takes out of a list what this process cannot give, and adds to a privileged one what its author did not know.
func (c capabilities) fit(list []any) []any {
	if !c.has(sysResource) {
		list = slices.DeleteFunc(list, func(name any) bool { return name == "CAP_SYS_RESOURCE" })
	}
	if !slices.Contains(list, any("CAP_SYS_ADMIN")) {
		return list
	}
	for _, name := range slices.Sorted(maps.Keys(newest)) {
		if c.has(newest[name]) && !slices.Contains(list, any(name)) {
			list = append(list, name)
		}
	}
	return list
}
