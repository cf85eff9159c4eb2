package main

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/onectl/onectl/pkg/node/cni"
)

// A clause is one thing that version 1.1.0 of the CNI specification (SPEC.md) wants of a plugin, in our words, and how it is
// tried: with the plugin's process, the daemon's, and a sandbox that nothing was done to yet.
type clause struct {
	section string
	wants   string
	try     func(c *trial) said
	code    uint     // of the error; 0: success
	says    []string // parts of the error
	silent  bool     // nothing on standard output
}

// trial is one clause being tried.
type trial struct {
	*stand
	t *testing.T
	p pod
}

func (c *trial) words(verb string) asked { return c.stand.words(verb, c.p) }

// do says verb without a mistake; an error ends the trial.
func (c *trial) do(verb string) said {
	c.t.Helper()
	return c.done(c.words(verb))
}

func (c *trial) done(w asked) said {
	c.t.Helper()
	did := c.say(w)
	if did.Exit != 0 {
		c.t.Fatalf("%s: %s", w.env["CNI_COMMAND"], did.Out)
	}
	return did
}

// want fails the trial unless holds.
func (c *trial) want(holds bool, format string, args ...any) {
	c.t.Helper()
	if !holds {
		c.t.Errorf(format, args...)
	}
}

// address is the first one of a result.
func (c *trial) address(did said) netip.Addr {
	c.t.Helper()
	prefix, err := netip.ParsePrefix(did.Result.IPs[0].Address)
	if err != nil {
		c.t.Fatal(err)
	}
	return prefix.Addr()
}

func (c *trial) links() string { return c.sh(c.p.ns, "ip -br link") }

// hold tries the clause and compares.
func (k clause) hold(t *testing.T, s *stand, number int) {
	c := &trial{stand: s, t: t, p: s.pod(fmt.Sprint("clause-", number), fmt.Sprint("pod-", number))}
	did := k.try(c)
	switch {
	case did.Error.Code != k.code || (did.Exit != 0) != (k.code != 0):
		t.Errorf("exit code %d, %s; want code %d", did.Exit, did.Out, k.code)
	case k.silent && did.Out != "":
		t.Errorf("said %q, want nothing", did.Out)
	case k.code != 0 && (did.Error.Msg == "" || did.Error.CNIVersion == ""):
		t.Errorf("error %q lacks a key", did.Out)
	}
	for _, part := range k.says {
		if !strings.Contains(did.Error.text(), part) {
			t.Errorf("error %q, want %q in it", did.Error.text(), part)
		}
	}
	for _, ifName := range []string{"eth0", "eth1"} {
		c.done(c.words("DEL").with("CNI_IFNAME", ifName))
	}
}

// TestSpecification tries the clauses of the specification that are for plugins, one after the other, and that none leaves
// anything behind.
func TestSpecification(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	warm := s.pod("warm", "warm") // the ENI is there from now on
	s.add(warm)
	s.must(s.del(warm))
	before := s.books()
	for number, k := range append(append(append(parameters(), additions()...), deletions()...), results()...) {
		t.Run(strings.ReplaceAll(k.section+" "+k.wants, " ", "_"), func(t *testing.T) { k.hold(t, s, number) })
	}
	s.settled(before)
}

// TestSpecificationByVersion tries each verb in each version of the protocol.
func TestSpecificationByVersion(t *testing.T) {
	s := newStand(t, setup{})
	s.startReady()
	for i, version := range []string{"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"} {
		t.Run(version, func(t *testing.T) {
			c := &trial{stand: s, t: t, p: s.pod(fmt.Sprint("version-", i), "web-0")}
			in := func(verb string) asked { return c.words(verb).set("cniVersion", version) }
			first := func(from string) uint { // versions sort as text
				if version < from {
					return cni.CodeIncompatible
				}
				return 0
			}
			asked := s.say(in("VERSION"))
			c.want(asked.Exit == 0 && strings.HasPrefix(asked.Out, `{"cniVersion":"`+version+`","supportedVersions":[`) && strings.Contains(asked.Out, `"`+version+`"`), "VERSION: %s", asked.Out)
			added := c.done(in("ADD"))
			c.want(added.Result.CNIVersion == version && len(added.Result.IPs) == 1, "ADD: %s", added.Out)
			c.want((added.Result.IPs[0].Version == "4") == (version < "1.0.0"), "ADD: an address's version is of before 1.0.0: %s", added.Out)
			c.want((added.Result.Interfaces[0].MTU != 0) == (version >= "1.0.0"), "ADD: an interface's MTU is of later versions: %s", added.Out)
			check := s.say(in("CHECK").set("prevResult", added.Result))
			c.want(check.Error.Code == first("0.4.0"), "CHECK: %s", check.Out)
			status := s.say(in("STATUS"))
			c.want(status.Error.Code == first("1.1.0"), "STATUS: %s", status.Out)
			gc := s.say(in("GC").set("cni.dev/valid-attachments", []any{map[string]any{"containerID": c.p.id, "ifname": "eth0"}}))
			c.want(gc.Error.Code == first("1.1.0"), "GC: %s", gc.Out)
			c.ping(s.host, c.address(added))
			c.want(c.done(in("DEL").set("prevResult", added.Result)).Out == "", "DEL said something")
		})
	}
}
