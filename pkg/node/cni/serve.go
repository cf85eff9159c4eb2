package cni

import (
	"fmt"
	"net"
)

// Receive reads the one request of a connection. The caller closes the Sandbox, also when there is an error.
//
// A request that is not understood gives an *Error that can be sent as the answer; any other error is the connection's.
func Receive(conn *net.UnixConn) (Request, Sandbox, error) {
	var request Request
	sandbox, err := receive(conn, &request)
	if err != nil {
		return Request{}, sandbox, fmt.Errorf("receive request: %w", err)
	}
	if err := request.validate(sandbox); err != nil {
		return request, sandbox, err
	}
	return request, sandbox, nil
}

// Answer sends reply. It does not close the connection.
func Answer(conn *net.UnixConn, reply Reply) error {
	message, err := encode(reply)
	if err != nil {
		return err
	}
	if _, err := conn.Write(message); err != nil {
		return fmt.Errorf("send answer: %w", err)
	}
	return nil
}

func (r Request) validate(sandbox Sandbox) error {
	if r.Version != Version {
		return &Error{Code: CodeIncompatible, Msg: fmt.Sprintf("the plugin speaks version %d of the node protocol, terwayd version %d; "+
			"both come in one image: restart this node's terway-eniip pod", r.Version, Version)}
	}
	switch r.Verb {
	case Status, GC:
		return nil
	case Add, Check:
		if sandbox.NetNS == nil || sandbox.Netlink == nil {
			return &Error{Code: CodeInvalidNetNS, Msg: fmt.Sprintf("%s came without the pod's network namespace", r.Verb)}
		}
	case Del:
	default:
		return &Error{Code: CodeInvalidArguments, Msg: fmt.Sprintf("verb %q is unknown", r.Verb)}
	}
	if r.ContainerID == "" || r.IfName == "" {
		return &Error{Code: CodeInvalidArguments, Msg: fmt.Sprintf("%s needs a container ID and an interface name", r.Verb)}
	}
	return nil
}
