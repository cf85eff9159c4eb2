package credential

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/cause"
	"github.com/onectl/onectl/pkg/node/pool"
)

// API is what the node asks of the cloud.
type API interface {
	pool.Cloud
	DescribeInstanceTypes(ctx context.Context, ids []string) ([]cloud.InstanceType, error)
}

// Cloud is an API whose calls are made with the AccessKey of the moment. Without a key every call fails with kind BadKey
// and says what to do.
type Cloud struct {
	source  func() (cloud.AccessKey, error)
	connect func(cloud.AccessKey) (API, error)
	logger  *slog.Logger

	mu      sync.Mutex // guards what follows
	key     cloud.AccessKey
	api     API
	missing string // what was last said about a missing key
}

// NewCloud makes a Cloud; connect makes an API that uses a key.
func NewCloud(source func() (cloud.AccessKey, error), connect func(cloud.AccessKey) (API, error), logger *slog.Logger) *Cloud {
	return &Cloud{source: source, connect: connect, logger: logger}
}

// current is the API for the key of now, and whether the key is another one than at the last call. Keys do not go to the
// log, nor does their ID.
func (c *Cloud) current(op string) (api API, changed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key, err := c.source()
	if err != nil {
		if c.missing != err.Error() {
			c.missing = err.Error()
			c.logger.Warn("no usable AccessKey", "cause", cause.BadAccessKey, "err", err)
		}
		return nil, false, &cloud.Error{Op: op, Message: err.Error(), Kind: cloud.BadKey, Err: err}
	}
	if key == c.key && c.api != nil {
		return c.api, false, nil
	}
	if api, err = c.connect(key); err != nil {
		return nil, false, &cloud.Error{Op: op, Message: err.Error(), Kind: cloud.Invalid, Err: err}
	}
	c.logger.Info("AccessKey read", "first", c.api == nil)
	c.key, c.api, c.missing = key, api, ""
	return api, true, nil
}

// call does one call, and once more when the cloud refuses a key that has been replaced meanwhile.
func call[T any](c *Cloud, op string, do func(API) (T, error)) (T, error) {
	var none T
	api, _, err := c.current(op)
	if err != nil {
		return none, err
	}
	got, err := do(api)
	if cloud.KindOf(err) != cloud.BadKey {
		return got, err
	}
	api, changed, missing := c.current(op)
	if missing != nil || !changed {
		return got, err
	}
	return do(api)
}

// act is call for what returns an error only.
func act(c *Cloud, op string, do func(API) error) error {
	_, err := call(c, op, func(api API) (struct{}, error) { return struct{}{}, do(api) })
	return err
}

// CreateENI is API's.
func (c *Cloud) CreateENI(ctx context.Context, spec cloud.ENISpec) (cloud.ENI, error) {
	return call(c, "CreateNetworkInterface", func(api API) (cloud.ENI, error) { return api.CreateENI(ctx, spec) })
}

// DescribeENIs is API's.
func (c *Cloud) DescribeENIs(ctx context.Context, filter cloud.ENIFilter) ([]cloud.ENI, error) {
	return call(c, "DescribeNetworkInterfaces", func(api API) ([]cloud.ENI, error) { return api.DescribeENIs(ctx, filter) })
}

// AttachENI is API's.
func (c *Cloud) AttachENI(ctx context.Context, eniID, instanceID string) error {
	return act(c, "AttachNetworkInterface", func(api API) error { return api.AttachENI(ctx, eniID, instanceID) })
}

// DetachENI is API's.
func (c *Cloud) DetachENI(ctx context.Context, eniID, instanceID string) error {
	return act(c, "DetachNetworkInterface", func(api API) error { return api.DetachENI(ctx, eniID, instanceID) })
}

// DeleteENI is API's.
func (c *Cloud) DeleteENI(ctx context.Context, eniID string) error {
	return act(c, "DeleteNetworkInterface", func(api API) error { return api.DeleteENI(ctx, eniID) })
}

// AssignIPv4 is API's.
func (c *Cloud) AssignIPv4(ctx context.Context, eniID string, count int, clientToken string) ([]netip.Addr, error) {
	return call(c, "AssignPrivateIpAddresses", func(api API) ([]netip.Addr, error) { return api.AssignIPv4(ctx, eniID, count, clientToken) })
}

// UnassignIPv4 is API's.
func (c *Cloud) UnassignIPv4(ctx context.Context, eniID string, addrs []netip.Addr) error {
	return act(c, "UnassignPrivateIpAddresses", func(api API) error { return api.UnassignIPv4(ctx, eniID, addrs) })
}

// AssignPrefixes is API's.
func (c *Cloud) AssignPrefixes(ctx context.Context, eniID string, count int, clientToken string) ([]netip.Prefix, error) {
	return call(c, "AssignPrivateIpAddresses", func(api API) ([]netip.Prefix, error) {
		return api.AssignPrefixes(ctx, eniID, count, clientToken)
	})
}

// UnassignPrefixes is API's.
func (c *Cloud) UnassignPrefixes(ctx context.Context, eniID string, prefixes []netip.Prefix) error {
	return act(c, "UnassignPrivateIpAddresses", func(api API) error { return api.UnassignPrefixes(ctx, eniID, prefixes) })
}

// DescribeVSwitches is API's.
func (c *Cloud) DescribeVSwitches(ctx context.Context, ids []string, vpcID string) ([]cloud.VSwitch, error) {
	return call(c, "DescribeVSwitches", func(api API) ([]cloud.VSwitch, error) { return api.DescribeVSwitches(ctx, ids, vpcID) })
}

// DescribeInstanceTypes is API's.
func (c *Cloud) DescribeInstanceTypes(ctx context.Context, ids []string) ([]cloud.InstanceType, error) {
	return call(c, "DescribeInstanceTypes", func(api API) ([]cloud.InstanceType, error) { return api.DescribeInstanceTypes(ctx, ids) })
}
