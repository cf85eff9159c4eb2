package wire

import (
	"crypto/md5"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/onectl/onectl/pkg/cloud"
)

func TestContainerService(t *testing.T) {
	right := func(http.Header) {}
	cluster := "c0123456789abcdef0123456789abcdef"
	tests := []struct {
		name, path string
		spoil      func(http.Header)
		status     int
		code       string
	}{
		{"one cluster", "/clusters/" + cluster, right, 200, ""},
		{"no such cluster", "/clusters/c1", right, 404, "ErrorClusterNotFound"},
		{"all clusters", "/api/v1/clusters?cluster_type=ExternalKubernetes&name=", right, 200, ""},
		{"no such path", "/nothing", right, 404, "InvalidAction.NotFound"},
		{"old", "/clusters/" + cluster, func(h http.Header) { h.Set("Date", "Fri, 02 Jan 2026 02:04:05 GMT") }, 400, "InvalidTimeStamp.Expired"},
		{"no date", "/clusters/" + cluster, func(h http.Header) { h.Del("Date") }, 400, "InvalidTimeStamp.Format"},
		{"body that is not the one signed", "/clusters/" + cluster, func(h http.Header) { h.Set("Content-MD5", "AAAA") }, 400, "ContentMD5NotMatched"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			r := s.roa(test.path, s.made.Key, test.spoil)
			if r.status != test.status || r.text("Code") != test.code || r.text("code") != test.code {
				t.Errorf("got %d, want %d %s: %s", r.status, test.status, test.code, r.raw)
			}
		})
	}
	s := newSite(t)
	for range 2 { // the SDK sends no nonce: equal requests are fine
		r := s.roa("/clusters/"+cluster, s.made.Key, right)
		if r.text("vswitch_id") != "vsw-1" || r.text("service_cidr") != "10.96.0.0/16" || r.text("request_id") == "" {
			t.Errorf("cluster is %s", r.raw)
		}
	}
	stolen := cloud.AccessKey{ID: s.made.Key.ID, Secret: cloud.NewSecret("guess")}
	if r := s.roa("/clusters/"+cluster, stolen, right); r.text("Code") != "SignatureDoesNotMatch" || !strings.Contains(r.text("Message"), "GET\n") {
		t.Errorf("a wrong secret got %s", r.raw)
	}
}

func TestACS3Calls(t *testing.T) {
	s := newSite(t)
	send := func(path, action, version, nonce, secret string) response {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if version == "2015-12-15" {
			request.Method = http.MethodGet
		}
		headers := []string{"host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version"}
		for at, value := range []string{action, hexSHA256(nil), s.clock.Now().Format(timeFormat), nonce, version} {
			request.Header.Set(headers[at+1], value)
		}
		signature := signSHA256(secret, acs3StringToSign(request, headers, nil, false))
		request.Header.Set("Authorization", "ACS3-HMAC-SHA256 Credential="+s.made.AccountKey.ID+",SignedHeaders="+strings.Join(headers, ";")+",Signature="+signature)
		return s.send(request)
	}
	secret := s.made.AccountKey.Secret.Reveal()
	if r := send("/?RegionId=cn-hangzhou", "DescribeVSwitches", "2016-04-28", "1", secret); r.status != 200 || r.body["TotalCount"] != 2.0 {
		t.Errorf("RPC style: %s", r.raw)
	}
	if r := send("/api/v1/clusters", "DescribeClustersV1", "2015-12-15", "2", secret); r.status != 200 {
		t.Errorf("ROA style: %s", r.raw)
	}
	if r := send("/", "DescribeVpcs", "2016-04-28", "2", secret); r.text("Code") != "SignatureNonceUsed" {
		t.Errorf("a nonce again: %s", r.raw)
	}
	if r := send("/", "DescribeVpcs", "2016-04-28", "3", "guess"); r.text("Code") != "SignatureDoesNotMatch" {
		t.Errorf("a wrong secret: %s", r.raw)
	}
}

// roa is a signed request of Container Service.
func (s *site) roa(path string, key cloud.AccessKey, spoil func(http.Header)) response {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	empty := md5.Sum(nil)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Content-MD5", base64.StdEncoding.EncodeToString(empty[:]))
	request.Header.Set("Date", s.clock.Now().Format(http.TimeFormat))
	request.Header.Set("x-acs-version", "2015-12-15")
	spoil(request.Header)
	request.Header.Set("Authorization", "acs "+key.ID+":"+signSHA1(key.Secret.Reveal(), roaStringToSign(request)))
	return s.send(request)
}
