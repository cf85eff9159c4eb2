package conf

import "github.com/onectl/onectl/pkg/cloud"

// size is one row of ECS's tables of instance families: ENIs with the primary one, and IPv4 and IPv6 addresses of one.
type size struct {
	name             string
	enis, ipv4, ipv6 int
}

// InstanceTypes is the built-in table, from ECS's pages on instance families. Where those differ within a family by
// generation or region the smaller number stands here: too few ENIs cost density, too many cost failing calls. The table
// is no promise; AnnotationInstanceType on the node overrides it.
func InstanceTypes() []cloud.InstanceType {
	sixth := []size{
		{"large", 2, 6, 1}, {"xlarge", 3, 10, 1}, {"2xlarge", 4, 10, 1}, {"3xlarge", 6, 10, 1}, {"4xlarge", 8, 20, 1},
		{"6xlarge", 8, 20, 1}, {"8xlarge", 7, 20, 1}, {"13xlarge", 7, 20, 1}, {"26xlarge", 15, 20, 1},
	}
	seventh := []size{
		{"large", 3, 6, 6}, {"xlarge", 4, 15, 15}, {"2xlarge", 4, 15, 15}, {"3xlarge", 8, 15, 15}, {"4xlarge", 8, 30, 30},
		{"6xlarge", 8, 30, 30}, {"8xlarge", 8, 30, 30}, {"16xlarge", 8, 30, 30}, {"32xlarge", 15, 30, 30},
	}
	eighth := []size{
		{"large", 3, 6, 6}, {"xlarge", 4, 15, 15}, {"2xlarge", 4, 15, 15}, {"3xlarge", 8, 15, 15}, {"4xlarge", 8, 30, 30},
		{"6xlarge", 8, 30, 30}, {"8xlarge", 8, 30, 30}, {"12xlarge", 8, 30, 30}, {"16xlarge", 8, 30, 30},
	}
	types := []cloud.InstanceType{{ID: "ecs.ebmre7p.32xlarge", ENIs: 32, IPv4PerENI: 15, IPv6PerENI: 1, TrunkENIs: 78}}
	for _, family := range []struct {
		names []string
		sizes []size
	}{
		{[]string{"c6", "g6", "r6"}, sixth},
		{[]string{"c7", "g7", "r7"}, seventh},
		{[]string{"c8i", "g8i", "r8i"}, eighth},
	} {
		for _, name := range family.names {
			for _, s := range family.sizes {
				types = append(types, cloud.InstanceType{ID: "ecs." + name + "." + s.name, ENIs: s.enis, IPv4PerENI: s.ipv4, IPv6PerENI: s.ipv6})
			}
		}
	}
	return types
}
