package engine

import (
	"errors"
	"os"
	"testing"
)

func TestStopRestoresWhatAKubeletSets(t *testing.T) {
	d := newDaemon(t)
	const path = "/proc/sys/kernel/panic"
	machines, err := read(path)
	if err != nil {
		t.Fatal(err)
	}
	set := func(value string) {
		if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { set(machines) })
	for _, test := range []struct{ name, meanwhile, want string }{
		{"a kubelet's value", sysctls()[path], "3"},
		{"another's value", "5", "5"},
	} {
		t.Run(test.name, func(t *testing.T) {
			set("3")
			if err := d.noteBefore(); err != nil {
				t.Fatal(err)
			}
			set(test.meanwhile)
			if err := errors.Join(d.restore(), d.restore()); err != nil {
				t.Fatal(err)
			}
			if got, err := read(path); err != nil || got != test.want {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

func TestInotifyIsRaisedWhileTheEngineRuns(t *testing.T) {
	d := newDaemon(t)
	machines, err := read(inotify)
	if err != nil {
		t.Fatal(err)
	}
	set := func(value string) {
		if err := os.WriteFile(inotify, []byte(value), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { set(machines) })
	for before, while := range map[string]string{"128": "8192", "10000": "10000"} {
		set(before)
		if err := errors.Join(d.noteBefore(), raise()); err != nil {
			t.Fatal(err)
		}
		if got, _ := read(inotify); got != while {
			t.Errorf("%s became %s, want %s", before, got, while)
		}
		if err := d.restore(); err != nil {
			t.Fatal(err)
		}
		if got, _ := read(inotify); got != before {
			t.Errorf("restored to %s, want %s", got, before)
		}
	}
}
