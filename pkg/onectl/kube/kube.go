// Package kube is onectl's way to the cluster in the data centre: get, list, server-side apply, delete, wait. Objects are
// unstructured, and a kind's resource name is derived from the kind, so no discovery is asked for and a command that needs
// one object makes one request.
package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// FieldManager owns what onectl applies.
const FieldManager = "onectl"

// Options say how to reach a cluster.
type Options struct {
	Kubeconfig []string      // files, the first that sets a value wins
	From       string        // who chose the files, for messages: "--kubeconfig", "KUBECONFIG", …
	Context    string        // "" is the kubeconfig's current context
	UserAgent  string        //
	Poll       time.Duration // between two looks while waiting, 0 means a second
	Timeout    time.Duration // of one request, 0 means 30 seconds
}

// Client reaches one cluster. It is safe for concurrent use.
type Client struct {
	dynamic dynamic.Interface
	core    rest.Interface // of the core group, for subresources and long lists
	http    *http.Client   // for what is in no group
	base    string         // the API server's URL
	server  string         // for messages
	from    string
	poll    time.Duration
}

// Open reads the kubeconfig; it does not call the cluster. Its errors name the files and who chose them.
func Open(o Options) (*Client, error) {
	rules := &clientcmd.ClientConfigLoadingRules{Precedence: o.Kubeconfig, WarnIfAllMissing: false}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: o.Context}).ClientConfig()
	files := strings.Join(o.Kubeconfig, ", ")
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s (from %s): %w; give another one with --kubeconfig FILE", files, o.From, plain(err))
	}
	config.UserAgent = o.UserAgent
	config.Timeout = orDefault(o.Timeout, 30*time.Second)
	config.QPS, config.Burst = 50, 100
	config.WarningHandler = rest.NoWarnings{}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s (from %s): %w; give another one with --kubeconfig FILE", files, o.From, err)
	}
	core, err := coreClient(config)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s (from %s): %w; give another one with --kubeconfig FILE", files, o.From, err)
	}
	plain, base, err := plainClient(config)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig %s (from %s): %w; give another one with --kubeconfig FILE", files, o.From, err)
	}
	return &Client{dynamic: client, core: core, http: plain, base: base, server: config.Host, from: files + ", from " + o.From, poll: orDefault(o.Poll, time.Second)}, nil
}

// plain replaces client-go's text for a kubeconfig that is not there, which speaks of environment variables.
func plain(err error) error {
	if clientcmd.IsEmptyConfig(err) {
		return errors.New("no cluster in it, or no such file")
	}
	return err
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// Server is the address of the API server.
func (c *Client) Server() string { return c.server }

// UnreachableError says that the API server did not answer.
type UnreachableError struct {
	Server string
	From   string // which kubeconfig, and who chose it
	Err    error
}

// Error names the server, the kubeconfig and the cause.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("cannot reach the Kubernetes API server %s (kubeconfig %s): %v", e.Server, e.From, e.Err)
}

// Unwrap is the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// fail names what was done, and tells a silent server from a refusing one.
func (c *Client) fail(verb string, gvk schema.GroupVersionKind, namespace, name string, err error) error {
	if err == nil {
		return nil
	}
	subject := gvk.Kind + " " + name
	if namespace != "" {
		subject = gvk.Kind + " " + namespace + "/" + name
	}
	return fmt.Errorf("%s %s: %w", verb, strings.TrimSuffix(subject, " "), c.classify(err))
}

func (c *Client) classify(err error) error {
	var status apierrors.APIStatus
	if errors.As(err, &status) || errors.Is(err, context.Canceled) {
		return err
	}
	var network net.Error
	var request *url.Error
	cause := err
	if errors.As(err, &request) {
		cause = request.Err // without the URL, the message has the server already
	}
	if errors.As(err, &network) || errors.As(err, &request) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNREFUSED) {
		return &UnreachableError{Server: c.server, From: c.from, Err: cause}
	}
	return err
}

// resource derives the resource of a kind: every kind that onectl touches has the regular plural.
func (c *Client) resource(gvk schema.GroupVersionKind, namespace string) dynamic.ResourceInterface {
	gvr, _ := meta.UnsafeGuessKindToResource(gvk)
	if namespace == "" {
		return c.dynamic.Resource(gvr)
	}
	return c.dynamic.Resource(gvr).Namespace(namespace)
}

// Get returns an object, nil when there is none.
func (c *Client) Get(ctx context.Context, gvk schema.GroupVersionKind, namespace, name string) (*unstructured.Unstructured, error) {
	object, err := c.resource(gvk, namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return object, c.fail("get", gvk, namespace, name, err)
}

// List returns the objects that match a label selector; "" matches all, and namespace "" is all namespaces.
func (c *Client) List(ctx context.Context, gvk schema.GroupVersionKind, namespace, selector string) ([]unstructured.Unstructured, error) {
	var items []unstructured.Unstructured
	options := metav1.ListOptions{LabelSelector: selector, Limit: 500}
	for {
		page, err := c.resource(gvk, namespace).List(ctx, options)
		if err != nil {
			return nil, c.fail("list", gvk, namespace, "", err)
		}
		items = append(items, page.Items...)
		if options.Continue = page.GetContinue(); options.Continue == "" {
			return items, nil
		}
	}
}

// Apply makes the object's fields so, server-side, and leaves other fields alone. With force it takes fields over that
// another manager owns; without, such a field is an error (apierrors.IsConflict) that names manager and field.
func (c *Client) Apply(ctx context.Context, object *unstructured.Unstructured, force bool) error {
	gvk, namespace, name := object.GroupVersionKind(), object.GetNamespace(), object.GetName()
	_, err := c.resource(gvk, namespace).Apply(ctx, name, object, metav1.ApplyOptions{FieldManager: FieldManager, Force: force})
	return c.fail("apply", gvk, namespace, name, err)
}

// Create makes an object; apierrors.IsAlreadyExists when there is one.
func (c *Client) Create(ctx context.Context, object *unstructured.Unstructured) error {
	gvk, namespace := object.GroupVersionKind(), object.GetNamespace()
	_, err := c.resource(gvk, namespace).Create(ctx, object, metav1.CreateOptions{FieldManager: FieldManager})
	return c.fail("create", gvk, namespace, object.GetName(), err)
}

// Update replaces an object; apierrors.IsConflict when it has changed since it was read.
func (c *Client) Update(ctx context.Context, object *unstructured.Unstructured) error {
	gvk, namespace := object.GroupVersionKind(), object.GetNamespace()
	_, err := c.resource(gvk, namespace).Update(ctx, object, metav1.UpdateOptions{FieldManager: FieldManager})
	return c.fail("update", gvk, namespace, object.GetName(), err)
}

// TryUpdate has the server check an Update, admission included, and change nothing.
func (c *Client) TryUpdate(ctx context.Context, object *unstructured.Unstructured) error {
	gvk, namespace := object.GroupVersionKind(), object.GetNamespace()
	_, err := c.resource(gvk, namespace).Update(ctx, object, metav1.UpdateOptions{FieldManager: FieldManager, DryRun: []string{metav1.DryRunAll}})
	return c.fail("dry-run update", gvk, namespace, object.GetName(), err)
}

// Delete starts to delete an object and what it owns; an object that is not there is not an error.
func (c *Client) Delete(ctx context.Context, gvk schema.GroupVersionKind, namespace, name string) error {
	background := metav1.DeletePropagationBackground
	err := c.resource(gvk, namespace).Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &background})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return c.fail("delete", gvk, namespace, name, err)
}

// Until calls done, at once and then again and again, until it reports true, fails, or ctx ends. The pauses grow to
// Options.Poll, so what is quick is seen soon. A server that cannot be reached or is overloaded for a while does not end the
// wait; when ctx ends, its error is joined with the last of those.
func (c *Client) Until(ctx context.Context, done func(context.Context) (bool, error)) error {
	for pause := c.poll / 16; ; pause = min(2*pause, c.poll) {
		over, err := done(ctx)
		if over || (err != nil && !ending(ctx) && !passing(err)) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(pause):
		}
	}
}

// ending reports whether ctx is over, or so soon that client-go's own limiter refuses to begin a request, which it tells by
// an error of no type.
func ending(ctx context.Context) bool {
	end, bounded := ctx.Deadline()
	return ctx.Err() != nil || bounded && time.Until(end) < 100*time.Millisecond
}

// passing reports whether an error may be gone at the next look.
func passing(err error) bool {
	var unreachable *UnreachableError
	return errors.As(err, &unreachable) || apierrors.IsTooManyRequests(err) || apierrors.IsServerTimeout(err) ||
		apierrors.IsServiceUnavailable(err) || apierrors.IsInternalError(err) || apierrors.IsTimeout(err)
}
