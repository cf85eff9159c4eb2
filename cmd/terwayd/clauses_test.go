package main

import (
	"os"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/testkit"
)

// parameters is of sections 1, 2 "Parameters" and 2 "Errors".
func parameters() []clause {
	with := func(verb, name, value string) func(*trial) said {
		return func(c *trial) said { return c.say(c.words(verb).with(name, value)) }
	}
	return []clause{
		{"1", "fields that the plugin does not know may be there", func(c *trial) said {
			return c.say(c.words("ADD").set("keyA", []string{"some", "more"}).set("args", map[string]any{"labels": nil}))
		}, 0, nil, false},
		{"2 Parameters", "CNI_COMMAND is one of the verbs", with("ADD", "CNI_COMMAND", "UPDATE"), 4, []string{"CNI_COMMAND", "UPDATE"}, false},
		{"2 Parameters", "CNI_CONTAINERID must not be empty", with("ADD", "CNI_CONTAINERID", ""), 4, []string{"CNI_CONTAINERID"}, false},
		{"2 Parameters", "CNI_CONTAINERID starts with a letter or digit", with("ADD", "CNI_CONTAINERID", "-x"), 4, []string{"CNI_CONTAINERID"}, false},
		{"2 Parameters", "CNI_CONTAINERID has no other characters", with("DEL", "CNI_CONTAINERID", "a/../b"), 4, []string{"CNI_CONTAINERID"}, false},
		{"2 Parameters", "a CNI_IFNAME that cannot be used is an error", with("ADD", "CNI_IFNAME", "sixteencharacter"), 4, []string{"CNI_IFNAME"}, false},
		{"2 Parameters", "a CNI_IFNAME that the kernel has no room for either", with("ADD", "CNI_IFNAME", "a/b"), 4, []string{"CNI_IFNAME"}, false},
		{"2 Parameters", "CNI_IFNAME is the interface's name", func(c *trial) said {
			did := c.say(c.words("ADD").with("CNI_IFNAME", "eth1"))
			c.want(strings.Contains(c.links(), "eth1"), "links %s", c.links())
			return did
		}, 0, nil, false},
		{"2 Parameters", "CNI_ARGS may have keys that the plugin does not know", with("ADD", "CNI_ARGS", "FOO=BAR;ABC=123;;x"), 0, nil, false},
		{"2 Parameters", "ADD needs CNI_NETNS", with("ADD", "CNI_NETNS", ""), 4, []string{"CNI_NETNS"}, false},
		{"2 Parameters", "CHECK needs CNI_NETNS", with("CHECK", "CNI_NETNS", ""), 4, []string{"CNI_NETNS"}, false},
		{"2 Parameters", "DEL needs CNI_IFNAME", with("DEL", "CNI_IFNAME", ""), 4, []string{"CNI_IFNAME"}, false},
		{"2 Parameters", "ADD does not need CNI_PATH", with("ADD", "CNI_PATH", ""), 0, nil, false},
		{"2 Parameters", "DEL does not need CNI_PATH", with("DEL", "CNI_PATH", ""), 0, nil, true},
		{"2 Parameters", "STATUS does not need CNI_PATH", with("STATUS", "CNI_PATH", ""), 0, nil, true},
		{"2 Parameters", "GC needs CNI_PATH", func(c *trial) said {
			return c.say(c.words("GC").with("CNI_PATH", "").set("cni.dev/valid-attachments", []any{}))
		}, 4, []string{"CNI_PATH"}, false},
	}
}

// additions is of section 2 "ADD" and of section 3 "Lifecycle".
func additions() []clause {
	return []clause{
		{"2 ADD", "makes the interface in the container", func(c *trial) said {
			did := c.do("ADD")
			c.want(strings.Contains(c.links(), "eth0"), "links %s", c.links())
			c.ping(c.p.ns, c.peerIP)
			return did
		}, 0, nil, false},
		{"2 ADD", "prevResult is passed on, with ours after it", func(c *trial) said {
			previous := map[string]any{
				"cniVersion": "1.1.0", "dns": map[string]any{"domain": "example.org"},
				"interfaces": []any{map[string]any{"name": "net1", "sandbox": c.p.ns.Path}},
				"ips":        []any{map[string]any{"address": "192.0.2.5/24", "interface": 0}},
				"routes":     []any{map[string]any{"dst": "198.51.100.0/24"}},
			}
			did := c.say(c.words("ADD").set("prevResult", previous))
			got := did.Result
			c.want(len(got.Interfaces) == 3 && got.Interfaces[0].Name == "net1" && len(got.IPs) == 2 && got.IPs[0].Address == "192.0.2.5/24" &&
				got.IPs[1].Interface == 2 && len(got.Routes) == 2 && got.DNS["domain"] == "example.org", "result %s", did.Out)
			return did
		}, 0, nil, false},
		{"2 ADD", "an interface of that name that a plugin before made is an error", func(c *trial) said {
			return c.say(c.words("ADD").set("prevResult", map[string]any{"interfaces": []any{map[string]any{"name": "eth0", "sandbox": c.p.ns.Path}}}))
		}, 4, []string{"CNI_IFNAME eth0"}, false},
		{"2 ADD", "an interface of that name that is there is an error", func(c *trial) said {
			testkit.Veth(c.p.ns, "eth0", testkit.NewNetNS(c.t), "other")
			return c.say(c.words("ADD"))
		}, 11, []string{"already has an interface eth0"}, false},
		{"2 ADD", "of the same container may come again with another interface name", func(c *trial) said {
			one, did := c.do("ADD"), c.say(c.words("ADD").with("CNI_IFNAME", "eth1"))
			c.want(one.Result.IPs[0].Address != did.Result.IPs[0].Address, "both interfaces have %s", one.Result.IPs[0].Address)
			return did
		}, 0, nil, false},
		// A runtime should not do this. It is not an error here, against the letter of "an interface of that name that is
		// there": the first answer may have been lost with a daemon that was being updated, and docs/cni.md says so.
		{"2 ADD", "twice gives the same answer", func(c *trial) said {
			one, did := c.do("ADD"), c.do("ADD")
			if diff := cmp.Diff(one.Result, did.Result); diff != "" {
				c.t.Error(diff)
			}
			return did
		}, 0, nil, false},
		{"3 Lifecycle", "DEL after an ADD that failed takes everything back", func(c *trial) said {
			c.say(c.words("ADD").set("cniVersion", "9.0.0"))
			return c.say(c.words("DEL"))
		}, 0, nil, true},
		{"2 STATUS", "success when an ADD can be served", func(c *trial) said { return c.say(c.words("STATUS")) }, 0, nil, true},
	}
}

// deletions is of section 2 "DEL" and "GC".
func deletions() []clause {
	list := func(pods ...pod) (valid []any) {
		valid = []any{}
		for _, p := range pods {
			valid = append(valid, map[string]any{"containerID": p.id, "ifname": "eth0"})
		}
		return valid
	}
	return []clause{
		{"2 DEL", "takes the interface away", func(c *trial) said {
			c.do("ADD")
			did := c.do("DEL")
			c.want(!strings.Contains(c.links(), "eth0"), "links %s", c.links())
			return did
		}, 0, nil, true},
		{"2 DEL", "prevResult may be empty", func(c *trial) said {
			c.do("ADD")
			return c.say(c.words("DEL").set("prevResult", map[string]any{}))
		}, 0, nil, true},
		{"2 DEL", "prevResult may be there", func(c *trial) said {
			return c.say(c.words("DEL").set("prevResult", c.do("ADD").Result))
		}, 0, nil, true},
		{"2 DEL", "the namespace may not be named", func(c *trial) said {
			c.do("ADD")
			return c.say(c.words("DEL").with("CNI_NETNS", ""))
		}, 0, nil, true},
		{"2 DEL", "the namespace may be gone", func(c *trial) said {
			c.do("ADD")
			return c.say(c.words("DEL").with("CNI_NETNS", "/var/run/netns/gone"))
		}, 0, nil, true},
		{"2 DEL", "the interface may be gone", func(c *trial) said {
			c.do("ADD")
			c.sh(c.p.ns, "ip link delete eth0")
			return c.say(c.words("DEL"))
		}, 0, nil, true},
		{"2 DEL", "may come again", func(c *trial) said { c.do("ADD"); c.do("DEL"); return c.say(c.words("DEL")) }, 0, nil, true},
		{"2 DEL", "without an ADD before it is no error", func(c *trial) said { return c.say(c.words("DEL")) }, 0, nil, true},
		{"2 GC", "takes away what the list does not name, and nothing else", func(c *trial) said {
			kept := c.stand.pod("kept", "kept")
			c.add(kept)
			c.do("ADD")
			did := c.say(c.words("GC").set("cni.dev/valid-attachments", list(kept)))
			c.want(cmp.Equal(c.recorded(), []string{"kept/eth0"}), "left %v", c.recorded())
			c.must(c.stand.del(kept))
			return did
		}, 0, nil, true},
		{"2 GC", "an empty list is a list", func(c *trial) said {
			c.do("ADD")
			did := c.say(c.words("GC").set("cni.dev/valid-attachments", list()))
			c.want(len(c.recorded()) == 0, "left %v", c.recorded())
			return did
		}, 0, nil, true},
		{"2 GC", "the list is of one network", func(c *trial) said {
			c.do("ADD")
			did := c.say(c.words("GC").set("name", "other").set("cni.dev/valid-attachments", list()))
			c.want(len(c.recorded()) == 1, "left %v", c.recorded())
			return did
		}, 0, nil, true},
		{"2 GC", "the key of libraries before 1.1 was final", func(c *trial) said {
			c.do("ADD")
			did := c.say(c.words("GC").set("cni.dev/attachments", list()))
			c.want(len(c.recorded()) == 0, "left %v", c.recorded())
			return did
		}, 0, nil, true},
		{"2 GC", "the runtime must give the list", func(c *trial) said { return c.say(c.words("GC")) }, 7, []string{"cni.dev/valid-attachments"}, false},
	}
}

// results is of section 5 and of section 2 "VERSION".
func results() []clause {
	return []clause{
		{"5 ADD", "interfaces, addresses and routes, of the host and of the container", func(c *trial) said {
			did := c.do("ADD")
			got := did.Result
			c.want(len(got.Interfaces) == 2 && got.Interfaces[0].Sandbox == "" && got.Interfaces[1].Sandbox == c.p.ns.Path && got.Interfaces[1].Name == "eth0" &&
				got.Interfaces[0].MAC != "" && got.Interfaces[1].MAC != "" && got.Interfaces[1].MTU > 0, "interfaces %+v", got.Interfaces)
			c.want(len(got.IPs) == 1 && strings.HasSuffix(got.IPs[0].Address, "/32") && got.IPs[0].Gateway != "" && got.IPs[0].Interface == 1, "addresses %+v", got.IPs)
			c.want(len(got.Routes) == 1 && got.Routes[0].Dst == "0.0.0.0/0", "routes %+v", got.Routes)
			c.want(strings.Contains(c.links(), got.Interfaces[1].MAC), "links %s", c.links())
			return did
		}, 0, nil, false},
		{"5 Error", "1 for a version that the plugin does not speak", func(c *trial) said { return c.say(c.words("ADD").set("cniVersion", "9.0.0")) }, 1, []string{"incompatible"}, false},
		{"5 Error", "3 for a container that is not known", func(c *trial) said { return c.say(c.words("CHECK")) }, 3, []string{"no record of sandbox"}, false},
		{"5 Error", "5 when the configuration cannot be read", func(c *trial) said {
			return c.say(c.words("ADD").stdin([]byte(strings.Repeat(" ", 5<<20))))
		}, 5, []string{"standard input"}, false},
		{"5 Error", "6 when the configuration is no JSON", func(c *trial) said {
			return c.say(c.words("ADD").stdin([]byte(`{"socket":"` + c.path("run", "terway.sock") + `",`)))
		}, 6, []string{"network configuration"}, false},
		{"5 Error", "7 when the configuration is not valid", func(c *trial) said { return c.say(c.words("ADD").set("name", "")) }, 7, []string{"name"}, false},
		{"5 Error", "7 for a bandwidth that nobody could use", func(c *trial) said {
			return c.say(c.words("ADD").set("runtimeConfig", map[string]any{"bandwidth": map[string]any{"ingressRate": 1}}))
		}, 7, []string{"ingress-bandwidth"}, false},
		{"5 Error", "8 for a namespace that is none", func(c *trial) said { return c.say(c.words("ADD").with("CNI_NETNS", os.DevNull)) }, 8, []string{os.DevNull}, false},
		{"5 Error", "an error has the version that is spoken", func(c *trial) said {
			did := c.say(c.words("ADD").set("cniVersion", "0.4.0").with("CNI_NETNS", os.DevNull))
			c.want(did.Error.CNIVersion == "0.4.0", "version %q", did.Error.CNIVersion)
			return did
		}, 8, nil, false},
	}
}
