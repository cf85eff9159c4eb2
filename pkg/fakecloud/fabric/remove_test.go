package fabric

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestRemoveLeavesNothing(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	l.secondary(1, a, "10.0.16.5")
	idc := l.lanNode(1)
	l.apply()
	if names, err := Names(); err != nil || !slices.Contains(names, l.name) {
		t.Errorf("want %s among the names, got %v, %v", l.name, names, err)
	}
	listener, err := ListenIn(l.VPCNetNS(), "tcp", "100.100.0.80:80") // keeps the namespace alive
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := l.reopen(l.name).Remove(); err != nil {
		t.Fatal(err)
	}
	if got := append(links(a), links(idc)...); len(got) != 0 {
		t.Errorf("links stayed: %v", got)
	}
	if exists(l.VPCNetNS()) || exists(l.DCNetNS()) {
		t.Error("a name stayed")
	}
	if names, err := Names(); err != nil || slices.Contains(names, l.name) {
		t.Errorf("want no %s among the names, got %v, %v", l.name, names, err)
	}
	if err := l.Remove(); err != nil {
		t.Errorf("remove again: %v", err)
	}
}

func TestRemoveAndApplyCopeWithHalfAFabric(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	l.apply()
	if err := unnameNetNS(l.DCNetNS()); err != nil { // somebody deleted one namespace
		t.Fatal(err)
	}
	// What a process leaves that is killed between the name and the namespace.
	if err := os.WriteFile(l.DCNetNS(), nil, 0o444); err != nil {
		t.Fatal(err)
	}
	l.apply()
	idc := l.lanNode(1)
	l.apply()
	mustPing(t, idc, "", "10.0.1.5")
	if err := unnameNetNS(l.VPCNetNS()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(l.VPCNetNS(), nil, 0o444); err != nil {
		t.Fatal(err)
	}
	if err := l.Remove(); err != nil {
		t.Fatal(err)
	}
	if exists(l.VPCNetNS()) || exists(l.DCNetNS()) || len(links(idc)) != 0 {
		t.Error("something stayed")
	}
	waitForLinks(t, a.Path, 1) // lo; eth0 vanishes with the router's namespace, which nobody names any more
}

func TestForeignNamespaceIsNeitherUsedNorRemoved(t *testing.T) {
	l := newLab(t)
	if err := makeNetNS(l.VPCNetNS(), "somebody else's"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unnameNetNS(l.VPCNetNS()); err != nil {
			t.Error(err)
		}
	}()
	if err := l.Apply(t.Context(), l.network); err == nil || !strings.Contains(err.Error(), "choose another name") {
		t.Errorf("apply: want an error that says what to do, got %v", err)
	}
	if err := l.Remove(); err == nil || !exists(l.VPCNetNS()) {
		t.Errorf("remove: want an error and the namespace left alone, got %v", err)
	}
	if names, err := Names(); err != nil || slices.Contains(names, l.name) {
		t.Errorf("want no %s among the names, got %v, %v", l.name, names, err)
	}
}

func TestCancelledApplyStops(t *testing.T) {
	l := newLab(t)
	a := l.instance(1, "vsw-nodes-i", "10.0.1.5")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Apply(ctx, l.network); !errors.Is(err, context.Canceled) {
		t.Errorf("want context.Canceled, got %v", err)
	}
	if got := links(a); len(got) != 0 {
		t.Errorf("made %v", got)
	}
	l.apply()
	mustPing(t, a, "", "10.0.1.253")
}

func tasks(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, entry := range entries {
		found = append(found, "/proc/self/task/"+entry.Name())
	}
	return found
}
