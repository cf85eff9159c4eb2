// Command probe is what test pods run. For stories: an HTTP server that says who asked ("serve"), a client that asks many
// servers once ("get"), or one server for a while ("watch"). For "onectl connectivity test": the target side ("agent"), and
// the client that measures paths to agents ("run").
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe: "+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		args = []string{"serve"}
	}
	switch verb, rest := args[0], args[1:]; verb {
	case "serve":
		return serve(ctx, rest)
	case "get":
		return getAll(ctx, rest)
	case "watch":
		return watch(ctx, rest)
	case "agent":
		return runAgent(ctx, rest)
	case "run":
		return runJob(ctx, rest)
	default:
		return fmt.Errorf("%s: use serve, get URL..., watch -for 10s URL, agent, or run JOB", verb)
	}
}

// serve answers every request with this pod's name and the address it sees the client at.
func serve(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	listen := flags.String("listen", ":8080", "address to serve on")
	if err := flags.Parse(args); err != nil {
		return err
	}
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	server := &http.Server{Addr: *listen, ReadHeaderTimeout: 5 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client, _, _ := net.SplitHostPort(r.RemoteAddr)
		fmt.Fprintf(w, "%s %s\n", name, client)
	})}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.ListenAndServe(); ctx.Err() == nil {
		return err
	}
	return nil
}

// getAll asks every URL once, side by side, and prints "URL answer"; any that fails fails the command.
func getAll(ctx context.Context, urls []string) error {
	var wait sync.WaitGroup
	results := make([]error, len(urls))
	answers := make([]string, len(urls))
	for i, url := range urls {
		wait.Go(func() { answers[i], results[i] = get(ctx, url, 5*time.Second) })
	}
	wait.Wait()
	failed := 0
	for i, url := range urls {
		if results[i] != nil {
			failed++
			fmt.Printf("%s FAILED %v\n", url, results[i])
			continue
		}
		fmt.Printf("%s %s", url, answers[i])
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d failed", failed, len(urls))
	}
	return nil
}

// watch asks one URL again and again, each time over a new connection, until the time is up, and fails if one request did.
func watch(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("watch", flag.ContinueOnError)
	every := flags.Duration("every", 50*time.Millisecond, "pause between requests")
	span := flags.Duration("for", 10*time.Second, "how long")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return fmt.Errorf("watch takes one URL, not %d", flags.NArg())
	}
	ctx, cancel := context.WithTimeout(ctx, *span)
	defer cancel()
	asked, failed := 0, 0
	tick := time.NewTicker(*every)
	defer tick.Stop()
	for ctx.Err() == nil {
		_, err := get(context.WithoutCancel(ctx), flags.Arg(0), time.Second)
		asked++
		if err != nil {
			failed++
			fmt.Printf("request %d: %v\n", asked, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	fmt.Printf("%d requests, %d failed\n", asked, failed)
	if failed > 0 {
		return fmt.Errorf("%d of %d requests failed", failed, asked)
	}
	return nil
}

func get(ctx context.Context, url string, timeout time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, Proxy: nil}}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	if err == nil && response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %s", response.Status)
	}
	return string(body), err
}
