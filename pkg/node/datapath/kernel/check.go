package kernel

import (
	"context"
	"fmt"

	"github.com/onectl/onectl/pkg/node/datapath"
)

// Check says, a sentence each, what of host and pod is not as Add made it; nothing when all is well. Without descriptors in
// sb only the host is looked at.
func (k *Kernel) Check(ctx context.Context, sb Sandbox, host, pod datapath.NetNS) (differences []string, err error) {
	s, giveBack, err := k.host(ctx)
	if err != nil {
		return nil, err
	}
	defer giveBack()
	got, err := k.observe(ctx, s, host)
	if err != nil {
		return nil, fmt.Errorf("check host: %w", err)
	}
	for _, d := range datapath.Diff(host, got) {
		differences = append(differences, "host: "+d)
	}
	if sb.Netlink == nil {
		return differences, nil
	}
	got, err = k.observe(ctx, useSocket(sb.Netlink, &k.requests, s.buf), pod)
	if err != nil {
		return nil, fmt.Errorf("check pod: %w", err)
	}
	for _, d := range datapath.Diff(pod, got) {
		differences = append(differences, "pod: "+d)
	}
	return differences, nil
}
