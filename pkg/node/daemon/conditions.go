package daemon

import (
	"strconv"

	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/pool"
)

// Condition is one condition of the Node.
type Condition struct {
	Type    string
	Status  string // "True", "False", "Unknown"
	Reason  string // a cause code, or a name of upstream's
	Message string // marked with its cause where there is one
}

// NodeView is what the Node shows of its network.
type NodeView struct {
	Annotations map[string]string
	Conditions  []Condition
}

// Types of our conditions, and upstream's reasons of the first.
const (
	sufficientIP   = "SufficientIP"
	insufficientIP = "InsufficientIP"
	configApplied  = "TerwayConfigApplied"
)

// annotationCapacity is upstream's: how many addresses the instance carries for pods.
const annotationCapacity = "k8s.aliyun.com/max-available-ip"

// ViewOf is what the Node shows for a pool's status and for what is wrong with the newest configuration, "" when nothing is.
func ViewOf(s pool.Status, configProblem string) NodeView {
	return NodeView{
		Annotations: map[string]string{annotationCapacity: strconv.Itoa(s.Capacity)},
		Conditions:  []Condition{addressesCondition(s), configCondition(configProblem)},
	}
}

// addressesCondition is whether the next pod will get an address. Its message says nothing that changes from one try to the
// next, so that the Node is not written again and again.
func addressesCondition(s pool.Status) Condition {
	if !s.Ready && s.Idle == 0 {
		code := first(s.Problems, cause.PoolStarting)
		return Condition{sufficientIP, "Unknown", string(code), cause.Mark(code, "the instance's ENIs were not read yet; "+code.Next())}
	}
	if code, subject := s.Obstacle.Reason, s.Obstacle.Subject; code != "" {
		known, _ := cause.Find(code)
		if subject != "" {
			subject = " (" + subject + ")"
		}
		return Condition{sufficientIP, "False", insufficientIP, cause.Mark(code, known.Summary+subject+"; "+known.Next)}
	}
	return Condition{sufficientIP, "True", sufficientIP, "the node has addresses for pods, or can get them"}
}

func configCondition(problem string) Condition {
	if problem == "" {
		return Condition{configApplied, "True", "ConfigurationApplied", "the node works by the configuration as it is"}
	}
	return Condition{configApplied, "False", string(cause.ConfigurationRefused), cause.Mark(cause.ConfigurationRefused, problem)}
}
