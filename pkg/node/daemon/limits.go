package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/onectl/onectl/pkg/cloud"
)

// LimitsAnnotation is the node annotation that holds the instance type as DescribeInstanceTypes answers it. It goes before
// the built-in table, for types that are newer than this build.
const LimitsAnnotation = "alibabacloud.com/instance-type-info"

// LimitSources is where an instance type's limits are looked for.
type LimitSources struct {
	Annotation func(ctx context.Context, key string) (string, error)                 // of the node; nil without an API server
	Cloud      func(ctx context.Context, ids []string) ([]cloud.InstanceType, error) // DescribeInstanceTypes, which the published policy does not allow
	Logger     *slog.Logger
}

// smallest is what every instance type that takes a second ENI can carry.
func smallest(id string) cloud.InstanceType {
	return cloud.InstanceType{ID: id, ENIs: 2, IPv4PerENI: 3, IPv6PerENI: 1}
}

// Find returns what an instance of the type can carry: by the node's annotation, the built-in table, the cloud, and when
// nobody knows, the least. It never fails: a node with few addresses is better than one without.
func (s LimitSources) Find(ctx context.Context, id string) cloud.InstanceType {
	if s.Annotation != nil {
		text, err := s.Annotation(ctx, LimitsAnnotation)
		if err != nil {
			s.Logger.Warn("node annotation not read, the built-in table is used", "annotation", LimitsAnnotation, "err", err)
		}
		if limits, err := limitsFrom(text, id); err != nil {
			s.Logger.Warn("node annotation ignored", "annotation", LimitsAnnotation, "err", err)
		} else if text != "" {
			return limits
		}
	}
	if limits, ok := builtIn(id); ok {
		return limits
	}
	found, err := s.Cloud(ctx, []string{id})
	if err == nil && len(found) == 1 && found[0].ENIs > 0 && found[0].IPv4PerENI > 0 {
		return found[0]
	}
	s.Logger.Warn("the limits of this instance type are not known, the smallest are used; set the node's annotation", "type", id, "annotation", LimitsAnnotation, "err", err)
	return smallest(id)
}

// limitsFrom reads an annotation: one InstanceType of DescribeInstanceTypes. An empty text is no error.
func limitsFrom(text, id string) (cloud.InstanceType, error) {
	if text == "" {
		return cloud.InstanceType{}, nil
	}
	var t struct {
		InstanceTypeID              string `json:"InstanceTypeId"`
		EniQuantity                 int
		EniPrivateIPAddressQuantity int `json:"EniPrivateIpAddressQuantity"`
		EniIPv6AddressQuantity      int `json:"EniIpv6AddressQuantity"`
		EniTotalQuantity            int
	}
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return cloud.InstanceType{}, fmt.Errorf("it is not JSON: %w", err)
	}
	if t.InstanceTypeID != id {
		return cloud.InstanceType{}, fmt.Errorf("it is about type %q, the instance is %s", t.InstanceTypeID, id)
	}
	if t.EniQuantity < 1 || t.EniPrivateIPAddressQuantity < 1 {
		return cloud.InstanceType{}, fmt.Errorf("EniQuantity is %d and EniPrivateIpAddressQuantity %d; both must be 1 or more", t.EniQuantity, t.EniPrivateIPAddressQuantity)
	}
	return cloud.InstanceType{
		ID: id, ENIs: t.EniQuantity, IPv4PerENI: t.EniPrivateIPAddressQuantity, IPv6PerENI: t.EniIPv6AddressQuantity,
		TrunkENIs: max(0, t.EniTotalQuantity-t.EniQuantity),
	}, nil
}

// builtIn knows the general purpose (g), compute (c) and memory (r) families of generations 6 and 7 by size, from ECS's
// pages on instance families.
func builtIn(id string) (cloud.InstanceType, bool) {
	type limits struct{ enis, ipv4, ipv6 int }
	generation6 := map[string]limits{
		"large": {2, 6, 1}, "xlarge": {3, 10, 1}, "2xlarge": {4, 10, 1}, "4xlarge": {8, 20, 1},
	}
	generation7 := map[string]limits{
		"large": {3, 6, 6}, "xlarge": {4, 15, 15}, "2xlarge": {4, 15, 15}, "3xlarge": {8, 15, 15},
		"4xlarge": {8, 30, 30}, "6xlarge": {8, 30, 30}, "8xlarge": {8, 30, 30},
	}
	families := map[string]map[string]limits{
		"g6": generation6, "c6": generation6, "r6": generation6,
		"g7": generation7, "c7": generation7, "r7": generation7,
	}
	var family, size string
	if n, err := fmt.Sscanf(id, "ecs.%2s.%s", &family, &size); n != 2 || err != nil {
		return cloud.InstanceType{}, false
	}
	l, ok := families[family][size]
	return cloud.InstanceType{ID: id, ENIs: l.enis, IPv4PerENI: l.ipv4, IPv6PerENI: l.ipv6}, ok
}
