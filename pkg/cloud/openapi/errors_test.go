package openapi

import (
	"errors"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
)

func TestAnswersBecomeErrorsWithAKind(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		reply reply
		want  cloud.Error
	}{
		{
			"ECS refusal with its details",
			reply{403, `{"RequestId":"R-1","Code":"Forbidden.RAM","Message":"User not authorized.","AccessDeniedDetail":{"AuthAction":"ecs:DescribeInstanceTypes","PolicyType":"x"}}`},
			cloud.Error{Code: "Forbidden.RAM", Message: "User not authorized", RequestID: "R-1", Action: "ecs:DescribeInstanceTypes", Kind: cloud.Forbidden},
		}, {
			"RAM refusal, which has the action in its message",
			reply{403, `{"RequestId":"R-1","Code":"NoPermission","Message":"You are not authorized to do this action. Resource: acs:ram:*:1:user/* Action: ram:ListUsers"}`},
			cloud.Error{Code: "NoPermission", Message: "You are not authorized to do this action. Resource: acs:ram:*:1:user/* Action: ram:ListUsers", RequestID: "R-1", Action: "ram:ListUsers", Kind: cloud.Forbidden},
		}, {
			"signature error, which repeats the request",
			reply{400, `{"RequestId":"R-1","Code":"SignatureDoesNotMatch","Message":"Specified signature is not matched with our calculation. server string to sign is:POST&%2F&AccessKeyId%3DLTAI5tTestTestTestTest00"}`},
			cloud.Error{Code: "SignatureDoesNotMatch", Message: "Specified signature is not matched with our calculation; check the AccessKey secret", RequestID: "R-1", Kind: cloud.BadKey},
		}, {
			"a message that repeats the key",
			reply{404, `{"RequestId":"R-1","Code":"InvalidAccessKeyId.NotFound","Message":"Specified access key LTAI5tTestTestTestTest00 is not found."}`},
			cloud.Error{Code: "InvalidAccessKeyId.NotFound", Message: "Specified access key *** is not found; check the AccessKey ID, or make a new key", RequestID: "R-1", Kind: cloud.BadKey},
		}, {
			"a clock that is wrong",
			reply{400, `{"RequestId":"R-1","Code":"InvalidTimeStamp.Expired","Message":"Specified time stamp or date value is expired."}`},
			cloud.Error{Code: "InvalidTimeStamp.Expired", Message: "Specified time stamp or date value is expired; check this machine's clock", RequestID: "R-1", Kind: cloud.Invalid},
		}, {
			"lower-case keys",
			reply{404, `{"code":"ErrorClusterNotFound","message":"cluster not found","request_id":"R-1"}`},
			cloud.Error{Code: "ErrorClusterNotFound", Message: "cluster not found", RequestID: "R-1", Kind: cloud.NotFound},
		}, {
			"a new code is told by its status",
			reply{409, `{"RequestId":"R-1","Code":"BrandNew","Message":"m"}`},
			cloud.Error{Code: "BrandNew", Message: "m", RequestID: "R-1", Kind: cloud.Conflict},
		}, {
			"a proxy's page",
			reply{403, `<html>LTAI5tTestTestTestTest00 go away</html>`},
			cloud.Error{Message: "HTTP status 403 without an error code; check that the endpoint is an Alibaba Cloud one", Kind: cloud.Forbidden},
		}, {
			"a page with status 200",
			reply{200, `<html>please log in</html>`},
			cloud.Error{Message: errUnreadable.Error()},
		}, {
			"a code that is a number, on which the SDK panics",
			reply{400, `{"RequestId":"R-1","Code":400,"Message":"m"}`},
			cloud.Error{Message: errUnreadable.Error()},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client, s, _ := newClient(t, test.reply)
			_, err := client.DescribeInstanceTypes(t.Context(), []string{"ecs.g7.xlarge"})
			var got *cloud.Error
			if !errors.As(err, &got) {
				t.Fatalf("got %v, want a *cloud.Error", err)
			}
			test.want.Op, test.want.Resource = "DescribeInstanceTypes", "ecs.g7.xlarge"
			if diff := cmp.Diff(test.want, *got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if s.requests() != 1 {
				t.Errorf("%d requests, want 1: this does not get better", s.requests())
			}
			wantNoSecret(t, err)
		})
	}
}

func TestKindOfStatusHelpsOnlyUnknownCodes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		code   string
		status int
		want   cloud.Kind
	}{
		{"InvalidEniId.NotFound", http.StatusForbidden, cloud.NotFound},
		{"BrandNew", http.StatusTooManyRequests, cloud.Throttled},
		{"BrandNew", http.StatusBadGateway, cloud.Unavailable},
		{"BrandNew", http.StatusNotFound, cloud.NotFound},
		{"BrandNew", http.StatusBadRequest, cloud.Invalid},
		{"BrandNew", http.StatusTeapot, cloud.Unknown},
	}
	for _, test := range tests {
		if got := kindOf(test.code, test.status); got != test.want {
			t.Errorf("kindOf(%q, %d) = %v, want %v", test.code, test.status, got, test.want)
		}
	}
}
