package job

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// MessageLimit is how many bytes of a container's termination message the kubelet keeps.
const MessageLimit = 4096

// packed begins a packed text; another form gets another number.
const packed = "onectl-probe/1 "

// Unpacked results are small; more is not ours.
const unpackedLimit = 8 << 20

// Pack makes one line of results, small enough for a termination message for some fifty targets. That message reaches the
// API server from the kubelet, with the pod's status: it arrives even when the API server cannot reach the node, which is
// what reading a log needs.
func Pack(results []Result) (string, error) {
	var buffer bytes.Buffer
	writer, err := gzip.NewWriterLevel(&buffer, gzip.BestCompression)
	if err != nil {
		return "", err
	}
	if err := json.NewEncoder(writer).Encode(results); err != nil {
		return "", fmt.Errorf("pack results: %w", err)
	}
	if err := writer.Close(); err != nil {
		return "", fmt.Errorf("pack results: %w", err)
	}
	return packed + base64.StdEncoding.EncodeToString(buffer.Bytes()), nil
}

// ErrNoResults says that a text holds no results: the probe did not come to its end, or is of another version.
var ErrNoResults = errors.New("no results of a probe in it")

// Unpack finds the packed line in a termination message or a log.
func Unpack(text string) ([]Result, error) {
	for line := range strings.Lines(text) {
		if code, found := strings.CutPrefix(strings.TrimSpace(line), packed); found {
			return unpack(code)
		}
	}
	return nil, ErrNoResults
}

func unpack(code string) ([]Result, error) {
	raw, err := base64.StdEncoding.DecodeString(code)
	if err != nil {
		return nil, fmt.Errorf("unpack results: %w", err)
	}
	reader, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("unpack results: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(reader, unpackedLimit)) // to the end, where the checksum is
	if err != nil {
		return nil, fmt.Errorf("unpack results: %w", err)
	}
	var results []Result
	if err := json.Unmarshal(text, &results); err != nil {
		return nil, fmt.Errorf("unpack results: %w", err)
	}
	return results, nil
}
