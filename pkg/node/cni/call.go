package cni

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/onectl/onectl/pkg/node/cni/plugin"
)

// Call asks the daemon as the plugin does, with the same calls, and waits for its answer until ctx ends. Its errors are of type
// *Error: the daemon's own, or one that says why there is no answer and where to look.
func Call(ctx context.Context, socket string, request Request, sandbox Sandbox) (json.RawMessage, error) {
	request.Version = Version
	conn, err := plugin.Dial(socket, 0)
	if err != nil {
		return nil, unanswered(request.Verb, socket, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, conn.Shutdown)
	defer stop()
	code, said, err := conn.Ask(request.message(), sandbox.fds())
	if err != nil {
		return nil, unanswered(request.Verb, socket, errors.Join(err, context.Cause(ctx)))
	}
	if code == 0 {
		return said, nil
	}
	refusal := new(Error)
	if err := json.Unmarshal(said, refusal); err != nil {
		return nil, unanswered(request.Verb, socket, fmt.Errorf("decode answer: %w", err))
	}
	return nil, refusal
}

func unanswered(verb Verb, socket string, cause error) *Error {
	code, text := plugin.Unanswered(string(verb), socket, cause.Error())
	return &Error{Code: code, Msg: text}
}

// message is r as a container runtime would say it. A request without a configuration gets the least one that is valid.
func (r Request) message() plugin.Message {
	config := []byte(r.Config)
	if config == nil {
		config = []byte(`{"cniVersion":"1.1.0","name":"terway"}`)
	}
	return plugin.Message{
		Version: byte(r.Version), Command: string(r.Verb), ContainerID: r.ContainerID, NetNS: r.NetNS, IfName: r.IfName,
		Args: r.Args.String(), Path: "/opt/cni/bin", Config: config,
	}
}

func (s Sandbox) fds() []int {
	if s.NetNS == nil || s.Netlink == nil {
		return nil
	}
	return []int{int(s.NetNS.Fd()), int(s.Netlink.Fd())}
}
