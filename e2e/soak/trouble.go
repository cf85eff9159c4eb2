package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/onectl/onectl/e2e/rig"
	"github.com/onectl/onectl/pkg/fakecloud"
)

// trouble makes one thing go wrong after another until ctx ends, and leaves a daemon that runs and a cloud without faults.
func (s *story) trouble(ctx context.Context, random *rand.Rand) {
	kinds := []struct {
		name string
		make func(context.Context, *rand.Rand) error
	}{
		{"kill -9 of the daemon", s.killDaemon}, {"kill -9 of the daemon", s.killDaemon},
		{"a daemon away for seconds", s.daemonAway},
		{"the ledger lost", s.loseFile("ledger.db")},
		{"the cooling file lost", s.loseFile("cooling")},
		{"the file of slots lost", s.loseFile("eni-slots.json")},
		{"the cloud refuses or fails", s.cloudFails}, {"the cloud refuses or fails", s.cloudFails}, {"the cloud refuses or fails", s.cloudFails},
		{"a vSwitch without addresses", s.exhausted},
		{"an ENI stuck in between", s.stuck},
		{"rules, routes, filters removed", s.flush}, {"rules, routes, filters removed", s.flush},
		{"GC of the runtime", s.collect},
		{"another configuration", s.configure},
		{"reboot of the node", s.reboot},
	}
	for pause(ctx, 2*time.Second); ctx.Err() == nil; pause(ctx, time.Duration(500+random.IntN(3500))*time.Millisecond) {
		kind := kinds[random.IntN(len(kinds))]
		if err := kind.make(ctx, random); err != nil && ctx.Err() == nil {
			s.tally.violate("%s: %v", kind.name, err)
		}
		s.tally.count(troublePrefix + kind.name)
	}
	calm, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if err := s.node.Cloud.ClearFaults(calm); err != nil {
		s.tally.violate("end the cloud's faults: %v", err)
	}
	if s.node.Daemon() == 0 {
		if err := s.node.StartDaemon(calm); err != nil {
			s.tally.violate("start the daemon: %v", err)
		}
	}
}

func (s *story) killDaemon(ctx context.Context, _ *rand.Rand) error {
	s.node.KillDaemon()
	return s.node.StartDaemon(ctx)
}

func (s *story) daemonAway(ctx context.Context, random *rand.Rand) error {
	s.node.KillDaemon()
	pause(ctx, time.Duration(1+random.IntN(4))*time.Second)
	return s.node.StartDaemon(ctx)
}

// loseFile kills the daemon and takes a file of its state away.
func (s *story) loseFile(name string) func(context.Context, *rand.Rand) error {
	return func(ctx context.Context, _ *rand.Rand) error {
		s.node.KillDaemon()
		if err := os.Remove(filepath.Join(s.node.StateDir(), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return s.node.StartDaemon(ctx)
	}
}

// cloudFails has a few calls refused, fail, or work without an answer.
func (s *story) cloudFails(ctx context.Context, random *rand.Rand) error {
	actions := []string{"CreateNetworkInterface", "AttachNetworkInterface", "AssignPrivateIpAddresses", "UnassignPrivateIpAddresses",
		"DetachNetworkInterface", "DeleteNetworkInterface", "DescribeNetworkInterfaces", "*"}
	fault := fakecloud.Fault{Action: actions[random.IntN(len(actions))], Count: 1 + random.IntN(3)}
	switch random.IntN(4) {
	case 0:
		fault.Code = "Throttling.User"
	case 1:
		fault.Code = "InternalError"
	case 2:
		fault.Drop = true
	case 3:
		fault.Delay = time.Duration(200+random.IntN(2000)) * time.Millisecond
	}
	return s.node.Cloud.AddFault(ctx, fault)
}

// exhausted has a vSwitch give no address for a while.
func (s *story) exhausted(ctx context.Context, random *rand.Rand) error {
	for _, action := range []string{"CreateNetworkInterface", "AssignPrivateIpAddresses"} {
		if err := s.node.Cloud.AddFault(ctx, fakecloud.Fault{Action: action, Code: "InvalidVSwitchId.IpNotEnough"}); err != nil {
			return err
		}
	}
	pause(ctx, time.Duration(1+random.IntN(5))*time.Second)
	return s.node.Cloud.ClearFaults(ctx)
}

// stuck has the next ENIs stay Attaching or Detaching for a while.
func (s *story) stuck(ctx context.Context, random *rand.Rand) error {
	action := []string{"AttachNetworkInterface", "DetachNetworkInterface"}[random.IntN(2)]
	if err := s.node.Cloud.AddFault(ctx, fakecloud.Fault{Action: action, Hold: true}); err != nil {
		return err
	}
	pause(ctx, time.Duration(2+random.IntN(4))*time.Second)
	return s.node.Cloud.ClearFaults(ctx)
}

// flush removes things of ours from the host, as a network service that tidies up does.
func (s *story) flush(_ context.Context, random *rand.Rand) error {
	lines := []string{
		"ip rule del priority 512", "ip rule del priority 2048", "ip route flush table 999", "nft delete table inet terway_symmetric",
		"ip -6 route flush table 999; ip -6 rule del priority 512", // where there is no IPv6, nothing happens
		`for t in $(ip rule | sed -n 's/^2048:.*lookup //p'); do ip route flush table $t; done`,
		`for l in $(ip -o link show | sed -n 's/.* \(cali[^@:]*\).*/\1/p'); do tc filter del dev $l ingress; ip neigh flush nud permanent dev $l; done`,
	}
	cmd := exec.Command("sh", "-c", lines[random.IntN(len(lines))])
	if err := rig.In(s.node.Host, cmd.Start); err != nil {
		return err
	}
	_ = cmd.Wait() // what is not there cannot be removed
	return nil
}

// collect is the runtime's GC: it names the sandboxes that run.
func (s *story) collect(ctx context.Context, _ *rand.Rand) error {
	s.gate.Lock()
	defer s.gate.Unlock()
	valid := []map[string]string{}
	for id := range s.running() {
		valid = append(valid, map[string]string{"containerID": id, "ifname": "eth0"})
	}
	if _, err := s.plugin(ctx, call{verb: "GC", more: map[string]any{"cni.dev/valid-attachments": valid}}); err != nil {
		s.tally.refused("GC", err)
	}
	return nil
}

// reboot starts the node anew. Every sandbox ends; kubelet sends a DEL for some of them later.
func (s *story) reboot(ctx context.Context, random *rand.Rand) error {
	s.gate.Lock()
	defer s.gate.Unlock()
	var ended []*sandbox
	for _, p := range s.pods {
		if p.box != nil {
			s.letGo(p.box)
			p.box.end()
			ended = append(ended, p.box)
			p.box = nil
		}
	}
	if err := s.node.Reboot(ctx); err != nil {
		return err
	}
	for _, box := range ended {
		if random.IntN(2) == 0 {
			s.insist(box, "")
		}
	}
	return nil
}

// configure changes the pool's bounds while the daemon runs.
func (s *story) configure(_ context.Context, random *rand.Rand) error {
	path := s.node.File("config/eni_conf")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var eni map[string]any
	if err := json.Unmarshal(text, &eni); err != nil {
		return err
	}
	least := random.IntN(4)
	for key, value := range s.nodeConf(least, least+random.IntN(6)) {
		eni[key] = value
	}
	if text, err = json.Marshal(eni); err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("change the configuration: %w", err)
	}
	return nil
}
