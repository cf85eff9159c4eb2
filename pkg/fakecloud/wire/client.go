package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
)

// ControlClient is the control side of a simulator that runs in another process. Its methods are those of
// fakecloud.World.
type ControlClient struct {
	Socket string // path of the unix socket that Control is served on
}

// Bootstrap is World.Bootstrap.
func (c ControlClient) Bootstrap(ctx context.Context, spec fakecloud.BootstrapSpec) (fakecloud.BootstrapResult, error) {
	var b bootstrapped
	err := c.do(ctx, http.MethodPost, "/bootstrap", spec, &b)
	return fakecloud.BootstrapResult{
		Account: b.Account, Region: b.Region, VPC: b.VPC, VSwitches: b.VSwitches, SecurityGroup: b.SecurityGroup, Cluster: b.Cluster, Operator: b.Operator,
		Key:        cloud.AccessKey{ID: b.KeyID, Secret: cloud.NewSecret(b.KeySecret)},
		AccountKey: cloud.AccessKey{ID: b.AccountKeyID, Secret: cloud.NewSecret(b.AccountKeySecret)},
	}, err
}

// AddInstance is World.AddInstance.
func (c ControlClient) AddInstance(ctx context.Context, spec fakecloud.InstanceSpec) (cloud.Instance, cloud.ENI, error) {
	var a added
	err := c.do(ctx, http.MethodPost, "/instances", spec, &a)
	return a.Instance, a.Primary, err
}

// RemoveInstance is World.RemoveInstance.
func (c ControlClient) RemoveInstance(ctx context.Context, id string) error {
	return c.do(ctx, http.MethodDelete, "/instances/"+url.PathEscape(id), nil, nil)
}

// SetInstanceStatus is World.SetInstanceStatus.
func (c ControlClient) SetInstanceStatus(ctx context.Context, id, status string) error {
	return c.do(ctx, http.MethodPut, "/instances/"+url.PathEscape(id)+"/status", status, nil)
}

// AddLANNode is World.AddLANNode.
func (c ControlClient) AddLANNode(ctx context.Context, node fakecloud.LANNode) error {
	return c.do(ctx, http.MethodPost, "/lan", node, nil)
}

// RemoveLANNode is World.RemoveLANNode.
func (c ControlClient) RemoveLANNode(ctx context.Context, name string) error {
	return c.do(ctx, http.MethodDelete, "/lan/"+url.PathEscape(name), nil, nil)
}

// AddSecurityGroup is World.AddSecurityGroup.
func (c ControlClient) AddSecurityGroup(ctx context.Context, g cloud.SecurityGroup) error {
	return c.do(ctx, http.MethodPost, "/security-groups", g, nil)
}

// SetCluster is World.SetCluster.
func (c ControlClient) SetCluster(ctx context.Context, cluster cloud.Cluster) error {
	return c.do(ctx, http.MethodPut, "/clusters", cluster, nil)
}

// AddFault is World.AddFault.
func (c ControlClient) AddFault(ctx context.Context, fault fakecloud.Fault) error {
	return c.do(ctx, http.MethodPost, "/faults", fault, nil)
}

// ClearFaults is World.ClearFaults.
func (c ControlClient) ClearFaults(ctx context.Context) error {
	return c.do(ctx, http.MethodDelete, "/faults", nil, nil)
}

// ResetCalls is World.ResetCalls.
func (c ControlClient) ResetCalls(ctx context.Context) error {
	return c.do(ctx, http.MethodDelete, "/calls", nil, nil)
}

// Summary is World.Summary.
func (c ControlClient) Summary(ctx context.Context) (fakecloud.Summary, error) {
	var s fakecloud.Summary
	err := c.do(ctx, http.MethodGet, "/summary", nil, &s)
	return s, err
}

// Network is World.Network.
func (c ControlClient) Network(ctx context.Context) (fakecloud.Network, error) {
	var n fakecloud.Network
	err := c.do(ctx, http.MethodGet, "/network", nil, &n)
	return n, err
}

// do sends one call and decodes its answer. Each call has its own connection: the simulator may be another one by then.
func (c ControlClient) do(ctx context.Context, method, path string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://fakecloud"+path, &body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", c.Socket)
		},
	}}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("reach the cloud simulator at %s: %w; is `fakecloud serve` running?", c.Socket, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		var p problem
		if json.NewDecoder(response.Body).Decode(&p) != nil || p.Error == "" {
			p.Error = response.Status
		}
		return errors.New(p.Error)
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(out); err != nil {
		return fmt.Errorf("read answer of %s %s: %w", method, path, err)
	}
	return nil
}
