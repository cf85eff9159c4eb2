package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/onectl/onectl/pkg/node/cni"
)

// collect is GC: it takes away what the runtime's list of valid attachments does not name, until ctx ends. One failure does
// not keep the others. Attachments of another network stay, as the list is that of one; a record whose network is not known counts as
// of each.
func (d *Daemon) collect(ctx context.Context, r cni.Request) error {
	valid, err := validAttachments(r.Config)
	if err != nil {
		return err
	}
	var failed []error
	for _, record := range d.records() {
		if valid[record.Owner()] || record.Network != "" && record.Network != r.Network {
			continue
		}
		if ctx.Err() != nil {
			return errors.Join(append(failed, fmt.Errorf("GC is cut short: %w", context.Cause(ctx)))...)
		}
		d.opts.Logger.Info("GC releases a sandbox that the runtime does not know", "pod", record.PodNamespace+"/"+record.PodName, "container", record.ContainerID)
		if err := d.release(ctx, record); err != nil {
			failed = append(failed, fmt.Errorf("release %s: %w", record.Owner(), err))
		}
	}
	return errors.Join(failed...)
}

type attachments []struct {
	ContainerID string `json:"containerID"`
	IfName      string `json:"ifname"`
}

// validAttachments is the runtime's list as a set of owners. Runtimes of before CNI 1.1 was final give it under another key.
func validAttachments(config []byte) (map[string]bool, error) {
	var keys struct {
		Valid  *attachments `json:"cni.dev/valid-attachments"`
		Former *attachments `json:"cni.dev/attachments"`
	}
	if err := json.Unmarshal(config, &keys); err != nil {
		return nil, &cni.Error{Code: cni.CodeDecoding, Msg: fmt.Sprintf("read the configuration of GC: %v", err)}
	}
	if keys.Valid == nil {
		keys.Valid = keys.Former
	}
	if keys.Valid == nil {
		return nil, &cni.Error{Code: cni.CodeInvalidConfig, Msg: `GC came without the list "cni.dev/valid-attachments"; without it nothing can be called stale`}
	}
	valid := make(map[string]bool, len(*keys.Valid))
	for _, a := range *keys.Valid {
		valid[a.ContainerID+"/"+a.IfName] = true
	}
	return valid, nil
}
