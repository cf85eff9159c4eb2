package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// plugin is one CNI plugin as a runtime calls it, in the network namespace of its node.
type plugin struct {
	name   string
	path   string // the binary
	dir    string // CNI_PATH
	config string // file with the network configuration
	node   *os.File
}

// sample is what a round of one operation over all pods took.
type sample struct {
	each []time.Duration
	wall time.Duration
	busy time.Duration // of both cores, the driver included
}

// round runs one operation for every pod with that many workers. Each worker keeps its thread in the node's namespace.
func (p plugin) round(ctx context.Context, verb string, pods []pod, workers int) (sample, error) {
	work := make(chan pod, len(pods))
	for _, pod := range pods {
		work <- pod
	}
	close(work)
	var (
		wait   sync.WaitGroup
		mu     sync.Mutex
		result sample
		failed error
	)
	start, before := time.Now(), busy()
	for range workers {
		wait.Go(func() {
			runtime.LockOSThread() // never unlocked: the thread ends with the worker, it is in another namespace
			if err := unix.Setns(int(p.node.Fd()), unix.CLONE_NEWNET); err != nil {
				mu.Lock()
				failed = err
				mu.Unlock()
				return
			}
			for pod := range work {
				took, err := p.call(ctx, verb, pod)
				mu.Lock()
				result.each = append(result.each, took)
				if err != nil {
					failed = err
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	result.wall, result.busy = time.Since(start), busy()-before
	return result, failed
}

func (p plugin) call(ctx context.Context, verb string, pod pod) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, p.path)
	cmd.Env = []string{
		"CNI_COMMAND=" + verb, "CNI_CONTAINERID=" + p.name + "-" + pod.name, "CNI_NETNS=" + pod.netns, "CNI_IFNAME=eth0",
		"CNI_PATH=" + p.dir, "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=bench;K8S_POD_NAME=" + pod.name + ";K8S_POD_UID=" + pod.name,
	}
	stdin, stdout, err := p.files()
	if err != nil {
		return 0, err
	}
	defer stdin.Close()
	defer stdout.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stdout
	start := time.Now()
	err = cmd.Run()
	took := time.Since(start)
	if err != nil {
		said := make([]byte, 4096)
		n, _ := stdout.ReadAt(said, 0)
		return took, fmt.Errorf("%s %s %s: %w: %s", p.name, verb, pod.name, err, said[:n])
	}
	return took, nil
}

// files are a plugin's standard input and output as plain files: pipes would add the driver's own goroutines to each call.
func (p plugin) files() (stdin, stdout *os.File, err error) {
	if stdin, err = os.Open(p.config); err != nil {
		return nil, nil, err
	}
	fd, err := unix.MemfdCreate("answer", unix.MFD_CLOEXEC)
	if err != nil {
		stdin.Close()
		return nil, nil, err
	}
	return stdin, os.NewFile(uintptr(fd), "answer"), nil
}

// add joins samples of the same case.
func (s sample) add(other sample) sample {
	return sample{each: append(s.each, other.each...), wall: s.wall + other.wall, busy: s.busy + other.busy}
}

// quantile is the duration below which that share of the operations stayed, in milliseconds.
func (s sample) quantile(share float64) float64 {
	sorted := slices.Sorted(slices.Values(s.each))
	return float64(sorted[int(share*float64(len(sorted)-1))]) / 1e6
}

// rate is operations a second.
func (s sample) rate() float64 { return float64(len(s.each)) / s.wall.Seconds() }

// busy is the time that this machine's cores have worked since it started (proc(5), stat, in ticks of 10 ms).
func busy() time.Duration {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	var user, nice, system, idle, wait, irq, softirq int64
	if _, err := fmt.Sscanf(string(data), "cpu %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &wait, &irq, &softirq); err != nil {
		return 0
	}
	return time.Duration(user+nice+system+irq+softirq) * 10 * time.Millisecond
}
