// Command terway is the CNI plugin: it passes the container runtime's request to the node daemon, with the pod's network
// namespace opened, and prints the answer. It decides nothing and configures nothing itself, so that it starts in
// milliseconds.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"time"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"

	"github.com/onectl/onectl/pkg/node/cni"
)

// patience is a little less than the two minutes after which kubelet gives up, so that its event holds our words.
const patience = 110 * time.Second

func main() {
	funcs := skel.CNIFuncs{Add: ask(cni.Add), Del: ask(cni.Del), Check: ask(cni.Check), Status: ask(cni.Status), GC: ask(cni.GC)}
	supported := version.PluginSupports("0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0")
	skel.PluginMainFuncs(funcs, supported, "CNI plugin terway: asks the node daemon terwayd")
}

func ask(verb cni.Verb) func(*skel.CmdArgs) error {
	return func(args *skel.CmdArgs) error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		result, err := call(ctx, verb, args)
		var answer *cni.Error
		if errors.As(err, &answer) {
			return types.NewError(answer.Code, answer.Msg, answer.Details)
		}
		if err == nil && len(result) > 0 {
			_, err = os.Stdout.Write(result)
		}
		return err
	}
}

func call(ctx context.Context, verb cni.Verb, args *skel.CmdArgs) (json.RawMessage, error) {
	var sandbox cni.Sandbox
	if verb == cni.Add || verb == cni.Check {
		var err error
		if sandbox, err = cni.OpenSandbox(args.Netns); err != nil {
			return nil, err
		}
		defer sandbox.Close()
	}
	return cni.Call(ctx, socketOf(args.StdinData), cni.Request{
		Verb: verb, ContainerID: args.ContainerID, NetNS: args.Netns, IfName: args.IfName,
		Args: cni.ParseArgs(args.Args), Config: args.StdinData,
	}, sandbox)
}

// socketOf is the daemon's socket: key "socket" of the plugin's configuration. The configuration is JSON, skel has read it.
func socketOf(config []byte) string {
	var keys struct {
		Socket string `json:"socket"`
	}
	if err := json.Unmarshal(config, &keys); err != nil || keys.Socket == "" {
		return cni.DefaultSocket
	}
	return keys.Socket
}
