package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// cloud is the simulator's control side, seen by the speaker that is its virtual border router. This module does not
// import the simulator's client: it would then need every module that onectl needs.
type cloud struct {
	session string // the simulator's ID of the BGP peer
	client  *http.Client
	told    string // the last report that arrived
	at      time.Time
}

// reported is fakecloud.World.ReportBGP's arguments: the state of the session and the prefixes learned through it.
type reported struct {
	Status  string
	Learned []netip.Prefix
}

func newCloud(socket, session string) *cloud {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	return &cloud{session: session, client: &http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: 5 * time.Second}}
}

// networks are the prefixes of the VPC that the data centre shall route to it now: what somebody told the VBR to
// announce, while the simulator calls the session established.
func (c *cloud) networks(ctx context.Context) ([]netip.Prefix, error) {
	var network struct{ Announced []netip.Prefix }
	err := c.call(ctx, http.MethodGet, "/network", nil, &network)
	return network.Announced, err
}

// again is how often a report is repeated that has not changed: a simulator that was restored from an older state learns
// it then.
const again = 5 * time.Second

func reportPath(session string) string { return "/bgp-peers/" + url.PathEscape(session) + "/report" }

// report tells the simulator the session, when it changed and now and then.
func (c *cloud) report(ctx context.Context, sessions []session) error {
	now := fmt.Sprint(sessions)
	if len(sessions) != 1 || now == c.told && time.Since(c.at) < again {
		return nil
	}
	body := reported{sessions[0].State, sessions[0].Learned}
	if err := c.call(ctx, http.MethodPut, reportPath(c.session), body, nil); err != nil {
		return err
	}
	c.told, c.at = now, time.Now()
	return nil
}

func (c *cloud) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://fakecloud"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := c.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		answer, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, bytes.TrimSpace(answer))
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(out)
}
