package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"

	"github.com/onectl/onectl/pkg/fakecloud/fabric"
)

// weave keeps the network what the world says until the test ends.
func (s *stand) weave() {
	s.t.Helper()
	f, err := fabric.Open(fmt.Sprintf("terwayd%08x", rand.Uint32()), slog.New(slog.DiscardHandler))
	s.must(err)
	changes := s.world.Changes()
	s.fabric = f
	s.must(f.Apply(s.t.Context(), s.world.Network()))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-changes:
				if err := f.Apply(ctx, s.world.Network()); err != nil && ctx.Err() == nil {
					s.t.Errorf("fabric: %v", err)
				}
			}
		}
	}()
	s.t.Cleanup(func() {
		cancel()
		<-done
		if err := f.Remove(); err != nil {
			s.t.Error(err)
		}
	})
}

func (s *stand) serveIn(address string, handler http.Handler) string {
	s.t.Helper()
	listener, err := fabric.ListenIn(s.host.Path, "tcp", address)
	s.must(err)
	server := &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	go server.Serve(listener)
	s.t.Cleanup(func() { server.Close() })
	return listener.Addr().String()
}
