package kube

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NodeLabel reads a label of the client's node, "" when it is not there.
func (c *Client) NodeLabel(ctx context.Context, key string) (string, error) {
	var node metav1.PartialObjectMetadata
	if err := read(ctx, c.rest.Get().Resource("nodes").Name(c.node), &node); err != nil {
		return "", fmt.Errorf("read node %s: %w", c.node, err)
	}
	return node.Labels[key], nil
}
