package openapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// reply is one prepared answer. The zero reply closes the connection without one.
type reply struct {
	status int
	body   string
}

// script answers requests in order, the last reply for ever, and keeps what was asked.
type script struct {
	mu      sync.Mutex
	replies []reply
	asked   []url.Values
	paths   []string
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	s.mu.Lock()
	now := s.replies[0]
	if len(s.replies) > 1 {
		s.replies = s.replies[1:]
	}
	s.asked, s.paths = append(s.asked, r.Form), append(s.paths, r.URL.Path)
	s.mu.Unlock()
	if now.status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(now.status)
	_, _ = io.WriteString(w, now.body)
}

// requests is how many requests came.
func (s *script) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

// pathsAsked are the paths of the requests, in order.
func (s *script) pathsAsked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.paths)
}

// values are what each request had in one parameter.
func (s *script) values(name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, form := range s.asked {
		list = append(list, form.Get(name))
	}
	return list
}

type observation struct {
	op   string
	kind cloud.Kind
}

type observed struct {
	mu   sync.Mutex
	list []observation
}

func (o *observed) note(op string, _ time.Duration, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, observation{op, cloud.KindOf(err)})
}

// newClient talks to a server that answers with replies, without pauses between attempts.
func newClient(t *testing.T, replies ...reply) (*Client, *script, *observed) {
	t.Helper()
	s, o := &script{replies: replies}, &observed{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	client := clientOf(t, server.URL, o.note)
	client.pause = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return client, s, o
}

func clientOf(t *testing.T, endpoint string, observe func(string, time.Duration, error)) *Client {
	t.Helper()
	key := cloud.AccessKey{ID: testID, Secret: cloud.NewSecret(testSecret)}
	client, err := New(Options{Key: key, Region: "cn-hangzhou", Endpoint: endpoint, UserAgent: "onectl-test", Observe: observe})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func refusal(status int, code string) reply {
	return reply{status, fmt.Sprintf(`{"RequestId":"R-1","HostId":"h","Code":%q,"Message":"a message."}`, code)}
}
