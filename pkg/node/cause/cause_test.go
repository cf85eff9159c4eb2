package cause

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/testkit"
)

func TestTheTableIsWhole(t *testing.T) {
	t.Parallel()
	seen := map[Code]bool{}
	for _, c := range All() {
		if seen[c.Code] {
			t.Errorf("%s is in the table twice", c.Code)
		}
		seen[c.Code] = true
		if !regexp.MustCompile(`^[A-Z][A-Za-z0-9]+$`).MatchString(string(c.Code)) {
			t.Errorf("%q is no code: letters and digits, a capital first", c.Code)
		}
		if c.Severity != Info && c.Severity != Warning && c.Severity != Critical {
			t.Errorf("%s: severity %q", c.Code, c.Severity)
		}
		for _, text := range []string{c.Summary, c.Next} {
			if text == "" || strings.HasSuffix(text, ".") || strings.Contains(text, "\n") {
				t.Errorf("%s: %q is no text of one line without a full stop", c.Code, text)
			}
		}
		if found, ok := Find(c.Code); !ok || found != c || c.Code.Next() != c.Next {
			t.Errorf("Find(%s) = %+v", c.Code, found)
		}
	}
	if _, ok := Find("NoSuchCode"); ok || Code("NoSuchCode").Next() != "" {
		t.Error("a code that is not in the table is found")
	}
}

func TestTheDocumentationIsTheTable(t *testing.T) {
	var page strings.Builder
	page.WriteString(head)
	for _, c := range All() {
		fmt.Fprintf(&page, "\n### %s\n\n%s: %s.\n\nWhat to do: %s.\n", c.Code, c.Severity, c.Summary, c.Next)
	}
	testkit.Golden(t, "../../../docs/causes.md", page.String())
}

const head = `# Causes

Every reason for which something on a node is refused or wrong has a code. The code is the same wherever it is told:

| where | how |
|---|---|
| log of the daemon | key ` + "`cause`" + ` |
| metrics | label ` + "`cause`" + `: ` + "`terway_refusals_total`, `terway_resource_pool_problem`" + ` |
| conditions of the Node | the reason, or in front of the message |
| Events at Pod and Node | in front of the message: ` + "`[VSwitchExhausted] …`" + ` |
| errors that the container runtime gets, so kubelet's Event ` + "`FailedCreatePodSandBox`" + ` | the same |

` + "`kubectl get events -A | grep -F '[VSwitchExhausted]'`" + ` finds all of one kind.

info: passes by itself. warning: passes by itself as a rule; look when it stays. critical: pods get no network, or lose it, until
somebody acts.

This page is written from the table in pkg/node/cause (` + "`go test ./pkg/node/cause -update`" + `).
`

func TestMarkAndCut(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code         Code
		text, marked string
	}{
		{VSwitchExhausted, "no free address", "[VSwitchExhausted] no free address"},
		{"", "no free address", "no free address"},
		{NodeFull, "", "[NodeFull] "},
	} {
		if got := Mark(c.code, c.text); got != c.marked {
			t.Errorf("Mark(%q, %q) = %q, want %q", c.code, c.text, got, c.marked)
		}
		if code, text := Cut(c.marked); code != c.code || text != c.text {
			t.Errorf("Cut(%q) = %q, %q", c.marked, code, text)
		}
	}
	if again := Mark(NodeFull, Mark(VSwitchExhausted, "x")); again != "[VSwitchExhausted] x" {
		t.Errorf("marked twice: %q", again)
	}
	for _, text := range []string{"", "[", "[]", "[] x", "[A", "[A]", "[A]x", "[A b] x", "x [A] y"} {
		if code, rest := Cut(text); code != "" || rest != text {
			t.Errorf("Cut(%q) = %q, %q; want it whole", text, code, rest)
		}
	}
}

func TestTheFirstCodeInAChainCounts(t *testing.T) {
	t.Parallel()
	plain := errors.New("no space")
	inner := Wrap(LedgerUnwritable, plain)
	if Wrap(KernelRefused, nil) != nil {
		t.Error("nil has got a code")
	}
	for _, c := range []struct {
		err  error
		want Code
	}{
		{nil, ""}, {plain, ""}, {inner, LedgerUnwritable},
		{fmt.Errorf("put: %w", inner), LedgerUnwritable},
		{Wrap(KernelRefused, fmt.Errorf("put: %w", inner)), LedgerUnwritable},
		{errors.Join(plain, New(NodeFull, "full"), inner), NodeFull},
	} {
		if got := Of(c.err); got != c.want {
			t.Errorf("Of(%v) = %q, want %q", c.err, got, c.want)
		}
	}
	if diff := cmp.Diff(plain.Error(), inner.Error()); diff != "" || !errors.Is(inner, plain) {
		t.Error("a code changes the error:", diff)
	}
}
