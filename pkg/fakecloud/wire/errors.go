package wire

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
)

// writeError answers with the service's error envelope and returns the code. Container Service gets both spellings: SDK
// v1 reads the capitalised keys, others the lower-case ones.
func writeError(w http.ResponseWriter, r *http.Request, st style, requestID string, err error) string {
	var e *cloud.Error
	if !errors.As(err, &e) {
		e = fail("InternalError", "%v", err)
	}
	product := st.product
	if product == "" {
		product = "Ecs"
	}
	help := url.Values{"q": {e.Code}, "product": {product}, "requestId": {requestID}}
	body := object{
		"RequestId": requestID, "HostId": r.Host, "Code": e.Code, "Message": e.Message,
		"Recommend": "https://api.aliyun.com/troubleshoot?" + help.Encode(),
	}
	if st.roa {
		body["request_id"], body["code"], body["message"] = requestID, e.Code, e.Message
	}
	var denial *fakecloud.Denial
	if errors.As(err, &denial) {
		body["AccessDeniedDetail"] = deniedDetail(denial)
	}
	if strings.HasPrefix(e.Code, "Throttling") {
		w.Header().Set("x-ratelimit-user-api", "TimeLeft:1000")
	}
	writeJSON(w, status(e.Code), body)
	return e.Code
}

func deniedDetail(d *fakecloud.Denial) object {
	why := "ImplicitDeny"
	if d.Explicit {
		why = "ExplicitDeny"
	}
	return object{
		"AuthAction": d.Action, "AuthPrincipalType": "SubUser", "AuthPrincipalDisplayName": d.Principal, "AuthPrincipalOwnerId": d.Account,
		"NoPermissionType": why, "PolicyType": "AccountLevelIdentityBasedPolicy",
	}
}

// status is the HTTP status a service sends with a code (error tables of the ECS, RAM and CS references).
func status(code string) int {
	if s, known := statuses()[code]; known {
		return s
	}
	switch {
	case strings.HasPrefix(code, "Forbidden"), strings.HasPrefix(code, "NoPermission"), strings.HasPrefix(code, "InvalidOperation."),
		strings.HasPrefix(code, "InvalidIp."), strings.HasPrefix(code, "InvalidVSwitch"):
		return http.StatusForbidden
	case strings.HasPrefix(code, "EntityNotExist"), strings.HasSuffix(code, "NotFound"):
		return http.StatusNotFound
	case strings.HasPrefix(code, "EntityAlreadyExists"), strings.HasPrefix(code, "DeleteConflict"), strings.HasPrefix(code, "LimitExceeded"):
		return http.StatusConflict
	}
	return http.StatusBadRequest
}

// statuses are the codes that do not follow the rule of their form.
func statuses() map[string]int {
	return map[string]int{
		"EniPerInstanceLimitExceeded":                 http.StatusForbidden,
		"InternalError":                               http.StatusInternalServerError,
		"InvalidOperation.DetachPrimaryEniNotAllowed": http.StatusBadRequest,
		"InvalidOperation.InvalidEcsState":            http.StatusBadRequest,
		"InvalidOperation.InvalidEniState":            http.StatusBadRequest,
		"InvalidOperation.MultiGroupType":             http.StatusBadRequest,
		"InvalidVSwitchId.NotFound":                   http.StatusNotFound,
		"MaxEniCountExceeded":                         http.StatusForbidden,
		"Operation.Conflict":                          http.StatusForbidden,
		"QuotaExceed.Tags":                            http.StatusForbidden,
		"SecurityGroupInstanceLimitExceed":            http.StatusForbidden,
		"ServiceUnavailable":                          http.StatusServiceUnavailable,
	}
}
