package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/onectl/onectl/e2e/rig"
)

// sandbox is one network namespace of a pod, as a container runtime makes it.
type sandbox struct {
	id    string
	pod   string
	netns *os.File
	path  string       // a symbolic link to the namespace: unlike the number of a descriptor it is never another one's
	ips   []netip.Addr // of the node's families, IPv4 first
}

func (s *story) newSandbox(pod string) (*sandbox, error) {
	netns, err := rig.NewNetNS()
	if err != nil {
		return nil, err
	}
	box := &sandbox{id: fmt.Sprintf("%s-%06d", pod, s.boxes.Add(1)), pod: pod, netns: netns}
	box.path = filepath.Join(s.node.File("netns"), box.id)
	return box, os.Symlink(rig.Path(netns), box.path)
}

// end takes the namespace away, with all in it. It may be repeated.
func (b *sandbox) end() {
	_ = os.Remove(b.path)
	_ = b.netns.Close()
}

// call is one process of the plugin, as a container runtime starts it.
type call struct {
	verb  string
	box   *sandbox
	netns string         // "" for a DEL after the namespace has gone
	more  map[string]any // further keys of the configuration
}

// errRefused is what the plugin answered; any other error of a call is that of starting it.
var errRefused = errors.New("refused")

// plugin carries c out. It returns the plugin's answer.
func (s *story) plugin(ctx context.Context, c call) ([]byte, error) {
	config := map[string]any{"cniVersion": "1.1.0", "name": "terway", "type": "terway", "socket": s.node.Socket()}
	for key, value := range c.more {
		config[key] = value
	}
	text, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "terway"))
	cmd.Env = []string{"CNI_COMMAND=" + c.verb, "CNI_PATH=" + s.bin}
	if c.box != nil {
		cmd.Env = append(cmd.Env, "CNI_CONTAINERID="+c.box.id, "CNI_NETNS="+c.netns, "CNI_IFNAME=eth0",
			"CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=soak;K8S_POD_NAME="+c.box.pod)
	}
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout = bytes.NewReader(text), &out
	err = rig.In(s.node.Host, cmd.Start)
	if err == nil {
		err = cmd.Wait()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, fmt.Errorf("%w: %s", errRefused, strings.TrimSpace(out.String()))
	}
	return out.Bytes(), err
}

// addressesIn is the addresses of an ADD's answer, of which each family of the node must have one.
func (s *story) addressesIn(answer []byte) (ips []netip.Addr, err error) {
	var result struct {
		IPs []struct{ Address netip.Prefix }
	}
	err = json.Unmarshal(answer, &result)
	for _, ip := range result.IPs {
		ips = append(ips, ip.Address.Addr())
	}
	good := len(ips) == 1 && !s.dual || len(ips) == 2 && s.dual && ips[1].Is6()
	if err != nil || !good || !ips[0].Is4() {
		return nil, fmt.Errorf("ADD answered %q: %w", answer, errors.Join(err, errRefused))
	}
	return ips, nil
}
