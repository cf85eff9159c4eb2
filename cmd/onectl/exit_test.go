package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/kube"
)

func TestExplain(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	tests := []struct {
		name      string
		err       error
		interrupt bool
		code      int
		text      string // part of it
	}{
		{"done", nil, false, 0, ""},
		{"done though interrupted", nil, true, 0, ""},
		{"failed", errors.New("it broke"), false, 1, "error: it broke"},
		{"usage", &cmdutil.UsageError{Command: "onectl addon", Err: errors.New("what?")}, false, 2, `run "onectl addon --help" for usage`},
		{"API server silent", fmt.Errorf("get: %w", &kube.UnreachableError{Server: "https://dc", Err: errors.New("timeout")}), false, 3, "kubectl get nodes"},
		{"cloud silent", &cloud.Error{Op: "GetUser", Kind: cloud.Unavailable, Message: "no route"}, false, 3, "--cloud-endpoint"},
		{"cloud broken", &cloud.Error{Op: "GetUser", Kind: cloud.Unavailable, Code: "InternalError"}, false, 1, "run the same command again"},
		{"cloud throttles", &cloud.Error{Op: "GetUser", Kind: cloud.Throttled, Code: "Throttling"}, false, 1, "wait a minute"},
		{"cloud refuses", fmt.Errorf("x: %w", &cloud.Error{Op: "GetUser", Kind: cloud.Forbidden}), false, 4, "AliyunRAMFullAccess"},
		{"cloud knows no such key", &cloud.Error{Op: "GetUser", Kind: cloud.BadKey}, false, 4, "onectl configure"},
		{"API server refuses", apierrors.NewForbidden(pods, "a", errors.New("no")), false, 4, "cluster-admin"},
		{"API server knows nobody", apierrors.NewUnauthorized("who?"), false, 4, "credentials"},
		{"interrupted", fmt.Errorf("wait: %w", context.Canceled), true, 130, "interrupted"},
		{"interrupted in a call", &cloud.Error{Op: "GetUser", Kind: cloud.Unavailable, Message: "context canceled"}, true, 130, "interrupted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, text := explain(tt.err, tt.interrupt)
			if code != tt.code || !strings.Contains(text, tt.text) || (tt.text == "") != (text == "") {
				t.Errorf("want %d and %q, got %d and %q", tt.code, tt.text, code, text)
			}
		})
	}
}
