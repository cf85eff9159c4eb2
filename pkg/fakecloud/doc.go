// Package fakecloud is a simulator of the part of Alibaba Cloud that onectl and Terway live on: one account with RAM
// users and policies, one VPC with vSwitches, ECS instances and their ENIs, and registered clusters.
//
// A World is the state machine. It knows no HTTP (package wire speaks that) and no network (package fabric builds what
// World.Network describes). It has two sides: a Session is the cloud's API as one AccessKey sees it, with RAM enforced;
// World's own methods are the control side, what a test or a lab does to the world (add an instance, inject a fault).
//
// Transitions (Attaching → InUse, …) are timestamps, evaluated whenever somebody looks. So a world that was saved,
// stopped and restored goes on as if it had never stopped, and a test moves a ManualClock in place of sleeping. A change
// is saved before the call that made it returns: whoever got an answer finds it true after a crash, too.
package fakecloud
