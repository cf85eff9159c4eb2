package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/onectl/onectl/pkg/onectl/connectivity/job"
)

// How long one try may take: TCP repeats its first packet after a second, UDP is tried again by us.
const (
	tcpTry = 2500 * time.Millisecond
	udpTry = 400 * time.Millisecond
)

// greet connects over TCP and hears who answers.
func greet(ctx context.Context, target job.Target) (said, error) {
	ctx, cancel := context.WithTimeout(ctx, tcpTry)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", target.Address.String())
	if err != nil {
		return said{}, err
	}
	defer conn.Close()
	end, _ := ctx.Deadline()
	_ = conn.SetDeadline(end)
	line, err := bufio.NewReader(io.LimitReader(conn, 1024)).ReadString('\n')
	if err != nil && line == "" {
		return said{}, fmt.Errorf("connected to %s, read: %w", target.Address, err)
	}
	return known(target, line)
}

// connectTime is how long one TCP connection takes to be there: a round trip.
func connectTime(ctx context.Context, target job.Target) (time.Duration, error) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, tcpTry)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", target.Address.String())
	if err != nil {
		return 0, err
	}
	took := time.Since(start)
	return took, conn.Close()
}

// ask sends one datagram of some bytes of payload, at least leastQuestion, with "do not fragment", and hears the answer.
func ask(ctx context.Context, target job.Target, bytes int) (said, error) {
	conn, err := dialWhole(ctx, target.Address)
	if err != nil {
		return said{}, err
	}
	defer conn.Close()
	return exchange(ctx, conn, target, bytes)
}

func exchange(ctx context.Context, conn net.Conn, target job.Target, bytes int) (said, error) {
	end := time.Now().Add(udpTry)
	if limit, ok := ctx.Deadline(); ok && limit.Before(end) {
		end = limit
	}
	_ = conn.SetDeadline(end)
	nonce := fmt.Sprintf("%016x", rand.Uint64())
	question := fmt.Appendf(nil, "%s %s ", probeMagic, nonce)
	question = append(question, make([]byte, max(bytes, leastQuestion)-len(question))...)
	if _, err := conn.Write(question); err != nil {
		return said{}, err
	}
	buffer := make([]byte, 1024)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return said{}, err
		}
		heard, err := known(target, string(buffer[:n]))
		if err != nil || (heard.nonce == nonce && heard.bytes == len(question)) {
			return heard, err
		}
	}
}

// known refuses a line of an agent that the target does not name.
func known(target job.Target, line string) (said, error) {
	heard, err := parseLine(line)
	if err != nil {
		return said{}, err
	}
	if len(target.Names) > 0 && !slices.Contains(target.Names, heard.name) {
		return said{}, fmt.Errorf("%w of ours: %s answers at the address of %s", errStranger, heard.name, strings.Join(target.Names, " or "))
	}
	return heard, nil
}
