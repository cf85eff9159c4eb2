package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/onectl/onectl/e2e/lab/engine"
	"github.com/onectl/onectl/e2e/lab/nodeimage"
	"github.com/onectl/onectl/pkg/fakecloud/fabric"
)

// Up makes the lab. A lab that is up already is left as it is; the rest of one that was killed is removed first. When
// something fails or ctx ends, everything made so far is removed again.
func (l *Lab) Up(ctx context.Context) error {
	release, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	l.step("Looking for a container engine")
	if l.eng, err = engine.Ensure(ctx, l.opts.Progress); err != nil {
		return err
	}
	if _, err := l.running(ctx); err == nil {
		l.step("Lab %s is up already", l.Name)
		return nil
	}
	if err := l.clear(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return err
	}
	if err := l.build(ctx); err != nil {
		l.step("That failed; removing what was made")
		undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
		defer cancel()
		return errors.Join(err, l.remove(undo))
	}
	return nil
}

// build is the list of what makes a lab, in order.
func (l *Lab) build(ctx context.Context) error {
	facts := Facts{Name: l.Name, Scenario: l.opts.Scenario, Region: Region, NodeURL: nodeAPIURL, EngineHost: l.eng.Host, Nodes: map[string]*Node{}, CreatedAt: time.Now().UTC()}
	var err error
	l.step("Looking for the node image")
	if facts.NodeImage, err = nodeimage.Ensure(ctx, l.eng, l.opts.Progress); err != nil {
		return err
	}
	l.step("Starting the cloud simulator")
	if facts.Endpoint, err = l.startCloud(ctx); err != nil {
		return err
	}
	world, err := l.Cloud().Bootstrap(ctx, l.world(facts.Scenario.routing()))
	if err != nil {
		return fmt.Errorf("fill the cloud simulator: %w", err)
	}
	facts.ClusterID = world.Cluster.ID
	facts.KeyID, facts.KeySecret = world.Key.ID, world.Key.Secret.Reveal()
	facts.AccountKeyID, facts.AccountKeySecret = world.AccountKey.ID, world.AccountKey.Secret.Reveal()
	l.step("Creating the data centre's cluster")
	if err := l.createCluster(ctx, facts.NodeImage); err != nil {
		return err
	}
	if err := l.joinKindNodes(ctx, &facts); err != nil {
		return err
	}
	if err := l.startScenario(ctx, facts); err != nil {
		return err
	}
	if err := l.startAgent(ctx); err != nil {
		return err
	}
	if err := l.rollout(ctx, "kube-system", "deployment/coredns"); err != nil {
		return err
	}
	return l.save(facts)
}

func (l *Lab) joinKindNodes(ctx context.Context, facts *Facts) error {
	names, err := l.containers(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		role := RoleWorker
		if strings.HasSuffix(name, "-control-plane") {
			role = RoleControlPlane
		}
		l.step("Connecting %s to the data-centre router", name)
		node, err := l.joinDataCentre(ctx, name, role, facts.Scenario)
		if err != nil {
			return err
		}
		if err := l.loadImages(ctx, name); err != nil {
			return err
		}
		if err := l.loadDataCentreImages(ctx, facts.Scenario, name); err != nil {
			return err
		}
		facts.Nodes[name] = node
	}
	return nil
}

// running returns the lab's facts when every part of it runs, otherwise an error that names the part that does not.
func (l *Lab) running(ctx context.Context) (Facts, error) {
	facts, err := l.Facts()
	if err != nil {
		return facts, err
	}
	l.eng.Host = facts.EngineHost
	if p := l.process("fakecloud"); p.pid() == 0 {
		return facts, fmt.Errorf("lab %s: the cloud simulator does not run; %s", l.Name, p.tail())
	}
	if facts.Scenario == BGP {
		if err := l.speakersRun(); err != nil {
			return facts, err
		}
	}
	for name, node := range facts.Nodes {
		pid, err := l.pidOf(ctx, name)
		if err != nil {
			return facts, fmt.Errorf("lab %s: node %s: %w", l.Name, name, err)
		}
		if pid != node.PID {
			return facts, fmt.Errorf("lab %s: node %s was restarted and lost its links: run `hybridlab down --name %s`, then up", l.Name, name, l.Name)
		}
	}
	return facts, nil
}

// Down removes the lab, whatever state it is in. No lab is fine. The engine that the lab brought stops with the last lab.
func (l *Lab) Down(ctx context.Context) error {
	release, err := l.lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	return l.remove(ctx)
}

func (l *Lab) remove(ctx context.Context) error {
	eng, present, err := engine.Find(ctx)
	if err != nil {
		return err
	}
	l.eng = eng
	if !present {
		return errors.Join(engine.Clean(ctx), l.clearHere(ctx))
	}
	if err := l.clear(ctx); err != nil {
		return err
	}
	return l.stopEngine(ctx)
}

// clear removes everything that carries the lab's name; what is not there is fine.
func (l *Lab) clear(ctx context.Context) error {
	l.step("Removing what carries the name %s", l.Name)
	return errors.Join(l.deleteCluster(ctx), l.clearHere(ctx))
}

// clearHere removes what needs no engine: processes, namespaces, files.
func (l *Lab) clearHere(ctx context.Context) error {
	for _, name := range append(speakers(), "fakecloud") {
		if err := l.process(name).stop(ctx); err != nil {
			return err
		}
	}
	if err := l.removeFabric(); err != nil {
		return err
	}
	return os.RemoveAll(l.dir)
}

// stopEngine stops the engine that labs brought when no container is left on it.
func (l *Lab) stopEngine(ctx context.Context) error {
	if !l.eng.Own {
		return nil
	}
	out, err := l.docker(ctx, "ps", "--all", "--quiet")
	if err != nil || strings.TrimSpace(out) != "" {
		return err
	}
	return l.eng.Stop(ctx)
}

// removeFabric removes the namespaces and links that the simulator made, also those of one that was killed.
func (l *Lab) removeFabric() error {
	network, err := fabric.Open(l.Name, l.opts.Log)
	if err != nil {
		return err
	}
	return network.Remove()
}
