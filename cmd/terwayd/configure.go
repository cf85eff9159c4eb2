package main

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/conf"
	"github.com/onectl/onectl/pkg/node/daemon"
	"github.com/onectl/onectl/pkg/node/daemon/settings"
	"github.com/onectl/onectl/pkg/node/pool"
)

// How often the configuration is looked at: the mounted files each time, which costs next to nothing; the Node once a minute.
const (
	configEvery = 5 * time.Second
	nodeEvery   = 12
)

// reader reads the configuration; overrides come from the API server when there is one.
func (n *node) reader() *settings.Reader {
	sources := settings.Sources{
		Dir: n.configDir, Good: filepath.Join(n.stateDir, "settings.json"), Logger: n.logger,
		Event: n.tell,
	}
	if n.apiServer != nil {
		sources.Override = func(ctx context.Context) (settings.Override, error) {
			ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
			defer cancel()
			name, text, problem, err := n.apiServer.NodeConfig(ctx, settings.Label, "eni_conf")
			return settings.Override{Name: name, ENIConf: text, Problem: problem}, err
		}
	}
	return settings.New(sources)
}

// follow looks at the configuration until ctx ends, and has the pool work by each one that can be used. Its error is of
// lookAtMode.
func (n *node) follow(ctx context.Context, stock *pool.Pool, server *daemon.Daemon, instance cloud.Instance, limits cloud.InstanceType) error {
	for looks := 1; ; looks++ {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(configEvery):
		}
		if looks%nodeEvery == 0 {
			if err := n.lookAtMode(ctx, server.Attachments); err != nil {
				return err
			}
		}
		found, changed := n.settings.Look(ctx, looks%nodeEvery == 0)
		if !changed {
			continue
		}
		n.takeSymmetric(ctx, found.CNI.SymmetricRouting)
		eni, kept := n.config.ENI.Take(found.ENI, n.mode == daemon.Exclusive)
		n.tellKept(append(kept, n.config.CNI.Keep(found.CNI)...))
		n.config.ENI = eni
		config, usable := n.poolConfig(instance, limits)
		if err := stock.Configure(ctx, config, usable); err != nil && ctx.Err() == nil {
			n.logger.Warn("configuration not taken up", "err", err)
			continue
		}
		n.logger.Info("configuration changed", "minIdle", config.MinIdle, "maxIdle", config.MaxIdle, "vswitches", config.VSwitches)
	}
}

// tellKept says which changed values wait for a restart, and why.
func (n *node) tellKept(kept []conf.Warning) {
	n.waits.set(kept)
	if len(kept) == 0 {
		return
	}
	lines := make([]string, 0, len(kept))
	for _, w := range kept {
		lines = append(lines, w.String())
		n.logger.Warn("changed configuration waits for a restart", "cause", settings.NeedsRestart, "key", w.Path, "why", w.Text)
	}
	n.tell(settings.NeedsRestart, strings.Join(lines, "\n"))
}
