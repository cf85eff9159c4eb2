// Package cni is what the CNI plugin and the node daemon say to each other, on the daemon's side: one request and one answer on
// a unix socket, each behind its length, with two file descriptors beside an ADD or CHECK, and beside a DEL whose namespace is there. The request is what the container
// runtime said, word for word; it is judged here. The answer is the plugin's exit code and what it prints. The plugin's
// side is package plugin.
//
// The descriptors are why the daemon needs neither SYS_ADMIN nor a view of the host's files: the plugin, which the
// container runtime starts as root on the host, enters the pod's network namespace, opens a routing socket there, and
// hands over that socket and the namespace itself (SCM_RIGHTS, unix(7)).
package cni

import (
	"encoding/json"
	"os"
	"strings"

	"github.com/onectl/onectl/pkg/node/cni/plugin"
)

// Version is the version of the messages. A daemon refuses a request of another one and says so.
const Version = plugin.Version

// DefaultSocket is where the daemon listens unless the plugin's configuration has another path under "socket".
const DefaultSocket = plugin.DefaultSocket

// Verb is what a request asks for, in the words of the CNI specification.
type Verb string

// The verbs of CNI 1.1 that reach a daemon. VERSION is answered by the plugin.
const (
	Add    Verb = "ADD"
	Del    Verb = "DEL"
	Check  Verb = "CHECK"
	Status Verb = "STATUS"
	GC     Verb = "GC"
)

// Request is what the plugin was asked by the container runtime.
type Request struct {
	Version     int // of the message
	Verb        Verb
	ContainerID string // of the sandbox; empty with STATUS and GC
	NetNS       string // path on the host; a DEL may come without
	IfName      string
	Args        Args
	Network     string          // the configuration's name
	CNIVersion  string          // of the configuration; "" when it is none that we speak
	Config      json.RawMessage // the plugin's configuration as it came on standard input
}

// Owner is the attachment's name: "containerID/ifName".
func (r Request) Owner() string { return r.ContainerID + "/" + r.IfName }

// Args is what kubelet adds about the pod. Every field may be empty when something else than kubelet asks.
type Args struct {
	PodNamespace string
	PodName      string
	PodUID       string
}

// String is a as kubelet writes it in CNI_ARGS.
func (a Args) String() string {
	return "K8S_POD_NAMESPACE=" + a.PodNamespace + ";K8S_POD_NAME=" + a.PodName + ";K8S_POD_UID=" + a.PodUID
}

// ParseArgs reads CNI_ARGS, "K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;…". Keys it does not know are left out.
func ParseArgs(text string) Args {
	var args Args
	for pair := range strings.SplitSeq(text, ";") {
		key, value, _ := strings.Cut(pair, "=")
		switch key {
		case "K8S_POD_NAMESPACE":
			args.PodNamespace = value
		case "K8S_POD_NAME":
			args.PodName = value
		case "K8S_POD_UID":
			args.PodUID = value
		}
	}
	return args
}

// Reply answers a request: a result for ADD, nothing for the other verbs, or an error.
type Reply struct {
	Version    int             // of the request's message; 0 is Version
	CNIVersion string          // the request's, for an error; "" is the highest
	Result     json.RawMessage // in the CNI version that the request's configuration asks for
	Error      *Error
}

// Error codes of the CNI specification, section "Error". Those from 100 on are a plugin's own; docs/cni.md says when each comes.
const (
	CodeIncompatible     uint = 1
	CodeUnknownContainer uint = 3
	CodeInvalidArguments uint = 4
	CodeDecoding         uint = 6
	CodeInvalidConfig    uint = 7
	CodeInvalidNetNS     uint = 8 // not in the specification, but in its library (types.ErrInvalidNetNS)
	CodeTryLater         uint = 11
	CodeUnavailable      uint = 50  // STATUS: the plugin cannot serve an ADD
	CodeLimited          uint = 51  // STATUS: and existing pods may have no network
	CodeDiffers          uint = 100 // CHECK: something is not as ADD left it
	CodeInternal         uint = 999
)

// Sandbox is a pod's network namespace as open files. Both are nil when there is none, as may be with DEL.
type Sandbox struct {
	NetNS   *os.File // the namespace
	Netlink *os.File // a NETLINK_ROUTE socket that was opened in it
}

// Close closes both files. A Sandbox without files, or closed before, is no error.
func (s Sandbox) Close() {
	for _, file := range []*os.File{s.NetNS, s.Netlink} {
		if file != nil {
			file.Close()
		}
	}
}
