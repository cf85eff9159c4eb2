package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Source is the daemon, which knows.
type Source interface {
	Status(ctx context.Context) (Status, error)
	Pods(ctx context.Context) (Pods, error)
	ENIs(ctx context.Context) (ENIs, error)
	Pool(ctx context.Context) (Pool, error)
	Explain(ctx context.Context, namespace, name string) (Explanation, error)
	GC(ctx context.Context, dryRun bool) (GC, error)
	History(ctx context.Context, ip netip.Addr) (History, error)
	Bundle(ctx context.Context, to io.Writer) error // a tar.gz without secrets
}

// Serve answers on listener until ctx ends, which closes it, and then for as long as the requests in flight take, a moment at
// most.
func Serve(ctx context.Context, listener net.Listener, source Source, logger *slog.Logger) error {
	server := &http.Server{Handler: handler(source, logger), ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if server.Shutdown(grace) != nil {
			server.Close()
		}
	}()
	err := server.Serve(listener)
	if ctx.Err() == nil && !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve inspection: %w", err)
	}
	<-stopped
	return nil
}

func handler(s Source, logger *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", answer(func(r *http.Request) (any, error) { return s.Status(r.Context()) }))
	mux.HandleFunc("GET /pods", answer(func(r *http.Request) (any, error) { return s.Pods(r.Context()) }))
	mux.HandleFunc("GET /enis", answer(func(r *http.Request) (any, error) { return s.ENIs(r.Context()) }))
	mux.HandleFunc("GET /pool", answer(func(r *http.Request) (any, error) { return s.Pool(r.Context()) }))
	mux.HandleFunc("GET /gc", answer(func(r *http.Request) (any, error) { return s.GC(r.Context(), true) }))
	mux.HandleFunc("POST /gc", answer(func(r *http.Request) (any, error) {
		logger.Info("garbage collection was asked for by an operator")
		return s.GC(r.Context(), false)
	}))
	mux.HandleFunc("GET /explain", answer(func(r *http.Request) (any, error) {
		namespace, name, err := ParsePod(r.FormValue("pod"))
		if err != nil {
			return nil, err
		}
		return s.Explain(r.Context(), namespace, name)
	}))
	mux.HandleFunc("GET /history", answer(func(r *http.Request) (any, error) {
		ip, err := netip.ParseAddr(r.FormValue("ip"))
		if err != nil {
			return nil, fmt.Errorf("%w; give one address, such as 10.0.16.7", err)
		}
		return s.History(r.Context(), ip)
	}))
	mux.HandleFunc("GET /bundle", func(w http.ResponseWriter, r *http.Request) {
		if err := s.Bundle(r.Context(), w); err != nil {
			logger.Warn("support bundle not finished", "err", err)
			panic(http.ErrAbortHandler) // the client sees that it is cut short
		}
	})
	return mux
}

// failure is how an error travels.
type failure struct {
	Error string `json:"error"`
}

func answer(ask func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		value, err := ask(r)
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			value = failure{Error: err.Error()}
		}
		if err := json.NewEncoder(w).Encode(value); err != nil {
			panic(http.ErrAbortHandler) // half an answer must not look like a whole one
		}
	}
}

// ParsePod reads "namespace/name".
func ParsePod(text string) (namespace, name string, err error) {
	namespace, name, found := strings.Cut(text, "/")
	if !found || namespace == "" || name == "" || strings.Contains(name, "/") {
		return "", "", fmt.Errorf("%q is no pod: write NAMESPACE/POD, such as default/web-0", text)
	}
	return namespace, name, nil
}
