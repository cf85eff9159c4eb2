package cni

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// dialTimeout is short: the daemon accepts at once or is not there.
const dialTimeout = 5 * time.Second

// Call asks the daemon and waits for its answer, until ctx ends. It fills in the request's Version. Its errors are of
// type *Error: the daemon's own, or one that says why there is no answer and where to look.
func Call(ctx context.Context, socket string, request Request, sandbox Sandbox) (json.RawMessage, error) {
	request.Version = Version
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, unanswered(request.Verb, socket, err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	reply, err := exchange(conn.(*net.UnixConn), request, sandbox)
	if err != nil {
		return nil, unanswered(request.Verb, socket, errors.Join(err, context.Cause(ctx)))
	}
	if reply.Error != nil {
		return nil, reply.Error
	}
	return reply.Result, nil
}

func exchange(conn *net.UnixConn, request Request, sandbox Sandbox) (Reply, error) {
	if err := send(conn, request, sandbox); err != nil {
		return Reply{}, fmt.Errorf("send request: %w", err)
	}
	var reply Reply
	extra, err := receive(conn, &reply)
	extra.Close()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return Reply{}, errors.New("the daemon ended before it answered")
	}
	if err != nil {
		return Reply{}, fmt.Errorf("receive answer: %w", err)
	}
	return reply, nil
}

// unanswered is the error for a daemon that is not there. The runtime tries again later; kubelet repeats a DEL until it
// succeeds, so nothing leaks while the daemon is down.
func unanswered(verb Verb, socket string, cause error) *Error {
	code := CodeTryLater
	if verb == Status {
		code = CodeUnavailable
	}
	return &Error{
		Code: code,
		Msg: fmt.Sprintf("no answer from terwayd on %s: %v; look at this node's terway-eniip pod: "+
			"kubectl -n kube-system get pods -l app=terway-eniip -o wide, then kubectl -n kube-system logs POD", socket, cause),
	}
}
