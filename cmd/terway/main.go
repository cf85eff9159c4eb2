//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

// Command terway is the CNI plugin: it passes the container runtime's request to the node daemon, with the pod's network
// namespace opened, and prints the answer. It decides nothing and configures nothing itself, so that it starts in
// milliseconds.
//
// The runtime is told not to look for a limit on processors in the cgroup's files, nor to look again while it runs: the
// plugin has one thing to do.
package main

import (
	"syscall"

	"github.com/onectl/onectl/pkg/node/cni/plugin"
)

func main() {
	syscall.Exit(plugin.Run(getenv, plugin.Stdio{In: 0, Out: 1, Err: 2}))
}

func getenv(key string) string {
	value, _ := syscall.Getenv(key)
	return value
}
