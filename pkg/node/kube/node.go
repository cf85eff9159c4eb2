package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Condition is one condition of a Node. Status is "True", "False" or "Unknown".
type Condition struct{ Type, Status, Reason, Message string }

// ShowNode writes annotations and conditions of the client's node, and leaves all others as they are. It is one request to the
// Node's status, which carries annotations, too: so the daemon needs no right to change a Node's spec or labels by its main
// resource. Since when a condition has its status is kept from one call to the next, and read once from the Node for what an
// earlier daemon wrote. It is called from one goroutine.
func (c *Client) ShowNode(ctx context.Context, annotations map[string]string, conditions []Condition) error {
	if c.shown == nil {
		if err := c.readConditions(ctx); err != nil {
			return err
		}
	}
	next := map[string]corev1.NodeCondition{}
	for _, condition := range conditions {
		next[condition.Type] = c.following(condition, metav1.NewTime(time.Now()))
	}
	patch, err := json.Marshal(statusPatch(annotations, conditions, next))
	if err != nil {
		return fmt.Errorf("show conditions at node %s: %w", c.node, err)
	}
	request := c.rest.Patch(types.StrategicMergePatchType).Resource("nodes").Name(c.node).SubResource("status").Body(patch)
	if err := request.Do(ctx).Error(); err != nil {
		return fmt.Errorf("show conditions at node %s: %w", c.node, err)
	}
	c.shown = next
	return nil
}

func (c *Client) readConditions(ctx context.Context) error {
	var node struct {
		Status struct{ Conditions []corev1.NodeCondition }
	}
	if err := read(ctx, c.rest.Get().Resource("nodes").Name(c.node), &node); err != nil {
		return fmt.Errorf("read node %s: %w", c.node, err)
	}
	c.shown = map[string]corev1.NodeCondition{}
	for _, condition := range node.Status.Conditions {
		c.shown[string(condition.Type)] = condition
	}
	return nil
}

// following is a condition as it is written now: since when it has its status stays while the status does.
func (c *Client) following(condition Condition, now metav1.Time) corev1.NodeCondition {
	since := now
	if before, found := c.shown[condition.Type]; found && string(before.Status) == condition.Status {
		since = before.LastTransitionTime
	}
	return corev1.NodeCondition{
		Type: corev1.NodeConditionType(condition.Type), Status: corev1.ConditionStatus(condition.Status),
		Reason: condition.Reason, Message: condition.Message, LastHeartbeatTime: now, LastTransitionTime: since,
	}
}

// statusPatch is a strategic merge patch: conditions are merged by their type.
func statusPatch(annotations map[string]string, order []Condition, by map[string]corev1.NodeCondition) any {
	conditions := make([]corev1.NodeCondition, 0, len(order))
	for _, condition := range order {
		conditions = append(conditions, by[condition.Type])
	}
	return map[string]any{
		"metadata": map[string]any{"annotations": annotations},
		"status":   map[string]any{"conditions": conditions},
	}
}
