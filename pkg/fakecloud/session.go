package fakecloud

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
)

// ErrDropped is in the chain of an error that a Fault with Drop made: the call had its effect, the answer is lost.
var ErrDropped = errors.New("connection closed before the answer")

// Denial is in the chain of an error that RAM made. It says who may not do what.
type Denial struct {
	Action    string // "ecs:DescribeInstanceTypes"
	Resource  string
	Principal string // the RAM user's ID
	User      string // the RAM user's name
	Account   string
	Explicit  bool // a statement denies it, in place of none allowing it
}

// Error names the user and the action.
func (d *Denial) Error() string {
	return fmt.Sprintf("user %s may not %s on %s", d.User, d.Action, d.Resource)
}

// failure is a cloud error and what a wire needs beyond it.
type failure struct {
	err   *cloud.Error
	cause error
}

// Error is the cloud error's text.
func (f failure) Error() string { return f.err.Error() }

// Unwrap gives the cloud error and its cause.
func (f failure) Unwrap() []error { return []error{f.err, f.cause} }

// Session is the cloud's API as the owner of one AccessKey sees it. Each method is one API call: the key is checked, RAM
// is asked, faults apply, the call is counted. Every error is a *cloud.Error.
type Session struct {
	world *World
	key   cloud.AccessKey
}

// Session returns the API for a key. A key that is unknown, inactive or has another secret makes every call fail.
func (w *World) Session(key cloud.AccessKey) *Session { return &Session{world: w, key: key} }

// call describes one API call for the checks that are the same for all.
type call struct {
	action    string   // as RAM names it, "ecs:AttachNetworkInterface"
	subject   string   // what it is about, for the error
	resources []string // RAM resources after "acs:<product>:<region>:<account>:"; nil is any
	open      bool     // needs no permission
	write     bool     // changes the world
}

func (c call) op() string { return c.action[strings.IndexByte(c.action, ':')+1:] }

// tx is what a call works on while it holds the world.
type tx struct {
	*state
	options Options
	now     time.Time
	caller  *keyRecord
	fault   Fault // the zero Fault when none hit
}

// do runs one call: run is its effect, and must not have changed anything when it fails.
func (s *Session) do(ctx context.Context, c call, run func(*tx) error) error {
	fault, err := s.meet(ctx, c)
	if err != nil {
		return s.wrap(c, err)
	}
	w := s.world
	w.mu.Lock()
	t := &tx{state: w.state, options: w.options, now: w.now(), fault: fault}
	if err = t.admit(s.key, c); err == nil {
		err = run(t)
	}
	t.count(c.action, err)
	effect := err == nil && c.write
	if effect || fault.Action != "" {
		w.changed()
	}
	version := w.version
	w.mu.Unlock()
	if effect || fault.Action != "" {
		w.save(version)
	}
	if err == nil && fault.Drop {
		err = failure{&cloud.Error{Message: ErrDropped.Error(), Kind: cloud.Unavailable}, ErrDropped}
	}
	return s.wrap(c, err)
}

// meet takes the fault that hits the call, if any, and waits out its delay.
func (s *Session) meet(ctx context.Context, c call) (Fault, error) {
	w := s.world
	w.mu.Lock()
	fault, hit := w.state.takeFault(c)
	w.mu.Unlock()
	if hit && fault.Delay > 0 {
		passed := make(chan struct{})
		stop := w.clock.AfterFunc(fault.Delay, func() { close(passed) })
		select {
		case <-passed:
		case <-ctx.Done():
			stop()
		}
	}
	if err := ctx.Err(); err != nil {
		return fault, failure{&cloud.Error{Message: err.Error(), Kind: cloud.Unavailable}, err}
	}
	return fault, nil
}

// admit checks what comes before a call's own parameters, in the gateway's order: key, flow control, RAM.
func (t *tx) admit(key cloud.AccessKey, c call) error {
	record, err := t.authenticate(key)
	if err != nil {
		return err
	}
	t.caller = record
	if t.fault.Code != "" {
		message := t.fault.Message
		if message == "" {
			message = usualMessage(t.fault.Code)
		}
		return fail(t.fault.Code, "%s", message)
	}
	if c.open {
		return nil
	}
	return t.authorize(c)
}

func (s *state) authenticate(key cloud.AccessKey) (*keyRecord, error) {
	record, known := s.Keys[key.ID]
	switch {
	case !known:
		return nil, fail("InvalidAccessKeyId.NotFound", "Specified access key is not found.")
	case record.Inactive:
		return nil, fail("InvalidAccessKeyId.Inactive", "Specified access key is disabled.")
	case record.Secret != key.Secret.Reveal():
		return nil, fail("SignatureDoesNotMatch", "Specified signature is not matched with our calculation.")
	}
	return record, nil
}

// authorize asks RAM. The account's own key may do everything.
func (t *tx) authorize(c call) error {
	if t.caller.User == "" {
		return nil
	}
	user := t.Users[t.caller.User]
	policies := t.policiesOf(user)
	product, _, _ := strings.Cut(c.action, ":")
	resources := c.resources
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	for _, r := range resources {
		full := fmt.Sprintf("acs:%s:%s:%s:%s", product, t.Region, t.Account, r)
		if strings.HasPrefix(r, "acs:") {
			full = fmt.Sprintf(r, t.Region, t.Account)
		}
		v := judge(policies, c.action, full)
		if v == allowed {
			continue
		}
		denial := &Denial{Action: c.action, Resource: full, Principal: user.ID, User: user.Name, Account: t.Account, Explicit: v == explicitDeny}
		return failure{denied(product, denial), denial}
	}
	return nil
}

// denied is the product's way of refusing: RAM and STS say NoPermission, ECS and VPC Forbidden.RAM, CS Forbidden.
func denied(product string, d *Denial) *cloud.Error {
	var err *cloud.Error
	switch product {
	case "ram", "sts":
		err = fail("NoPermission", "You are not authorized to do this action. Resource: %s Action: %s", d.Resource, d.Action)
	case "cs":
		err = fail("Forbidden", "Forbidden: user %s is not authorized to %s on %s.", d.User, d.Action, d.Resource)
	default:
		err = fail("Forbidden.RAM", "User not authorized to operate on the specified resource, or this API doesn't support RAM.")
	}
	err.Action = d.Action
	return err
}

// wrap completes an error with what the call knows.
func (s *Session) wrap(c call, err error) error {
	if err == nil {
		return nil
	}
	var e *cloud.Error
	if !errors.As(err, &e) {
		e = &cloud.Error{Code: "InternalError", Message: err.Error(), Kind: cloud.Unavailable}
		err = e
	}
	e.Op, e.Resource, e.RequestID = c.op(), c.subject, RequestID()
	return err
}

// RequestID returns a new request ID, an upper-case UUID.
func RequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, by its documentation
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return strings.ToUpper(fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16]))
}

// Secret returns the secret of a key, for a wire that verifies signatures, and whether the key may be used. An unknown
// key has no secret.
func (w *World) Secret(keyID string) (secret cloud.Secret, active bool) {
	_ = w.look(func(s *state, _ time.Time) error {
		if k, known := s.Keys[keyID]; known {
			secret, active = cloud.NewSecret(k.Secret), !k.Inactive
		}
		return nil
	})
	return secret, active
}
