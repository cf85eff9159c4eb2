package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/onectl/onectl/e2e/rig"
)

// How much is measured in one visit of a path. Visits are short and many, so that what else the machine does hits all paths.
const (
	visits      = 3
	roundTrips  = 4000
	connections = 400
	streamTime  = 300 * time.Millisecond
	block       = 128 << 10 // bytes of one write of a stream
)

// track is two network namespaces between which TCP is measured.
type track struct {
	name           string
	client, server string     // paths of the namespaces
	address        netip.Addr // of the server
}

// traffic is what visits of a track gave: a median a visit.
type traffic struct {
	rr, crr []time.Duration // one byte there and back; the same with a new connection each time
	stream  []float64       // bits a second
}

// visit measures t some times, when the machine is calm, and adds what it found to got.
func (t track) visit(ctx context.Context, got *traffic) error {
	calm(ctx)
	for range visits {
		if err := t.measure(ctx, got); err != nil {
			return err
		}
	}
	return nil
}

func (t track) measure(ctx context.Context, got *traffic) error {
	rr, err := t.roundTrip(ctx, roundTrips, false)
	if err != nil {
		return fmt.Errorf("%s, round trips: %w", t.name, err)
	}
	crr, err := t.roundTrip(ctx, connections, true)
	if err != nil {
		return fmt.Errorf("%s, connections: %w", t.name, err)
	}
	stream, err := t.streamRate(ctx)
	if err != nil {
		return fmt.Errorf("%s, stream: %w", t.name, err)
	}
	got.rr, got.crr, got.stream = append(got.rr, rr), append(got.crr, crr), append(got.stream, stream)
	return nil
}

func micro(took []time.Duration) float64 { return float64(median(took)) / 1e3 }

// median is the middle of values, which are not empty.
func median[T int64 | float64 | time.Duration](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// roundTrip is the median time of one byte there and back: on one connection, or on a new one each time, its making and its end
// included.
func (t track) roundTrip(ctx context.Context, count int, connect bool) (time.Duration, error) {
	return talk(ctx, t, 0, echo, func(dial func() (int, error)) (time.Duration, error) {
		took := make([]time.Duration, 0, count)
		fd := -1
		defer func() {
			if fd >= 0 {
				unix.Close(fd) // or the server would wait
			}
		}()
		for range count {
			start := time.Now()
			if fd < 0 {
				var err error
				if fd, err = dial(); err != nil {
					return 0, err
				}
				if !connect {
					start = time.Now()
				}
			}
			if err := swap(fd); err != nil {
				return 0, err
			}
			if connect {
				unix.Close(fd)
				fd = -1
			}
			took = append(took, time.Since(start))
		}
		return median(took), nil
	})
}

// streamRate is what one connection carries, in bits a second, counted where it is read.
func (t track) streamRate(ctx context.Context) (float64, error) {
	var got int64
	var took time.Duration
	sink := func(fd int) error {
		buf, start := make([]byte, block), time.Now()
		for {
			n, err := retry(func() (int, error) { return unix.Read(fd, buf) })
			if n <= 0 || err != nil {
				took = time.Since(start)
				return err
			}
			got += int64(n)
		}
	}
	_, err := talk(ctx, t, 1, sink, func(dial func() (int, error)) (struct{}, error) {
		fd, err := dial()
		if err != nil {
			return struct{}{}, err
		}
		defer unix.Close(fd)
		buf := make([]byte, block)
		for end := time.Now().Add(streamTime); time.Now().Before(end); {
			if _, err := retry(func() (int, error) { return unix.Write(fd, buf) }); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
	return float64(got) * 8 / took.Seconds(), err
}

// talk runs a server in t's one namespace and a client in the other, each on a thread of its own with blocking sockets, so that Go's
// poller is no part of what is measured. The client is on processor 0, the server on the one that is named: on the same one a round trip
// is the path's cost and not that of waking another processor up, which on a virtual machine is several times as much. The server serves one connection after another until the client is done.
func talk[T any](ctx context.Context, t track, processor int, serve func(fd int) error, ask func(dial func() (int, error)) (T, error)) (result T, err error) {
	if err := ctx.Err(); err != nil {
		return result, err
	}
	var listener, port int
	if err := within(t.server, func() (err error) { listener, port, err = listen(t.address); return err }); err != nil {
		return result, err
	}
	served := make(chan error, 1)
	go func() { served <- accept(listener, processor, serve) }()
	err = within(t.client, func() (err error) {
		if err := pin(0); err != nil {
			return err
		}
		result, err = ask(func() (int, error) { return dial(netip.AddrPortFrom(t.address, uint16(port))) })
		return err
	})
	_ = unix.Shutdown(listener, unix.SHUT_RDWR) // accept returns
	return result, errors.Join(err, <-served, unix.Close(listener))
}

// pin keeps the calling thread on one processor, so that client and server of all paths are as far from each other.
func pin(number int) error {
	var one unix.CPUSet
	one.Set(number % runtime.NumCPU())
	return unix.SchedSetaffinity(0, &one)
}

// within runs do on a thread in that namespace and waits for it.
func within(path string, do func() error) error {
	netns, err := os.Open(path)
	if err != nil {
		return err
	}
	defer netns.Close()
	return rig.In(netns, do)
}

// accept serves connections until the listener is shut down. What an unfinished connection says is not its business.
func accept(listener, processor int, serve func(fd int) error) error {
	runtime.LockOSThread() // for good: the thread ends with the goroutine
	if err := pin(processor); err != nil {
		return err
	}
	for {
		fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EINVAL): // shut down
			return nil
		case err != nil:
			return err
		}
		err = errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1), serve(fd), unix.Close(fd))
		if err != nil && !errors.Is(err, unix.ECONNRESET) {
			return err
		}
	}
}

// echo sends each byte back until the peer closes.
func echo(fd int) error {
	var one [1]byte
	for {
		n, err := retry(func() (int, error) { return unix.Read(fd, one[:]) })
		if n <= 0 || err != nil {
			return err
		}
		if _, err := retry(func() (int, error) { return unix.Write(fd, one[:]) }); err != nil {
			return err
		}
	}
}

// swap sends one byte and waits for it.
func swap(fd int) error {
	var one [1]byte
	if _, err := retry(func() (int, error) { return unix.Write(fd, one[:]) }); err != nil {
		return err
	}
	n, err := retry(func() (int, error) { return unix.Read(fd, one[:]) })
	if err == nil && n != 1 {
		err = errors.New("the server closed the connection")
	}
	return err
}

// retry repeats a call that a signal cut short: Go's runtime sends some, and a socket with a time limit then says EINTR.
func retry(call func() (int, error)) (n int, err error) {
	for {
		if n, err = call(); !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

func listen(address netip.Addr) (fd, port int, err error) {
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return 0, 0, err
	}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.Bind(fd, &unix.SockaddrInet4{Addr: address.As4()}),
		unix.Listen(fd, 128))
	if err != nil {
		return 0, 0, errors.Join(fmt.Errorf("listen on %s: %w", address, err), unix.Close(fd))
	}
	name, err := unix.Getsockname(fd)
	if in, ok := name.(*unix.SockaddrInet4); ok {
		port = in.Port
	}
	return fd, port, err
}

// dial connects, for ten seconds at most: SO_SNDTIMEO bounds connect, too (socket(7)).
func dial(to netip.AddrPort) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	limit := unix.Timeval{Sec: 10}
	err = errors.Join(
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &limit),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &limit),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	if err == nil {
		_, err = retry(func() (int, error) {
			return 0, unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
		})
	}
	if err != nil {
		return -1, errors.Join(fmt.Errorf("connect to %s: %w", to, err), unix.Close(fd))
	}
	return fd, nil
}
