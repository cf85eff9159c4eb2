package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/onectl/connectivity/job"
)

func TestSearchFindsTheLargestThatPasses(t *testing.T) {
	for _, limit := range []int{304, 305, 576, 1280, 1399, 1400, 1499, 1500, 9000} {
		asked := 0
		got := search(304, 1500, func(size int) bool { asked++; return size <= limit })
		if want := min(limit, 1500); got != want || asked > 12 {
			t.Errorf("limit %d: want %d, got %d after %d tries", limit, want, got, asked)
		}
	}
}

func TestMedian(t *testing.T) {
	for want, values := range map[time.Duration][]time.Duration{0: nil, 5: {5}, 1: {2, 1}, 3: {9, 1, 3}} {
		if got := median(values); got != want {
			t.Errorf("%v: want %d, got %d", values, want, got)
		}
	}
}

func TestResultsAreToldInTheTerminationMessageUnlessTheyAreTooLong(t *testing.T) {
	want := []job.Result{{ID: "a", TCP: job.Answer{Done: true}}}
	message := filepath.Join(t.TempDir(), "termination-log")
	if err := os.WriteFile(message, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	if err := tell(want, &log, message); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(message)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(text), log.String()} {
		got, err := job.Unpack(text)
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b job.Result) bool { return a == b })); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
	}
	if err := os.Truncate(message, 0); err != nil {
		t.Fatal(err)
	}
	var many []job.Result
	for range 9000 { // of different length each, or they would pack well
		many = append(many, job.Result{ID: time.Now().Format(time.RFC3339Nano)})
	}
	log.Reset()
	if err := tell(many, &log, message); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(message); len(text) != 0 {
		t.Errorf("%d bytes in the message, of which the kubelet would cut the end off", len(text))
	}
	if got, err := job.Unpack(log.String()); err != nil || len(got) != len(many) {
		t.Errorf("from the log: %d results, %v", len(got), err)
	}
}
