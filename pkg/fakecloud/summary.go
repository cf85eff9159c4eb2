package fakecloud

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// Summary is the world as a test or a status line wants to see it. It holds no secrets.
type Summary struct {
	Account, Region string
	VPC             cloud.VPC
	VSwitches       []cloud.VSwitch
	SecurityGroups  []cloud.SecurityGroup
	Clusters        []cloud.Cluster
	Instances       []InstanceSummary
	ENIs            []ENIView // of every status, sorted by ID
	Users           []UserSummary
	Policies        []cloud.Policy // Custom ones
	Network         Network
	Faults          []Fault                   // still to hit
	Calls           map[string]int            // API calls by action, "ecs:CreateNetworkInterface"
	Refused         map[string]map[string]int // those of them that failed, by action and code; a lost answer counts as none
}

// InstanceSummary is an instance and where its network stack is.
type InstanceSummary struct {
	cloud.Instance
	NetNS string
}

// UserSummary is a RAM user with the policies and keys it has.
type UserSummary struct {
	cloud.User
	Policies []string // "Custom/name", in the order they were attached
	Keys     []KeyView
}

// Summary returns everything.
func (w *World) Summary() Summary {
	var sum Summary
	_ = w.look(func(s *state, _ time.Time) error {
		sum = s.summary()
		return nil
	})
	return sum
}

func (s *state) summary() Summary {
	sum := Summary{
		Account: s.Account, Region: s.Region, VPC: s.VPC, Network: s.network(), Faults: slices.Clone(s.Faults),
		Calls: maps.Clone(s.Calls), Refused: map[string]map[string]int{},
	}
	sum.VSwitches = sum.Network.VSwitches
	for _, id := range sorted(s.SecurityGroups) {
		sum.SecurityGroups = append(sum.SecurityGroups, s.SecurityGroups[id])
	}
	for _, id := range sorted(s.Clusters) {
		sum.Clusters = append(sum.Clusters, s.Clusters[id])
	}
	for _, id := range sorted(s.Instances) {
		sum.Instances = append(sum.Instances, InstanceSummary{Instance: s.Instances[id].Instance, NetNS: s.Instances[id].NetNS})
	}
	for _, id := range sorted(s.ENIs) {
		sum.ENIs = append(sum.ENIs, s.viewENI(s.ENIs[id]))
	}
	for _, name := range sorted(s.Users) {
		user := UserSummary{User: s.Users[name].User, Keys: s.keysOf(name)}
		for _, a := range s.Users[name].Attached {
			user.Policies = append(user.Policies, a.Type+"/"+a.Name)
		}
		sum.Users = append(sum.Users, user)
	}
	for _, name := range sorted(s.Policies) {
		view, _ := s.policyView(policyCustom, name)
		sum.Policies = append(sum.Policies, view.Policy)
	}
	for action, codes := range s.Refused {
		sum.Refused[action] = maps.Clone(codes)
	}
	return sum
}

// count notes one call and how it ended.
func (s *state) count(action string, err error) {
	s.Calls[action]++
	var e *cloud.Error
	if !errors.As(err, &e) {
		return
	}
	if s.Refused[action] == nil {
		s.Refused[action] = map[string]int{}
	}
	s.Refused[action][e.Code]++
}

// ResetCalls forgets the calls counted so far, so that a test can count those of one step.
func (w *World) ResetCalls() error {
	return w.change(func(s *state, _ time.Time) error {
		s.Calls, s.Refused = map[string]int{}, map[string]map[string]int{}
		return nil
	})
}
