package lab

import (
	"context"
	_ "embed"
)

// agentRef is the image of the registered cluster's agent, under the name and a version that Container Service gives it.
const agentRef = "registry.cn-hangzhou.aliyuncs.com/acs/agent:v1.13.1.151-lab"

//go:embed agent.yaml
var agentManifest string

// startAgent makes the cluster look like a registered one from inside.
func (l *Lab) startAgent(ctx context.Context) error {
	l.step("Starting the cluster's agent")
	if err := l.applyManifest(ctx, agentManifest, "@IMAGE@", agentRef); err != nil {
		return err
	}
	return l.rollout(ctx, "kube-system", "deployment/ack-cluster-agent")
}
