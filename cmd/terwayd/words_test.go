package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os/exec"
	"strings"

	"github.com/onectl/onectl/pkg/testkit"
)

// asked is what a container runtime says in one call of the plugin's process: variables and standard input, true or not.
type asked struct {
	env    map[string]string // the only variables; an empty one is not set
	config map[string]any    // standard input
	raw    []byte            // standard input in place of config, when not nil
}

// said is what the process did.
type said struct {
	Exit        int
	Out, Stderr string
	Error       failure // of Out, zero when Out is none
	Result      added   // of Out
}

type failure struct {
	CNIVersion   string
	Code         uint
	Msg, Details string
}

// added is a result of ADD, as every version from 0.3.0 on has it.
type added struct {
	CNIVersion string `json:"cniVersion"`
	Interfaces []struct {
		Name    string `json:"name"`
		MAC     string `json:"mac,omitempty"`
		MTU     int    `json:"mtu,omitempty"`
		Sandbox string `json:"sandbox,omitempty"`
	} `json:"interfaces"`
	IPs []struct {
		Version   string `json:"version,omitempty"`
		Address   string `json:"address"`
		Gateway   string `json:"gateway,omitempty"`
		Interface int    `json:"interface"`
	} `json:"ips"`
	Routes []struct {
		Dst string `json:"dst"`
		GW  string `json:"gw,omitempty"`
	} `json:"routes"`
	DNS map[string]any `json:"dns,omitempty"`
}

// words is what a runtime that makes no mistake says about p's eth0.
func (s *stand) words(verb string, p pod) asked {
	w := asked{
		env: map[string]string{"CNI_COMMAND": verb, "CNI_PATH": s.path("bin")},
		config: map[string]any{
			"cniVersion": "1.1.0", "name": "terway", "type": "terway", "socket": s.path("run", "terway.sock"),
		},
	}
	if verb == "ADD" || verb == "DEL" || verb == "CHECK" {
		maps.Copy(w.env, map[string]string{"CNI_CONTAINERID": p.id, "CNI_NETNS": p.ns.Path, "CNI_IFNAME": "eth0",
			"CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=" + p.name})
	}
	return w
}

// with returns w with that variable.
func (w asked) with(name, value string) asked {
	w.env = maps.Clone(w.env)
	w.env[name] = value
	return w
}

// set returns w with that key of the configuration.
func (w asked) set(key string, value any) asked {
	w.config = maps.Clone(w.config)
	w.config[key] = value
	return w
}

// stdin returns w with that standard input.
func (w asked) stdin(raw []byte) asked {
	w.raw = raw
	return w
}

// command is the plugin's process before its start, in the node's namespace when it is started there.
func (s *stand) command(w asked) *exec.Cmd {
	command := exec.Command(s.path("bin", "terway"))
	command.Env = []string{}
	for name, value := range w.env {
		if value != "" {
			command.Env = append(command.Env, name+"="+value)
		}
	}
	if w.raw == nil {
		w.raw, _ = json.Marshal(w.config) // of maps and strings that tests write
	}
	command.Stdin = bytes.NewReader(w.raw)
	return command
}

// say calls the plugin on the node.
func (s *stand) say(w asked) said { return s.sayIn(s.host, w) }

// sayIn calls the plugin inside ns.
func (s *stand) sayIn(ns *testkit.NetNS, w asked) (did said) {
	command := s.command(w)
	var out, stderr bytes.Buffer
	command.Stdout, command.Stderr = &out, &stderr
	ns.Do(func() { _ = command.Run() }) // the exit code tells
	did.Exit, did.Out, did.Stderr = command.ProcessState.ExitCode(), out.String(), stderr.String()
	if did.Exit != 0 {
		_ = json.Unmarshal(out.Bytes(), &did.Error)
	} else {
		_ = json.Unmarshal(out.Bytes(), &did.Result)
	}
	return did
}

// text is all that an error says.
func (f failure) text() string { return strings.TrimSpace(f.Msg + "; " + f.Details) }
