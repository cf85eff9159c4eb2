package daemon

import (
	"encoding/json"
	"fmt"

	"github.com/onectl/onectl/pkg/node/cni"
)

// bandwidth reads the limits of a pod, in bytes a second, 0 for none. The container runtime makes them of the Pod's annotations
// kubernetes.io/ingress-bandwidth and egress-bandwidth and gives them to plugins with the capability "bandwidth", in bits
// a second. The bursts that come along are not used: runtimes write the largest number there is, which would let some
// hundred megabytes pass before the limit begins.
func bandwidth(config json.RawMessage) (ingress, egress uint64, err error) {
	var keys struct {
		Runtime struct {
			Bandwidth struct {
				Ingress uint64 `json:"ingressRate"`
				Egress  uint64 `json:"egressRate"`
			} `json:"bandwidth"`
		} `json:"runtimeConfig"`
	}
	if len(config) == 0 {
		return 0, 0, nil
	}
	if err := json.Unmarshal(config, &keys); err != nil {
		return 0, 0, &cni.Error{Code: cni.CodeDecoding, Msg: fmt.Sprintf("read runtimeConfig.bandwidth: %v", err)}
	}
	asked := keys.Runtime.Bandwidth
	for _, rate := range []uint64{asked.Ingress, asked.Egress} {
		if rate > 0 && rate < leastRate {
			return 0, 0, &cni.Error{Code: cni.CodeInvalidConfig, Msg: fmt.Sprintf(
				"runtimeConfig.bandwidth asks for %d bits a second, the least is %d; correct the Pod's annotations kubernetes.io/ingress-bandwidth and kubernetes.io/egress-bandwidth", rate, leastRate)}
		}
	}
	return asked.Ingress / 8, asked.Egress / 8, nil
}

// leastRate is in bits a second, as Kubernetes has it.
const leastRate = 1000
