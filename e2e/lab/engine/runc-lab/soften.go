package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

const sysResource = 24 // CAP_SYS_RESOURCE, linux/capability.h

// hasSysResource reads a /proc/PID/status: is the capability in the effective and in the bounding set?
func hasSysResource(status string) bool {
	all := uint64(1) << sysResource
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		if name != "CapEff" && name != "CapBnd" {
			continue
		}
		set, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err != nil {
			return false
		}
		all &= set
	}
	return all != 0
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

// softenBundle changes an OCI runtime configuration (config.json).
func softenBundle(document object) {
	if process, ok := document["process"].(object); ok {
		softenProcess(process)
	}
}

// softenProcess changes an OCI process: the one of a configuration, or the file of `runc exec --process`.
func softenProcess(process object) {
	if sets, ok := process["capabilities"].(object); ok {
		for name, set := range sets {
			if list, ok := set.([]any); ok {
				sets[name] = slices.DeleteFunc(list, func(c any) bool { return c == "CAP_SYS_RESOURCE" })
			}
		}
	}
	if score, ok := process["oomScoreAdj"].(json.Number); ok && strings.HasPrefix(score.String(), "-") {
		process["oomScoreAdj"] = 0
	}
}
