// Package kubetest is a small Kubernetes API server in memory, for tests of onectl: real HTTP, real server-side apply
// (apimachinery's field managers), label selectors, resource versions, deletion of owned objects, and a DaemonSet
// controller that puts ready pods on matching nodes. It has no validation, no defaulting and no watch.
package kubetest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/managedfields"
)

// key is one object's place.
type key struct {
	group, resource, namespace, name string
}

// store is the objects. The caller of its methods holds mu.
type store struct {
	mu      sync.Mutex
	objects map[key]*unstructured.Unstructured
	version int
}

func (s *store) get(k key) (*unstructured.Unstructured, error) {
	if object, found := s.objects[k]; found {
		return object.DeepCopy(), nil
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{Group: k.group, Resource: k.resource}, k.name)
}

func (s *store) list(k key, selector string) ([]*unstructured.Unstructured, error) {
	want, err := labels.Parse(selector)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	var found []*unstructured.Unstructured
	for at, object := range s.objects {
		if at.group == k.group && at.resource == k.resource && (k.namespace == "" || at.namespace == k.namespace) && want.Matches(labels.Set(object.GetLabels())) {
			found = append(found, object.DeepCopy())
		}
	}
	slices.SortFunc(found, func(a, b *unstructured.Unstructured) int {
		if a.GetNamespace()+"/"+a.GetName() < b.GetNamespace()+"/"+b.GetName() {
			return -1
		}
		return 1
	})
	return found, nil
}

// forget returns what takes the store back to how it is now: for a dry run.
func (s *store) forget() func() {
	objects, version := maps.Clone(s.objects), s.version
	return func() { s.objects, s.version = objects, version }
}

// put stores an object as new or changed. The generation counts changes outside metadata and status.
func (s *store) put(k key, object *unstructured.Unstructured) *unstructured.Unstructured {
	s.version++
	old := s.objects[k]
	if old == nil {
		object.SetUID(types.UID(fmt.Sprintf("uid-%d", s.version)))
		object.SetGeneration(1)
	} else {
		object.SetUID(old.GetUID())
		object.SetGeneration(old.GetGeneration())
		if !same(old.Object["spec"], object.Object["spec"]) {
			object.SetGeneration(old.GetGeneration() + 1)
		}
	}
	object.SetResourceVersion(strconv.Itoa(s.version))
	s.objects[k] = object.DeepCopy()
	return object
}

func (s *store) create(k key, object *unstructured.Unstructured, manager string) (*unstructured.Unstructured, error) {
	if _, found := s.objects[k]; found {
		return nil, apierrors.NewAlreadyExists(schema.GroupResource{Group: k.group, Resource: k.resource}, k.name)
	}
	return s.written(k, empty(object), object, manager)
}

func (s *store) update(k key, object *unstructured.Unstructured, manager string) (*unstructured.Unstructured, error) {
	live, err := s.get(k)
	if err != nil {
		return nil, err
	}
	if v := object.GetResourceVersion(); v != "" && v != live.GetResourceVersion() {
		return nil, apierrors.NewConflict(schema.GroupResource{Group: k.group, Resource: k.resource}, k.name, fmt.Errorf("the object has been modified"))
	}
	return s.written(k, live, object, manager)
}

func (s *store) written(k key, live, object *unstructured.Unstructured, manager string) (*unstructured.Unstructured, error) {
	fields, err := fieldManager(object.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	merged, err := fields.Update(live, object, manager)
	if err != nil {
		return nil, err
	}
	return s.put(k, merged.(*unstructured.Unstructured)), nil
}

func (s *store) apply(k key, object *unstructured.Unstructured, manager string, force bool) (*unstructured.Unstructured, error) {
	live, err := s.get(k)
	if err != nil {
		live = empty(object)
	}
	fields, err := fieldManager(object.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	merged, err := fields.Apply(live, object, manager, force)
	if err != nil {
		return nil, err
	}
	return s.put(k, merged.(*unstructured.Unstructured)), nil
}

func (s *store) delete(k key) error {
	object, err := s.get(k)
	if err != nil {
		return err
	}
	delete(s.objects, k)
	maps.DeleteFunc(s.objects, func(_ key, owned *unstructured.Unstructured) bool {
		return slices.ContainsFunc(owned.GetOwnerReferences(), func(o metav1.OwnerReference) bool { return o.UID == object.GetUID() })
	})
	return nil
}

func empty(object *unstructured.Unstructured) *unstructured.Unstructured {
	none := &unstructured.Unstructured{}
	none.SetGroupVersionKind(object.GroupVersionKind())
	none.SetNamespace(object.GetNamespace())
	none.SetName(object.GetName())
	return none
}

func fieldManager(gvk schema.GroupVersionKind) (*managedfields.FieldManager, error) {
	return managedfields.NewDefaultCRDFieldManager(managedfields.NewDeducedTypeConverter(), convertor{}, defaulter{}, creater{}, gvk, gvk.GroupVersion(), "", nil)
}

// convertor, defaulter and creater are what the field manager asks for; objects have one version here.
type convertor struct{}

func (convertor) Convert(_, _, _ any) error {
	return fmt.Errorf("convert: objects have one version here")
}

func (convertor) ConvertToVersion(in runtime.Object, _ runtime.GroupVersioner) (runtime.Object, error) {
	return in, nil
}

func (convertor) ConvertFieldLabel(_ schema.GroupVersionKind, label, value string) (string, string, error) {
	return label, value, nil
}

type defaulter struct{}

func (defaulter) Default(runtime.Object) {}

type creater struct{}

func (creater) New(gvk schema.GroupVersionKind) (runtime.Object, error) {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(gvk)
	return object, nil
}
