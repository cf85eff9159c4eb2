package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/onectl/onectl/pkg/node/daemon/nodefile"
)

// ModeLabel is the label of a Node that says how its pods get at ENIs, upstream's: "eniOnly" is Exclusive, "default" or none Shared.
const ModeLabel = "k8s.aliyun.com/exclusive-mode-eni-type"

// Mode is how a node's pods get at ENIs.
type Mode string

// The modes. A node has one for all of its pods.
const (
	Shared    Mode = "shared"    // many pods on an ENI, each with an address of it
	Exclusive Mode = "exclusive" // an ENI for each pod
)

// ModeOf is the mode that a value of ModeLabel asks for.
func ModeOf(label string) (Mode, error) {
	switch label {
	case "", "default":
		return Shared, nil
	case "eniOnly":
		return Exclusive, nil
	}
	return Shared, fmt.Errorf("the Node's label %s is %q; it must be \"eniOnly\", \"default\" or absent", ModeLabel, label)
}

// ChooseMode decides on wanted, when the node worked by kept so far ("" for a new node) and has that many pods. A node with pods
// keeps its mode, since the pool, the host's rules and the pods' links are made for it; problem says then what to do.
func ChooseMode(wanted, kept Mode, pods int) (mode Mode, problem string) {
	if kept == "" || kept == wanted || pods == 0 {
		return wanted, ""
	}
	return kept, fmt.Sprintf("label %s asks for %s ENIs, but the pods of this node have %s ENIs, and it keeps to that until they have gone. Drain the node, and "+
		"have DaemonSets leave it whose pods are not on the host's network; or put the label back", ModeLabel, wanted, kept)
}

// ReadMode reads the mode that WriteMode kept at path, "" when there is none.
func ReadMode(path string) (Mode, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	mode := Mode(strings.TrimSpace(string(text)))
	if err == nil && mode != Shared && mode != Exclusive {
		err = fmt.Errorf("it says %q, not %s or %s", mode, Shared, Exclusive)
	}
	if err != nil {
		return "", fmt.Errorf("read the node's ENI mode %s: %w; drain the node, remove the file and start terwayd again", path, err)
	}
	return mode, nil
}

// WriteMode keeps mode at path, over restarts.
func WriteMode(path string, mode Mode) error {
	return nodefile.Write(path, []byte(string(mode)+"\n"), 0o600)
}
