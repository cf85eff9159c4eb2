package cni

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/node/cause"
)

func TestAnErrorTravelsWithItsCauseInFrontOfTheMessage(t *testing.T) {
	for _, c := range []struct {
		sent Error
		wire string
		got  Error
	}{
		{Error{Code: CodeTryLater, Cause: cause.VSwitchExhausted, Msg: "no address", Details: "vsw-1"},
			`{"cniVersion":"1.1.0","code":11,"msg":"[VSwitchExhausted] no address","details":"vsw-1"}`,
			Error{Code: CodeTryLater, Cause: cause.VSwitchExhausted, Msg: "no address", Details: "vsw-1"}},
		{Error{Code: CodeUnknownContainer, Msg: "no record"},
			`{"cniVersion":"1.1.0","code":3,"msg":"[SandboxUnknown] no record"}`,
			Error{Code: CodeUnknownContainer, Cause: cause.SandboxUnknown, Msg: "no record"}},
		{Error{Code: CodeTryLater, Msg: "no cause"}, `{"cniVersion":"1.1.0","code":11,"msg":"no cause"}`, Error{Code: CodeTryLater, Msg: "no cause"}},
	} {
		body, err := Reply{Error: &c.sent}.encode()
		if err != nil || body[0] != 1 {
			t.Fatalf("%q, %v", body, err)
		}
		if diff := cmp.Diff(c.wire, compact(t, body[1:])); diff != "" {
			t.Error(diff)
		}
		got, err := unmarked(body[1:])
		if diff := cmp.Diff(&c.got, got); err != nil || diff != "" {
			t.Error(err, diff)
		}
	}
}

func compact(t *testing.T, text []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
