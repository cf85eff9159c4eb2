// Package conflist makes the list of CNI plugins that the container runtime reads, from the configuration of our own
// plugin.
package conflist

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/onectl/onectl/pkg/node/cni"
)

// FileName is the list's name in the runtime's configuration folder. Runtimes take the first file by name.
const FileName = "10-terway.conflist"

// Options say what goes into the list besides our plugin's own keys.
type Options struct {
	Socket  string // of the daemon; cni.DefaultSocket is not written
	PortMap bool   // the node has the plugin portmap, for hostPort
}

// Render returns the list for 10-terway.conf. cniVersion and name are the list's; every other key stays with the plugin as it
// is written. The plugin's capability "bandwidth" is added when nothing is said of it: without it the runtime would keep
// the Pod's bandwidth annotations to itself.
func Render(terwayConf []byte, o Options) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(terwayConf))
	decoder.UseNumber()
	plugin := map[string]any{}
	if err := decoder.Decode(&plugin); err != nil {
		return nil, fmt.Errorf("render %s: 10-terway.conf: %w", FileName, err)
	}
	list := struct {
		CNIVersion any   `json:"cniVersion"`
		Name       any   `json:"name"`
		Plugins    []any `json:"plugins"`
	}{plugin["cniVersion"], plugin["name"], []any{plugin}}
	if list.CNIVersion == nil {
		list.CNIVersion = "0.4.0"
	}
	if list.Name == nil {
		list.Name = "terway"
	}
	delete(plugin, "cniVersion")
	delete(plugin, "name")
	plugin["type"] = "terway"
	if err := offerBandwidth(plugin); err != nil {
		return nil, fmt.Errorf("render %s: 10-terway.conf: %w", FileName, err)
	}
	if o.Socket != "" && o.Socket != cni.DefaultSocket {
		plugin["socket"] = o.Socket
	}
	if o.PortMap {
		list.Plugins = append(list.Plugins, map[string]any{"type": "portmap", "capabilities": map[string]bool{"portMappings": true}})
	}
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", FileName, err)
	}
	return append(text, '\n'), nil
}

// offerBandwidth adds the capability unless the plugin's configuration says yes or no itself.
func offerBandwidth(plugin map[string]any) error {
	capabilities, given := plugin["capabilities"].(map[string]any)
	if plugin["capabilities"] != nil && !given {
		return errors.New(`capabilities must be an object such as {"bandwidth": true}`)
	}
	if _, said := capabilities["bandwidth"]; said {
		return nil
	}
	if capabilities == nil {
		capabilities = map[string]any{}
	}
	capabilities["bandwidth"] = true
	plugin["capabilities"] = capabilities
	return nil
}
