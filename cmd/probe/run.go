package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/onectl/onectl/pkg/onectl/connectivity/job"
)

// connects is how often a target is connected to for the latency; the median counts.
const connects = 5

// runJob is the verb "run": do a job, tell the results. A check that fails is a result, not a failure of the program.
func runJob(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("run takes one job as JSON, not %d arguments", len(args))
	}
	var j job.Job
	if err := json.Unmarshal([]byte(args[0]), &j); err != nil {
		return fmt.Errorf("read job: %w", err)
	}
	return tell(do(ctx, j), os.Stdout, terminationMessage)
}

// terminationMessage is where the kubelet looks for a container's last words.
const terminationMessage = "/dev/termination-log"

// tell writes results for people and packed into the log, and packed into the termination message if they fit there.
func tell(results []job.Result, log io.Writer, message string) error {
	encoder := json.NewEncoder(log)
	for _, r := range results {
		if err := encoder.Encode(r); err != nil {
			return err
		}
	}
	line, err := job.Pack(results)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(log, line); err != nil {
		return err
	}
	file, err := os.OpenFile(message, os.O_WRONLY, 0) // the kubelet made it; outside a pod there is none
	if errors.Is(err, os.ErrNotExist) || len(line) > job.MessageLimit {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = file.WriteString(line)
	return errors.Join(err, file.Close())
}

// do makes all checks of all targets side by side, so one that waits for nothing does not hold up the others; then it
// measures latencies one by one, when the line is quiet.
func do(ctx context.Context, j job.Job) []job.Result {
	results := make([]job.Result, len(j.Targets)+len(j.Lookups))
	var wait sync.WaitGroup
	for i, target := range j.Targets {
		wait.Go(func() { results[i] = reach(ctx, j, target) })
	}
	for i, lookup := range j.Lookups {
		wait.Go(func() { results[len(j.Targets)+i] = resolve(ctx, j.Patience, lookup) })
	}
	wait.Wait()
	for i, target := range j.Targets {
		if results[i].TCP.Passed() {
			results[i].Latency = latency(ctx, target)
		}
	}
	return results
}

// reach makes the checks of one target.
func reach(ctx context.Context, j job.Job, target job.Target) job.Result {
	result := job.Result{ID: target.ID}
	var wait sync.WaitGroup
	wait.Go(func() {
		greeting, err := again(ctx, j.Patience, func(ctx context.Context) (said, error) { return greet(ctx, target) })
		result.TCP = answer(err)
		result.Seen, result.By, result.MTU = greeting.client, greeting.name, greeting.mtu
	})
	wait.Go(func() {
		_, err := again(ctx, j.Patience, func(ctx context.Context) (said, error) { return ask(ctx, target, leastQuestion) })
		result.UDP = answer(err)
	})
	wait.Wait()
	if result.UDP.Passed() {
		measure(ctx, target, j.Fresh, &result)
	}
	return result
}

// again tries until it works or patience is over; the last error counts, and a stranger's answer is final.
func again[T any](ctx context.Context, patience time.Duration, try func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last error
	for {
		got, err := try(ctx)
		if err == nil || errors.Is(err, errStranger) {
			return got, err
		}
		if last == nil || ctx.Err() == nil {
			last = err // not the one that the end of patience made
		}
		select {
		case <-ctx.Done():
			return got, last
		case <-time.After(pause):
		}
	}
}

// pause is between two tries.
const pause = 250 * time.Millisecond

// answer sorts an error into the fault it speaks for.
func answer(err error) job.Answer {
	if err == nil {
		return job.Answer{Done: true}
	}
	return job.Answer{Done: true, Fault: faultOf(err), Detail: err.Error()}
}

func faultOf(err error) job.Fault {
	switch {
	case errors.Is(err, errStranger):
		return job.Stranger
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ECONNRESET), errors.Is(err, io.EOF):
		return job.Refused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return job.Unreachable
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES): // a local filter or an administrative prohibition
		return job.Refused
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return job.Timeout
	}
	return job.Broken
}

func latency(ctx context.Context, target job.Target) time.Duration {
	var took []time.Duration
	for range connects {
		if t, err := connectTime(ctx, target); err == nil {
			took = append(took, t)
		}
	}
	return median(took)
}

// median is the middle of the values, the lower one of two, 0 of none.
func median(values []time.Duration) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[(len(values)-1)/2]
}
