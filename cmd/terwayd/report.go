package main

import (
	"context"

	"github.com/onectl/onectl/pkg/node/daemon"
	"github.com/onectl/onectl/pkg/node/kube"
	"github.com/onectl/onectl/pkg/node/pool"
)

// budgets is what is left of the calls of the AccessKey in use.
func (n *node) budgets() (all []daemon.CallBudget) {
	client := n.client.Load()
	if client == nil {
		return nil
	}
	for _, b := range client.Budgets() {
		all = append(all, daemon.CallBudget(b))
	}
	return all
}

// pods is what the API server knows of this node's pods, nil without one.
func (n *node) pods() daemon.Pods {
	if n.apiServer == nil {
		return nil
	}
	return n.apiServer.Pods
}

// reportNode keeps the Node's conditions and annotations, until ctx ends, when there is an API server.
func (n *node) reportNode(ctx context.Context, stock *pool.Pool) {
	if n.apiServer == nil {
		return
	}
	daemon.NodeReport{
		Look: func() daemon.NodeView { return daemon.ViewOf(stock.Status(), n.settings.State().Refused) },
		Show: func(ctx context.Context, view daemon.NodeView) error {
			conditions := make([]kube.Condition, 0, len(view.Conditions))
			for _, c := range view.Conditions {
				conditions = append(conditions, kube.Condition(c))
			}
			return n.apiServer.ShowNode(ctx, view.Annotations, conditions)
		},
		Logger: n.logger,
	}.Run(ctx)
}
