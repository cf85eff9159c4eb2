package isolate

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/isolate"
)

// attempts bounds how often an object is read again because somebody else (its controller, mostly) wrote it meanwhile.
const attempts = 5

// group is the changes of one object, which are written at once.
type group struct {
	object  isolate.Object
	changes []isolate.Write
}

func groups(changes []isolate.Write) []group {
	var all []group
	at := map[isolate.Object]int{}
	for _, change := range changes {
		i, found := at[change.Object]
		if !found {
			i = len(all)
			at[change.Object] = i
			all = append(all, group{object: change.Object})
		}
		all[i].changes = append(all[i].changes, change)
	}
	return all
}

func get(ctx context.Context, k cmdutil.Kube, o isolate.Object) (*unstructured.Unstructured, error) {
	return k.Get(ctx, cmdutil.Kind(o.APIVersion, o.Kind), o.Namespace, o.Name)
}

// write makes the changes of one object, or has the server check them.
func (g group) write(ctx context.Context, k cmdutil.Kube, mode dryRun) error {
	for attempt := 1; ; attempt++ {
		err := g.try(ctx, k, mode)
		if !apierrors.IsConflict(err) || attempt == attempts {
			return err
		}
	}
}

func (g group) try(ctx context.Context, k cmdutil.Kube, mode dryRun) error {
	object, err := get(ctx, k, g.object)
	if err != nil {
		return err
	}
	if object == nil {
		return fmt.Errorf("%s was deleted meanwhile: run the same command again", g.object)
	}
	for _, change := range g.changes {
		if err := change.On(object); err != nil {
			return err
		}
	}
	if mode == "server" {
		return k.TryUpdate(ctx, object)
	}
	if err := k.Update(ctx, object); err != nil {
		return err
	}
	return g.verify(ctx, k)
}

// verify looks whether the server kept the values: one whose definitions do not know a field drops it and says nothing.
func (g group) verify(ctx context.Context, k cmdutil.Kube) error {
	object, err := get(ctx, k, g.object)
	if err != nil || object == nil {
		return err
	}
	for _, change := range g.changes {
		if !change.Holds(object) {
			return fmt.Errorf("%s did not keep %v: its operator is too old to know it, or something put it back at once; update it, or leave %s alone with --leave", g.object, change.Path, change.Workload)
		}
	}
	return nil
}

// keep writes the records, and removes the ConfigMap with the last of them.
func keep(ctx context.Context, k cmdutil.Kube, config *unstructured.Unstructured, records []isolate.Record) error {
	if len(records) == 0 {
		if config == nil {
			return nil
		}
		return k.Delete(ctx, cmdutil.Kind("v1", "ConfigMap"), isolate.RecordsNamespace, isolate.RecordsName)
	}
	object, err := isolate.Keep(config, records)
	if err != nil {
		return err
	}
	if config == nil {
		err = k.Create(ctx, object)
	} else {
		err = k.Update(ctx, object)
	}
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("%w; another \"onectl isolate\" is at work, run the same command again when it is done", err)
	}
	return err
}
