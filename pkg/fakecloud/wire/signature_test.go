package wire

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// The vectors are those of the ECS documentation, where it has one, and requests recorded from the SDK.

func TestRPCSignature(t *testing.T) {
	tests := []struct{ name, method, query, want string }{
		{"the documentation's example", "GET", "AccessKeyId=testid&Action=DescribeRegions&Format=XML&SignatureMethod=HMAC-SHA1" +
			"&SignatureNonce=3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf&SignatureVersion=1.0&Timestamp=2016-02-23T12%3A46%3A24Z&Version=2014-05-26",
			"OLeaidS1JvxuMvnyHOwuJ+uX5qY="},
		{"empty values, spaces and stars", "POST", "AccessKeyId=testid&Action=CreateNetworkInterface&Format=JSON&RegionId=cn-hangzhou" +
			"&SecurityGroupIds.1=sg-1&SignatureMethod=HMAC-SHA1&SignatureNonce=2115e5a1aaa74f638c0ac1f646ade297&SignatureType=" +
			"&SignatureVersion=1.0&Tag.1.Key=creator&Tag.1.Value=ter+way%2A~&Timestamp=2026-01-02T03%3A04%3A05Z&VSwitchId=vsw-1" +
			"&Version=2014-05-26&Signature=is-left-out", "qpxddfAvhqq07TGzXsO9Ix5Qa/g="},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			parameters, err := url.ParseQuery(test.query)
			if err != nil {
				t.Fatal(err)
			}
			text := rpcStringToSign(test.method, parameters)
			if got := signSHA1("testsecret&", text); got != test.want {
				t.Errorf("signature is %s, want %s; it covers\n%s", got, test.want, text)
			}
		})
	}
}

func TestROASignature(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "http://localhost/api/v1/clusters?cluster_type=ExternalKubernetes&name=a+b", nil)
	for name, value := range map[string]string{
		"Accept": "application/json", "Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg==", "Content-Type": "application/octet-stream",
		"Date": "Fri, 02 Jan 2026 03:04:05 GMT", "x-acs-action": "DescribeClustersV1", "x-acs-version": "2015-12-15",
		"x-acs-signature-method": "HMAC-SHA1", "x-acs-signature-version": "1.0", "x-acs-credentials-provider": "static_ak",
	} {
		r.Header.Set(name, value)
	}
	text := roaStringToSign(r)
	if got, want := signSHA1("testsecret", text), "8oiOEy8/DYl6tcCFxmccdrrNkus="; got != want {
		t.Errorf("signature is %s, want %s; it covers\n%s", got, want, text)
	}
}

func TestACS3Signature(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "http://ecs.cn-shanghai.aliyuncs.com/?ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai", nil)
	for name, value := range map[string]string{
		"x-acs-action": "RunInstances", "x-acs-date": "2023-10-26T10:22:32Z", "x-acs-version": "2014-05-26",
		"x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d", "x-acs-content-sha256": hexSHA256(nil),
	} {
		r.Header.Set(name, value)
	}
	c, complete := parseACS3("ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;" +
		"x-acs-signature-nonce;x-acs-version,Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0")
	if !complete || c.key != "YourAccessKeyId" {
		t.Fatalf("the header was read as %+v", c)
	}
	text := acs3StringToSign(r, c.headers, nil, false)
	if want := "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259"; !strings.HasSuffix(text, "\n"+want) {
		t.Errorf("string to sign is %q, want the hash %s", text, want)
	}
	if got := signSHA256("YourAccessKeySecret", text); got != c.signature {
		t.Errorf("signature is %s, want %s", got, c.signature)
	}
}

func TestACS3NamesMayBeRaw(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "http://h/?Tag.%231%23=x", nil)
	if acs3StringToSign(r, []string{"host"}, nil, false) == acs3StringToSign(r, []string{"host"}, nil, true) {
		t.Error("an escaped and a raw name sign the same")
	}
}

func TestIncompleteACS3HeaderIsRefused(t *testing.T) {
	for _, header := range []string{"", "acs a:b", "ACS3-HMAC-SHA256 Credential=a", "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host"} {
		if _, complete := parseACS3(header); complete {
			t.Errorf("%q was taken for complete", header)
		}
	}
}
