package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
	"sigs.k8s.io/yaml"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
)

// cloudCalls is `cloud-calls`: the calls since the last `cloud-calls`, one action a line with its count, on stdout.
func (s *site) cloudCalls(ts *testscript.TestScript, _ bool, _ []string) {
	calls := s.world.Summary().Calls
	for _, action := range slices.Sorted(maps.Keys(calls)) {
		_, err := fmt.Fprintf(ts.Stdout(), "%s %d\n", action, calls[action])
		ts.Check(err)
	}
	ts.Check(s.world.ResetCalls())
}

// cloudFault is `cloud-fault ACTION CODE COUNT`, count 0 for ever; without arguments it ends all faults.
func (s *site) cloudFault(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 0 {
		ts.Check(s.world.ClearFaults())
		return
	}
	count, err := strconv.Atoi(args[2])
	ts.Check(err)
	ts.Check(s.world.AddFault(fakecloud.Fault{Action: args[0], Code: args[1], Count: count}))
}

// cloudKey is `cloud-key USER`: the account's owner makes a key for a RAM user, which is made if need be, and puts it into
// the Secret. The user "root" stands for the account itself.
func (s *site) cloudKey(ts *testscript.TestScript, _ bool, args []string) {
	key := s.made.AccountKey
	if args[0] != "root" {
		key = s.newKey(ts, args[0])
	}
	text, err := yaml.Marshal(accessKeySecret(key))
	ts.Check(err)
	s.kube.Put(s.t, string(text))
	ts.Check(s.world.ResetCalls())
}

// cloudKeys is `cloud-keys USER N`: the user has N keys more, and nobody knows where they are in use.
func (s *site) cloudKeys(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	for range n {
		s.newKey(ts, args[0])
	}
}

func (s *site) newKey(ts *testscript.TestScript, user string) cloud.AccessKey {
	root := s.world.Session(s.made.AccountKey)
	if _, err := root.CreateUser(s.t.Context(), cloud.User{Name: user}); cloud.KindOf(err) != cloud.Exists {
		ts.Check(err)
	}
	key, err := root.CreateAccessKey(s.t.Context(), user)
	ts.Check(err)
	return key
}

// cloudPolicies is `cloud-policies USER N`: the user has N custom policies of other things.
func (s *site) cloudPolicies(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	root := s.world.Session(s.made.AccountKey)
	for i := range n {
		name := fmt.Sprintf("other-%d", i)
		ts.Check(root.CreatePolicy(s.t.Context(), cloud.Policy{Name: name, Document: `{"Version":"1","Statement":[{"Effect":"Allow","Action":"oss:*","Resource":"*"}]}`}))
		ts.Check(root.AttachPolicyToUser(s.t.Context(), "Custom", name, args[0]))
	}
}

// cloudCluster is `cloud-cluster ID TYPE STATE`: a cluster is added, or changed.
func (s *site) cloudCluster(ts *testscript.TestScript, _ bool, args []string) {
	cluster := s.made.Cluster
	cluster.ID, cluster.Type, cluster.State = args[0], args[1], args[2]
	for _, field := range args[3:] {
		switch field {
		case "no-service-cidr":
			cluster.ServiceCIDR = fakecloud.BootstrapSpec{}.ServiceCIDR
		case "no-pod-vswitches":
			cluster.PodVSwitches = nil
		}
	}
	ts.Check(s.world.SetCluster(cluster))
}

// cloudENI is `cloud-eni CLUSTER [INSTANCE]`: an ENI as Terway makes them; with an instance it is attached.
func (s *site) cloudENI(ts *testscript.TestScript, _ bool, args []string) {
	root, ctx := s.world.Session(s.made.AccountKey), s.t.Context()
	eni, err := root.CreateENI(ctx, cloud.ENISpec{
		VSwitchID: "vsw-pods-i", SecurityGroups: []string{s.made.SecurityGroup.ID}, Tags: map[string]string{"creator": "terway", "ack.aliyun.com": args[0]},
	})
	ts.Check(err)
	if len(args) > 1 {
		instance, _, err := s.world.AddInstance(fakecloud.InstanceSpec{Name: args[1], Type: "ecs.g7.xlarge", VSwitchID: "vsw-nodes-i"})
		ts.Check(err)
		ts.Check(root.AttachENI(ctx, eni.ID, instance.ID))
	}
}

// cloudENIs is `cloud-enis`: the ENIs there are, type and cluster tag, on stdout.
func (s *site) cloudENIs(ts *testscript.TestScript, _ bool, _ []string) {
	enis, err := s.world.Session(s.made.AccountKey).DescribeENIs(s.t.Context(), cloud.ENIFilter{})
	ts.Check(err)
	for _, eni := range enis {
		_, err := fmt.Fprintf(ts.Stdout(), "%s %s %s\n", eni.Type, eni.Status, eni.Tags["ack.aliyun.com"])
		ts.Check(err)
	}
}
