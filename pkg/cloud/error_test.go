package cloud_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/onectl/onectl/pkg/cloud"
)

func TestKindOfCodeTellsWhatACallerCanDo(t *testing.T) {
	t.Parallel()
	tests := map[string]cloud.Kind{
		"InvalidEniId.NotFound":                 cloud.NotFound,
		"InvalidInstanceId.NotFound":            cloud.NotFound,
		"EntityNotExist.User":                   cloud.NotFound,
		"ErrorClusterNotFound":                  cloud.NotFound,
		"InvalidIp.IpUnassigned":                cloud.NotFound,
		"EntityAlreadyExists.User":              cloud.Exists,
		"ClusterNameAlreadyExist":               cloud.Exists,
		"InvalidVSwitchId.IpNotEnough":          cloud.NoAddress,
		"QuotaExceeded.PrivateIpAddress":        cloud.NoAddress,
		"EniPerInstanceLimitExceeded":           cloud.Quota,
		"LimitExceeded.User.AccessKey":          cloud.Quota,
		"QuotaExceeded.Cluster":                 cloud.Quota,
		"InvalidOperation.Ipv4CountExceeded":    cloud.Quota,
		"InvalidOperation.InvalidEniState":      cloud.Conflict,
		"Operation.Conflict":                    cloud.Conflict,
		"DeleteConflict.User.Policy":            cloud.Conflict,
		"Throttling":                            cloud.Throttled,
		"Throttling.User":                       cloud.Throttled,
		"Forbidden.RAM":                         cloud.Forbidden,
		"NoPermission":                          cloud.Forbidden,
		"InvalidAccessKeyId.NotFound":           cloud.BadKey,
		"InvalidAccessKeyId.Inactive":           cloud.BadKey,
		"SignatureDoesNotMatch":                 cloud.BadKey,
		"IdempotentParameterMismatch":           cloud.Invalid,
		"IdempotenceParamNotMatch":              cloud.Invalid,
		"InvalidParameter.PolicyName.Length":    cloud.Invalid,
		"MissingParameter":                      cloud.Invalid,
		"InvalidApi.NotFound":                   cloud.Invalid,
		"InternalError":                         cloud.Unavailable,
		"ServiceUnavailable":                    cloud.Unavailable,
		"SomethingNobodyHasSeen":                cloud.Unknown,
		"InvalidOperation.VpcMismatch":          cloud.Invalid,
		"InvalidSecurityToken.Expired":          cloud.BadKey,
		"InvalidOperation.DetachPrimaryAllowed": cloud.Invalid,
	}
	for code, want := range tests {
		if got := cloud.KindOfCode(code); got != want {
			t.Errorf("KindOfCode(%q) = %v, want %v", code, got, want)
		}
	}
}

func TestErrorNamesOperationSubjectCauseAndRequest(t *testing.T) {
	t.Parallel()
	err := &cloud.Error{
		Op: "AttachNetworkInterface", Resource: "eni-1 to i-2", Code: "Forbidden.RAM", Message: "not authorized",
		RequestID: "R-1", Action: "ecs:AttachNetworkInterface", Kind: cloud.Forbidden,
	}
	want := "AttachNetworkInterface eni-1 to i-2: Forbidden.RAM: not authorized (action ecs:AttachNetworkInterface is not allowed) (request R-1)"
	if got := err.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestKindOfLooksThroughWrapping(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("grow pool: %w", &cloud.Error{Kind: cloud.Quota, Err: context.Canceled})
	if got := cloud.KindOf(err); got != cloud.Quota {
		t.Errorf("KindOf = %v, want Quota", got)
	}
	if !errors.Is(err, context.Canceled) {
		t.Error("the context's error is not in the chain")
	}
	if got := cloud.KindOf(errors.New("plain")); got != cloud.Unknown {
		t.Errorf("KindOf a foreign error = %v, want Unknown", got)
	}
}
