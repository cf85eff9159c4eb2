package cri

import (
	"encoding/binary"
	"errors"
)

// Numbers of the fields that are read, in api.proto.
const (
	listItems    = 1 // ListPodSandboxResponse.items
	sandboxID    = 1 // PodSandbox.id
	sandboxState = 3 // PodSandbox.state: 0 is SANDBOX_READY, which is not sent because it is the zero value
)

var errCutShort = errors.New("the message is cut short, or not what it should be")

// parseList reads a ListPodSandboxResponse.
func parseList(message []byte) (map[string]bool, error) {
	sandboxes := map[string]bool{}
	err := fields(message, func(number int, _ uint64, item []byte) error {
		if number != listItems {
			return nil
		}
		id, ready := "", true
		err := fields(item, func(number int, value uint64, text []byte) error {
			switch number {
			case sandboxID:
				id = string(text)
			case sandboxState:
				ready = value == 0
			}
			return nil
		})
		if err == nil && id == "" {
			err = errCutShort
		}
		sandboxes[id] = ready
		return err
	})
	if err != nil {
		return nil, err
	}
	return sandboxes, nil
}

// fields calls each for every field of a protobuf message: its number, and its value or its bytes.
func fields(message []byte, each func(number int, value uint64, text []byte) error) error {
	for len(message) > 0 {
		key, n := binary.Uvarint(message)
		if n <= 0 {
			return errCutShort
		}
		message = message[n:]
		var value uint64
		var text []byte
		switch key & 7 {
		case 0: // varint
			if value, n = binary.Uvarint(message); n <= 0 {
				return errCutShort
			}
			message = message[n:]
		case 1, 5: // 64 and 32 bits
			width := map[uint64]int{1: 8, 5: 4}[key&7]
			if len(message) < width {
				return errCutShort
			}
			message = message[width:]
		case 2: // length and bytes
			length, n := binary.Uvarint(message)
			if n <= 0 || length > uint64(len(message)-n) {
				return errCutShort
			}
			text, message = message[n:n+int(length)], message[n+int(length):]
		default:
			return errCutShort
		}
		if err := each(int(key>>3), value, text); err != nil {
			return err
		}
	}
	return nil
}
