package wire

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
)

func TestMetadata(t *testing.T) {
	s := newSite(t)
	instance, primary, err := s.world.AddInstance(fakecloud.InstanceSpec{ID: "i-1", Name: "node-1", Type: "ecs.g7.large", VSwitchID: "vsw-1"})
	if err != nil {
		t.Fatal(err)
	}
	api := s.world.Session(s.made.AccountKey)
	eni, err := api.CreateENI(t.Context(), cloud.ENISpec{VSwitchID: "vsw-2", SecurityGroups: []string{s.made.SecurityGroup.ID}, SecondaryIPv4: 1, IPv6: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := api.AttachENI(t.Context(), eni.ID, instance.ID); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(Metadata(s.world, instance.ID))
	t.Cleanup(server.Close)
	get := func(path, token string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/latest/meta-data/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			request.Header.Set(tokenHeader, token)
		}
		return answer(t, request)
	}
	if _, list := get("network/interfaces/macs/", ""); list != primary.MAC+"/" {
		t.Errorf("interfaces while attaching: %q, want only the primary", list)
	}
	s.clock.Advance(time.Second)
	macs := "network/interfaces/macs/" + eni.MAC + "/"
	for path, want := range map[string]string{
		"instance-id": "i-1", "instance/instance-type": "ecs.g7.large", "region-id": "cn-hangzhou", "zone-id": "cn-hangzhou-i",
		"vpc-id": "vpc-lab", "vswitch-id": "vsw-1", "vpc-cidr-block": "10.0.0.0/16", "vswitch-cidr-block": "10.0.1.0/24",
		"mac": primary.MAC, "private-ipv4": "10.0.1.1", "instance": "instance-name\ninstance-type",
		macs + "network-interface-id": eni.ID, macs + "primary-ip-address": "10.0.2.1", macs + "gateway": "10.0.2.253", macs + "netmask": "255.255.255.0",
		macs + "vswitch-id": "vsw-2", macs + "private-ipv4s": `["10.0.2.1","10.0.2.2"]`, macs + "ipv6s": "[2408:4005::10,2408:4005::11]",
	} {
		if status, got := get(path, ""); status != 200 || got != want {
			t.Errorf("%s is %d %q, want %q", path, status, got, want)
		}
	}
	for _, path := range []string{"nothing", "network/interfaces/macs/" + primary.MAC + "/ipv6s", "ram/security-credentials/"} {
		if status, got := get(path, ""); status != 404 {
			t.Errorf("%s is %d %q, want 404", path, status, got)
		}
	}

	token := issue(t, server.URL, "60")
	if status, _ := get("instance-id", token); status != 200 {
		t.Errorf("a good token got %d", status)
	}
	if status, _ := get("instance-id", token+"0"); status != 401 {
		t.Errorf("a forged token got %d, want 401", status)
	}
	s.clock.Advance(time.Minute)
	if status, _ := get("instance-id", token); status != 401 {
		t.Errorf("an old token got %d, want 401", status)
	}
	if err := s.world.RemoveInstance(instance.ID); err != nil {
		t.Fatal(err)
	}
	if status, _ := get("instance-id", ""); status != 404 {
		t.Errorf("the metadata of an instance that is gone got %d, want 404", status)
	}
}

func answer(t *testing.T, request *http.Request) (int, string) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(data)
}

// issue asks for a token and checks that times to live that are not allowed are refused.
func issue(t *testing.T, base, ttl string) string {
	t.Helper()
	token := ""
	for text, want := range map[string]int{ttl: 200, "0": 400, "21601": 400, "": 400} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, base+"/latest/api/token", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set(tokenTTLHeader, text)
		status, body := answer(t, request)
		if status != want {
			t.Errorf("time to live %q: %d %s, want %d", text, status, fmt.Sprint(body), want)
		}
		if status == 200 {
			token = body
		}
	}
	return token
}
