package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/onectl/onectl/pkg/onectl/connectivity/job"
)

// resolve looks a name up, as a program in the pod would.
func resolve(ctx context.Context, patience time.Duration, lookup job.Lookup) job.Result {
	var took time.Duration
	_, err := again(ctx, patience, func(ctx context.Context) (struct{}, error) {
		start := time.Now()
		err := look(ctx, lookup)
		took = time.Since(start)
		return struct{}{}, err
	})
	if err != nil {
		return job.Result{ID: lookup.ID, DNS: job.Answer{Done: true, Fault: dnsFault(err), Detail: err.Error()}}
	}
	return job.Result{ID: lookup.ID, DNS: job.Answer{Done: true}, Latency: took}
}

// errOtherAddress says that a name has other addresses than it must have.
var errOtherAddress = errors.New("another address than the Service's")

func look(ctx context.Context, lookup job.Lookup) error {
	resolver := net.Resolver{PreferGo: true}
	if lookup.Server != "" {
		resolver.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, lookup.Server)
		}
	}
	got, err := resolver.LookupNetIP(ctx, "ip", lookup.Name)
	if err != nil || len(lookup.Want) == 0 {
		return err
	}
	if !slices.ContainsFunc(got, func(a netip.Addr) bool { return slices.Contains(lookup.Want, a.Unmap()) }) {
		return fmt.Errorf("%s is %v, %w (%v)", lookup.Name, got, errOtherAddress, lookup.Want)
	}
	return nil
}

func dnsFault(err error) job.Fault {
	var failure *net.DNSError
	switch {
	case errors.Is(err, errOtherAddress):
		return job.NotFound
	case errors.As(err, &failure) && failure.IsNotFound:
		return job.NotFound
	case errors.As(err, &failure) && failure.IsTimeout:
		return job.Timeout
	case errors.As(err, &failure): // it does not wrap what happened: nobody listens, or the server answers with a failure
		return job.Refused
	}
	return faultOf(err)
}
