package fakecloud

import "github.com/onectl/onectl/pkg/cloud"

// InstanceTypes is the built-in table, in the shape of ECS's pages on instance families. The numbers are for tests and were
// not compared with the service; those of member ENIs are the simulator's own.
func InstanceTypes() []cloud.InstanceType {
	kind := func(id string, cpu int, gib int64, enis, ipv4, ipv6, members int) cloud.InstanceType {
		return cloud.InstanceType{ID: "ecs." + id, CPU: cpu, MemoryBytes: gib << 30, ENIs: enis, IPv4PerENI: ipv4, IPv6PerENI: ipv6, TrunkENIs: members}
	}
	return []cloud.InstanceType{
		kind("c6.large", 2, 4, 2, 6, 1, 0),
		kind("c6.xlarge", 4, 8, 3, 10, 1, 0),
		kind("c6.2xlarge", 8, 16, 4, 10, 1, 0),
		kind("c6.4xlarge", 16, 32, 8, 20, 1, 0),
		kind("c7.large", 2, 4, 3, 6, 6, 7),
		kind("c7.xlarge", 4, 8, 4, 15, 15, 16),
		kind("c7.2xlarge", 8, 16, 4, 15, 15, 16),
		kind("c7.4xlarge", 16, 32, 8, 30, 30, 32),
		kind("g6.large", 2, 8, 2, 6, 1, 0),
		kind("g6.xlarge", 4, 16, 3, 10, 1, 0),
		kind("g6.2xlarge", 8, 32, 4, 10, 1, 0),
		kind("g6.4xlarge", 16, 64, 8, 20, 1, 0),
		kind("g7.large", 2, 8, 3, 6, 6, 7),
		kind("g7.xlarge", 4, 16, 4, 15, 15, 16),
		kind("g7.2xlarge", 8, 32, 4, 15, 15, 16),
		kind("g7.4xlarge", 16, 64, 8, 30, 30, 32),
		kind("g7.8xlarge", 32, 128, 8, 30, 30, 32),
		kind("g7.16xlarge", 64, 256, 8, 30, 30, 32),
		kind("g7.32xlarge", 128, 512, 15, 30, 30, 60),
		kind("r7.large", 2, 16, 3, 6, 6, 7),
		kind("r7.xlarge", 4, 32, 4, 15, 15, 16),
		kind("r7.2xlarge", 8, 64, 4, 15, 15, 16),
		kind("ebmre7p.32xlarge", 128, 512, 32, 15, 1, 78),
	}
}

func findType(id string) (cloud.InstanceType, bool) {
	for _, k := range InstanceTypes() {
		if k.ID == id {
			return k, true
		}
	}
	return cloud.InstanceType{}, false
}

// kind is the instance's type, the zero InstanceType when the table no longer has it.
func (i *instanceRecord) kind() cloud.InstanceType {
	k, _ := findType(i.Type)
	return k
}
