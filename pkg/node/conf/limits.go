package conf

import (
	"encoding/json"
	"fmt"

	"github.com/onectl/onectl/pkg/cloud"
)

// AnnotationInstanceType is the node annotation that says what the node's instance type carries: one InstanceType object
// of ecs:DescribeInstanceTypes as JSON. The published RAM policy does not allow that call, so the annotation is how an
// operator corrects or completes the built-in table.
const AnnotationInstanceType = "alibabacloud.com/instance-type-info"

// Limits is what an instance of a type can carry and where that is known from, for the log. The node annotation comes
// first, when it is not "", then the built-in table, then Conservative. An annotation that does not parse, or is for
// another type, is an error; it is not passed over.
func Limits(instanceType, annotation string) (limits cloud.InstanceType, source string, err error) {
	if annotation != "" {
		limits, err := ParseInstanceType([]byte(annotation))
		if err == nil && limits.ID != "" && limits.ID != instanceType {
			err = fmt.Errorf("node annotation %s: it is for %s, the instance is %s; correct or remove it", AnnotationInstanceType, limits.ID, instanceType)
		}
		return limits, "node annotation", err
	}
	if limits, ok := LimitsOf(instanceType); ok {
		return limits, "built-in table", nil
	}
	return Conservative(instanceType), "default for an unknown type", nil
}

// ParseInstanceType reads an InstanceType object with the key names of the ECS SDK.
func ParseInstanceType(text []byte) (cloud.InstanceType, error) {
	var sdk struct {
		InstanceTypeId              string
		EniQuantity                 int
		EniPrivateIpAddressQuantity int
		EniIpv6AddressQuantity      int
		EniTotalQuantity            int
		EniTrunkSupported           bool
		CpuCoreCount                int
		MemorySize                  float64 // GiB
	}
	if err := json.Unmarshal(text, &sdk); err != nil {
		return cloud.InstanceType{}, fmt.Errorf("node annotation %s: not JSON of an InstanceType: %w; correct or remove it", AnnotationInstanceType, err)
	}
	if sdk.EniQuantity < 1 || sdk.EniPrivateIpAddressQuantity < 1 {
		return cloud.InstanceType{}, fmt.Errorf("node annotation %s: EniQuantity %d and EniPrivateIpAddressQuantity %d must both be 1 or more; correct or remove it",
			AnnotationInstanceType, sdk.EniQuantity, sdk.EniPrivateIpAddressQuantity)
	}
	t := cloud.InstanceType{
		ID: sdk.InstanceTypeId, ENIs: sdk.EniQuantity, IPv4PerENI: sdk.EniPrivateIpAddressQuantity, IPv6PerENI: sdk.EniIpv6AddressQuantity,
		CPU: sdk.CpuCoreCount, MemoryBytes: int64(sdk.MemorySize * (1 << 30)),
	}
	if sdk.EniTrunkSupported {
		t.TrunkENIs = max(0, sdk.EniTotalQuantity-sdk.EniQuantity)
	}
	return t, nil
}

// Conservative is what nearly every current instance type carries at least: two ENIs of six addresses, one ENI for pods.
func Conservative(instanceType string) cloud.InstanceType {
	return cloud.InstanceType{ID: instanceType, ENIs: 2, IPv4PerENI: 6, IPv6PerENI: 1}
}

// LimitsOf looks an instance type up in the built-in table. ok is false when it is not there.
func LimitsOf(instanceType string) (limits cloud.InstanceType, ok bool) {
	for _, t := range InstanceTypes() {
		if t.ID == instanceType {
			return t, true
		}
	}
	return cloud.InstanceType{}, false
}
