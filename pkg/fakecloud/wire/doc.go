// Package wire is the simulator's HTTP face. Handler speaks Alibaba Cloud's OpenAPI to clients that do not know they talk
// to a simulator: RPC style (ECS, VPC, RAM, STS) and ROA style (Container Service), signatures and time stamps verified,
// answers in the JSON that alibaba-cloud-sdk-go decodes. Metadata is the metadata service of one instance. Control and
// ControlClient are the control side, for a unix socket.
//
// The package decides nothing about the cloud: it verifies who calls, turns parameters into calls of a
// fakecloud.Session, and turns its answers and errors into JSON.
package wire
