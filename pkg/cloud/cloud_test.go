package cloud_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/onectl/onectl/pkg/cloud"
)

func TestGatewayIsTheThirdLastAddress(t *testing.T) {
	t.Parallel()
	tests := []struct{ cidr, want string }{
		{"10.0.16.0/24", "10.0.16.253"},
		{"10.0.16.77/24", "10.0.16.253"},
		{"10.0.0.0/29", "10.0.0.5"},
		{"192.168.0.0/16", "192.168.255.253"},
		{"0.0.0.0/1", "127.255.255.253"},
	}
	for _, test := range tests {
		if got := cloud.GatewayOf(netip.MustParsePrefix(test.cidr)); got.String() != test.want {
			t.Errorf("GatewayOf(%s) = %s, want %s", test.cidr, got, test.want)
		}
	}
	for _, cidr := range []netip.Prefix{{}, netip.MustParsePrefix("10.0.0.0/30"), netip.MustParsePrefix("fd00::/64")} {
		if got := cloud.GatewayOf(cidr); got.IsValid() {
			t.Errorf("GatewayOf(%s) = %s, want none", cidr, got)
		}
	}
}

func TestIPv6GatewayIsTheThirdLastAddress(t *testing.T) {
	t.Parallel()
	vswitch := cloud.VSwitch{IPv6CIDR: netip.MustParsePrefix("2001:db8:0:16::/64")}
	if got := vswitch.Gateway6().String(); got != "2001:db8:0:16:ffff:ffff:ffff:fffd" {
		t.Errorf("gateway of %s is %s", vswitch.IPv6CIDR, got)
	}
	for _, cidr := range []netip.Prefix{{}, netip.MustParsePrefix("10.0.16.0/24"), netip.MustParsePrefix("2001:db8::/126")} {
		if got := (cloud.VSwitch{IPv6CIDR: cidr}).Gateway6(); got.IsValid() {
			t.Errorf("gateway of %s is %s, want none", cidr, got)
		}
	}
}

func TestSecretShowsInNoOutput(t *testing.T) {
	t.Parallel()
	const text = "a-secret-that-nobody-may-see"
	key := cloud.AccessKey{ID: "LTAI", Secret: cloud.NewSecret(text)}
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("made", "key", key, "secret", key.Secret)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("made", "key", key, "secret", key.Secret)
	encoded, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	outputs := []string{
		logged.String(), string(encoded), fmt.Sprint(key), fmt.Sprintf("%v %+v %#v %s %q", key, key, key, key.Secret, key.Secret), fmt.Sprintf("%v", &key),
	}
	for _, output := range outputs {
		if strings.Contains(output, text) || !strings.Contains(output, "***") {
			t.Errorf("the secret is not masked in %s", output)
		}
	}
	if key.Secret.Reveal() != text {
		t.Error("Reveal does not give the content back")
	}
}

func TestUserNameIsInTheARNOfARAMUserOnly(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"acs:ram::1234567890123456:user/ack-one-user-ce313528c3": "ack-one-user-ce313528c3",
		"acs:ram::1234567890123456:root":                         "",
		"acs:ram::1234567890123456:assumed-role/r/s":             "",
		"": "",
	}
	for arn, want := range tests {
		if got := (cloud.Identity{ARN: arn}).UserName(); got != want {
			t.Errorf("user name in %q is %q, want %q", arn, got, want)
		}
	}
}
