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
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/onectl/onectl/e2e/bench/crowd"
	"github.com/onectl/onectl/e2e/lab/cache"
	"github.com/onectl/onectl/pkg/fakecloud"
	"github.com/onectl/onectl/pkg/fakecloud/wire"
	"github.com/onectl/onectl/pkg/onectl/preflight"
)

// The cluster that preflight is measured on.
const (
	crowdNodes = 1000
	crowdCloud = 100 // of the nodes
	crowdPods  = 30000
	crowdRuns  = 5
)

// What a preflight over that cluster may take at most: these rows' baselines.
const (
	mostSeconds = 5
	mostMB      = 200
)

// preflightRows measures the real onectl over a cluster of 1,000 nodes and 30,000 pods in a real API server, with the
// simulator as its cloud: the median time of a whole preflight with every check, and the largest peak of its memory.
func preflightRows(ctx context.Context) (rows []Row, err error) {
	s, err := newPreflightStand(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.verify(ctx); err != nil {
		return nil, err
	}
	var took []time.Duration
	var peak int64
	for range crowdRuns {
		one, bytes, err := s.preflight(ctx)
		if err != nil {
			return nil, err
		}
		took, peak = append(took, one), max(peak, bytes)
	}
	slices.Sort(took)
	return []Row{
		row("preflight_1000_nodes_s", "s", took[len(took)/2].Seconds(), mostSeconds),
		row("preflight_1000_nodes_rss", "MB", float64(peak)/1e6, mostMB),
	}, nil
}

// preflightStand is the cluster, the cloud and the environment that onectl runs in.
type preflightStand struct {
	bin     string
	dir     string
	cluster *crowd.Server
	cloud   *exec.Cmd
	env     []string
}

func newPreflightStand(ctx context.Context) (s *preflightStand, err error) {
	bin, err := filepath.Abs("bin")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench-preflight-")
	if err != nil {
		return nil, err
	}
	s = &preflightStand{bin: bin, dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	instances, err := s.startCloud(ctx)
	if err != nil {
		return nil, err
	}
	if s.cluster, err = crowd.Start(ctx, dir, cache.Progress(func(step string) { fmt.Fprintln(os.Stderr, step) })); err != nil {
		return nil, err
	}
	s.env = append(s.env, "HOME="+dir, "KUBECONFIG="+s.cluster.Kubeconfig)
	start := time.Now()
	err = s.cluster.Fill(ctx, crowd.Size{Nodes: crowdNodes, Pods: crowdPods, Instances: instances})
	fmt.Fprintf(os.Stderr, "%d nodes and %d pods made in %s\n", crowdNodes, crowdPods, time.Since(start).Round(time.Second))
	return s, err
}

// startCloud starts the simulator with a VPC and the instances of the cloud nodes.
func (s *preflightStand) startCloud(ctx context.Context) (instances []string, err error) {
	control, ready := wire.ControlClient{Socket: filepath.Join(s.dir, "control.sock")}, filepath.Join(s.dir, "endpoint")
	s.cloud = exec.Command(filepath.Join(s.bin, "fakecloud"), "serve", "--control", control.Socket, "--ready-file", ready)
	if err := s.cloud.Start(); err != nil {
		s.cloud = nil
		return nil, err
	}
	endpoint, err := awaitFile(ctx, ready)
	if err != nil {
		return nil, fmt.Errorf("start the cloud simulator: %w", err)
	}
	made, err := control.Bootstrap(ctx, fakecloud.BootstrapSpec{
		Region: "cn-hangzhou", VPC: netip.MustParsePrefix("10.0.0.0/16"), ServiceCIDR: netip.MustParsePrefix("10.96.0.0/16"), PodVSwitches: []string{"vsw-pods"},
		VSwitches: []fakecloud.VSwitchSpec{
			{ID: "vsw-nodes", Zone: "cn-hangzhou-i", CIDR: netip.MustParsePrefix("10.0.0.0/20")}, {ID: "vsw-pods", Zone: "cn-hangzhou-i", CIDR: netip.MustParsePrefix("10.0.64.0/18")},
		},
		OperatorPolicies: []string{"AliyunCSFullAccess", "AliyunRAMFullAccess", "AliyunVPCReadOnlyAccess", "AliyunECSReadOnlyAccess", "AliyunCENReadOnlyAccess"},
	})
	if err != nil {
		return nil, err
	}
	s.env = append(os.Environ(), "ONECTL_CLOUD_ENDPOINT="+endpoint, "ALIBABA_CLOUD_REGION_ID=cn-hangzhou",
		"ALIBABA_CLOUD_ACCESS_KEY_ID="+made.Key.ID, "ALIBABA_CLOUD_ACCESS_KEY_SECRET="+made.Key.Secret.Reveal())
	for i := range crowdCloud {
		instance, _, err := control.AddInstance(ctx, fakecloud.InstanceSpec{Name: fmt.Sprintf("cloud-%d", i), Type: "ecs.g7.xlarge", VSwitchID: "vsw-nodes"})
		if err != nil {
			return nil, err
		}
		instances = append(instances, instance.ID)
	}
	return instances, nil
}

// verify runs preflight once, so that every cache is warm, and looks at what it gathered: a fast answer must be a whole one.
func (s *preflightStand) verify(ctx context.Context) error {
	saved := filepath.Join(s.dir, "facts.json")
	if _, _, err := s.preflight(ctx, "--facts", saved); err != nil {
		return err
	}
	text, err := os.ReadFile(saved)
	if err != nil {
		return err
	}
	var f preflight.Facts
	if err := json.Unmarshal(text, &f); err != nil {
		return err
	}
	pods := 0
	for _, n := range f.Nodes.Value {
		pods += n.Pods
	}
	if !f.Nodes.Known || len(f.Nodes.Value) != crowdNodes || pods != crowdPods || len(f.Instances.Value) != crowdCloud || !f.Workloads.Known || !f.VSwitches.Known {
		return fmt.Errorf("preflight saw %d nodes (%s), %d pods, %d instances (%s)", len(f.Nodes.Value), f.Nodes.Why, pods, len(f.Instances.Value), f.Instances.Why)
	}
	return nil
}

// preflight runs onectl once. That checks fail is no error here: nothing is installed in this cluster. The kernel counts
// the peak of the parent into that of a program it starts, so the peak is never too low.
func (s *preflightStand) preflight(ctx context.Context, more ...string) (took time.Duration, peak int64, err error) {
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "onectl"), append([]string{"preflight", "-o", "json"}, more...)...)
	var out, complaint bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env, &out, &complaint
	start := time.Now()
	err = cmd.Run()
	took = time.Since(start)
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		return 0, 0, fmt.Errorf("onectl preflight: %w: %s", err, complaint.String())
	}
	if !json.Valid(out.Bytes()) {
		return 0, 0, fmt.Errorf("onectl preflight printed no JSON: %s", complaint.String())
	}
	return took, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10, nil
}

func (s *preflightStand) close() error {
	var err error
	if s.cluster != nil {
		err = s.cluster.Close()
	}
	if s.cloud != nil {
		_ = s.cloud.Process.Signal(syscall.SIGTERM)
		_ = s.cloud.Wait()
	}
	return errors.Join(err, os.RemoveAll(s.dir))
}

// awaitFile waits until a file is there, for half a minute at most, and returns its text.
func awaitFile(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if text, err := os.ReadFile(path); err == nil && len(text) > 0 {
			return strings.TrimSpace(string(text)), nil
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-tick.C:
		}
	}
}
