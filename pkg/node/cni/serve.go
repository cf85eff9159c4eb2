package cni

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"

	"github.com/onectl/onectl/pkg/node/cni/plugin"
)

// versionOne is the message version of JSON requests and answers; a plugin of that time can be told to go only in its words.
const versionOne = 1

// Receive reads the one request of a connection. The caller closes the Sandbox, also when there is an error.
//
// A request that is not understood gives an *Error that can be sent as the answer, with the Version of the Request that
// comes beside it; any other error is the connection's.
func Receive(conn *net.UnixConn) (Request, Sandbox, error) {
	body, sandbox, err := receive(conn)
	if err != nil {
		return Request{}, sandbox, fmt.Errorf("receive request: %w", err)
	}
	version, err := versionOf(body)
	if err != nil {
		return Request{}, sandbox, fmt.Errorf("receive request: %w", err)
	}
	if version != Version {
		return Request{Version: version}, sandbox, &Error{Code: CodeIncompatible, Msg: fmt.Sprintf("the plugin speaks version %d of the node protocol, terwayd version %d; "+
			"both come in one image: restart this node's terway-eniip pod", version, Version)}
	}
	message, err := plugin.Parse(body)
	if err != nil {
		return Request{}, sandbox, fmt.Errorf("receive request: %w", err)
	}
	request, err := admit(message, sandbox)
	return request, sandbox, err
}

// versionOf is a request's version. Versions are small, and version 1 was an object in JSON.
func versionOf(body []byte) (int, error) {
	switch {
	case len(body) > 0 && body[0] == '{' && json.Valid(body):
		return versionOne, nil
	case len(body) > 0 && body[0] > versionOne && body[0] < ' ':
		return int(body[0]), nil
	}
	return 0, fmt.Errorf("%d bytes that are no request", len(body))
}

// Answer sends reply. It does not close the connection.
func Answer(conn *net.UnixConn, reply Reply) error {
	body, err := reply.encode()
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	if len(body) > plugin.MaxMessage {
		return fmt.Errorf("answer has %d bytes, %d are the limit", len(body), plugin.MaxMessage)
	}
	framed := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body)))
	if _, err := conn.Write(append(framed, body...)); err != nil {
		return fmt.Errorf("send answer: %w", err)
	}
	return nil
}

// encode is the plugin's exit code in one byte and what it is to print; for a plugin of version 1 the JSON of that time.
func (r Reply) encode() ([]byte, error) {
	if r.Version == versionOne {
		return json.Marshal(map[string]*Error{"error": r.Error})
	}
	if r.Error == nil {
		return append([]byte{0}, r.Result...), nil
	}
	version := r.CNIVersion
	if version == "" {
		version = highest
	}
	text, err := json.MarshalIndent(struct {
		CNIVersion string `json:"cniVersion"`
		*Error
	}{version, r.Error.marked()}, "", "    ")
	return append([]byte{1}, text...), err
}
