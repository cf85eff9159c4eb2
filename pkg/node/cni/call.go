package cni

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/cni/plugin"
)

// Call asks the daemon as the plugin does and waits for its answer until ctx ends. Its errors are of type *Error: the
// daemon's own, or one that says why there is no answer and where to look.
func Call(ctx context.Context, socket string, request Request, sandbox Sandbox) (json.RawMessage, error) {
	request.Version = Version
	code, said, err := ask(ctx, socket, request.message(), sandbox)
	if err != nil {
		return nil, unanswered(request.Verb, socket, errors.Join(err, context.Cause(ctx)))
	}
	if code == 0 {
		return said, nil
	}
	refusal, err := unmarked(said)
	if err != nil {
		return nil, unanswered(request.Verb, socket, fmt.Errorf("decode answer: %w", err))
	}
	return nil, refusal
}

// ask is one exchange: the message with the sandbox's descriptors, the plugin's exit code and what it prints.
func ask(ctx context.Context, socket string, m plugin.Message, sandbox Sandbox) (code byte, said []byte, err error) {
	message, err := m.Encode()
	if err != nil {
		return 0, nil, err
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return 0, nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	n, _, err := conn.WriteMsgUnix(message, sandbox.rights(), nil) // a stream may cut the message anywhere
	if err == nil && n < len(message) {
		_, err = conn.Write(message[n:])
	}
	if err != nil {
		return 0, nil, fmt.Errorf("send request: %w", err)
	}
	body, _, err := receive(conn)
	switch {
	case errors.Is(err, io.EOF):
		return 0, nil, errors.New("the daemon ended before it answered")
	case err != nil:
		return 0, nil, fmt.Errorf("receive answer: %w", err)
	case len(body) == 0:
		return 0, nil, errors.New("receive answer: it is empty")
	}
	return body[0], body[1:], nil
}

func unanswered(verb Verb, socket string, why error) *Error {
	code, text := plugin.Unanswered(string(verb), socket, why.Error())
	e := &Error{Code: code}
	e.Cause, e.Msg = cause.Cut(text)
	return e
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

// rights is the control message that hands s over, nil where there is nothing to hand over.
func (s Sandbox) rights() []byte {
	if s.NetNS == nil || s.Netlink == nil {
		return nil
	}
	return syscall.UnixRights(int(s.NetNS.Fd()), int(s.Netlink.Fd()))
}
