package lastlog

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKeepsTheLastLinesAndPassesAllOn(t *testing.T) {
	var out bytes.Buffer
	w := New(&out, 3*len("line 00\n"))
	for i := range 50 {
		fmt.Fprintf(w, "line %02d\n", i)
	}
	if diff := cmp.Diff([]string{"line 47\n", "line 48\n", "line 49\n"}, w.Lines()); diff != "" {
		t.Error(diff)
	}
	if got := strings.Count(out.String(), "\n"); got != 50 {
		t.Errorf("%d lines were passed on, want 50", got)
	}
	fmt.Fprint(w, strings.Repeat("x", 100)) // longer than all that is kept
	if got := w.Lines(); len(got) != 0 {
		t.Errorf("kept %q", got)
	}
}

func TestARecordOfSlogIsALine(t *testing.T) {
	w := New(&bytes.Buffer{}, 1000)
	logger := slog.New(slog.NewJSONHandler(w, nil))
	logger.Info("first", "key", "value")
	logger.Warn("second")
	lines := w.Lines()
	if len(lines) != 2 || !strings.Contains(lines[0], `"msg":"first"`) || !strings.HasSuffix(lines[1], "}\n") {
		t.Errorf("%q", lines)
	}
}
