package wire

import (
	"crypto/md5"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
)

// window is how far a request's time stamp may be from the clock, and how long its nonce is remembered.
const window = 15 * time.Minute

const timeFormat = "2006-01-02T15:04:05Z"

// gate verifies who sent a request and that it is fresh.
type gate struct {
	world *fakecloud.World
	now   func() time.Time

	mu     sync.Mutex
	nonces map[string]time.Time // "key nonce", and until when it is remembered
	prune  int                  // size at which expired ones are dropped
}

// request is one API request, whoever signed it how.
type request struct {
	*http.Request
	body       []byte
	parameters url.Values // query and form
}

// admit returns the AccessKey that signed the request.
func (g *gate) admit(r *request) (cloud.AccessKey, error) {
	authorization := r.Header.Get("Authorization")
	switch {
	case strings.HasPrefix(authorization, "ACS3-HMAC-SHA256"):
		return g.admitACS3(r, authorization)
	case strings.HasPrefix(authorization, "acs "):
		return g.admitROA(r, strings.TrimPrefix(authorization, "acs "))
	case r.URL.Path != "/":
		return cloud.AccessKey{}, fail("IncompleteSignature", "The request signature does not conform to Aliyun standards.")
	}
	return g.admitRPC(r)
}

func (g *gate) admitRPC(r *request) (cloud.AccessKey, error) {
	p := r.parameters
	for _, name := range []string{"Action", "Version", "AccessKeyId", "Timestamp", "SignatureNonce", "SignatureMethod", "SignatureVersion", "Signature"} {
		if p.Get(name) == "" {
			return cloud.AccessKey{}, fail("Missing"+name, "%s is mandatory for this action.", name)
		}
	}
	if p.Get("SignatureMethod") != "HMAC-SHA1" || p.Get("SignatureVersion") != "1.0" {
		return cloud.AccessKey{}, fail("IncompleteSignature", "The request signature does not conform to Aliyun standards.")
	}
	key, err := g.key(p.Get("AccessKeyId"), p.Get("SecurityToken"))
	if err != nil {
		return key, err
	}
	if err := g.fresh(timeFormat, p.Get("Timestamp")); err != nil {
		return key, err
	}
	if g.seen(key.ID, p.Get("SignatureNonce")) {
		return key, nonceUsed()
	}
	text := rpcStringToSign(r.Method, p)
	if !sameSignature(signSHA1(key.Secret.Reveal()+"&", text), p.Get("Signature")) {
		return key, mismatch(text)
	}
	return key, g.use(key.ID, p.Get("SignatureNonce"))
}

// admitROA checks no nonce unless there is one: the SDK sends none, and equal requests within a second look the same.
func (g *gate) admitROA(r *request, credential string) (cloud.AccessKey, error) {
	id, signature, complete := strings.Cut(credential, ":")
	if !complete {
		return cloud.AccessKey{}, fail("IncompleteSignature", "The request signature does not conform to Aliyun standards.")
	}
	key, err := g.key(id, r.Header.Get("x-acs-security-token"))
	if err != nil {
		return key, err
	}
	if err := g.fresh(http.TimeFormat, r.Header.Get("Date")); err != nil {
		return key, err
	}
	nonce := r.Header.Get("x-acs-signature-nonce")
	if nonce != "" && g.seen(key.ID, nonce) {
		return key, nonceUsed()
	}
	if sum := md5.Sum(r.body); r.Header.Get("Content-MD5") != "" && r.Header.Get("Content-MD5") != base64.StdEncoding.EncodeToString(sum[:]) {
		return key, fail("ContentMD5NotMatched", "Content-MD5 not matched with body.")
	}
	text := roaStringToSign(r.Request)
	if !sameSignature(signSHA1(key.Secret.Reveal(), text), signature) {
		return key, mismatch(text)
	}
	if nonce == "" {
		return key, nil
	}
	return key, g.use(key.ID, nonce)
}

func (g *gate) admitACS3(r *request, authorization string) (cloud.AccessKey, error) {
	c, complete := parseACS3(authorization)
	if !complete {
		return cloud.AccessKey{}, fail("IncompleteSignature", "The request signature does not conform to Aliyun standards.")
	}
	key, err := g.key(c.key, r.Header.Get("x-acs-security-token"))
	if err != nil {
		return key, err
	}
	if err := g.fresh(timeFormat, r.Header.Get("x-acs-date")); err != nil {
		return key, err
	}
	nonce := r.Header.Get("x-acs-signature-nonce")
	switch {
	case nonce == "":
		return key, fail("MissingSignatureNonce", "SignatureNonce is mandatory for this action.")
	case g.seen(key.ID, nonce):
		return key, nonceUsed()
	}
	text := acs3StringToSign(r.Request, c.headers, r.body, false)
	raw := acs3StringToSign(r.Request, c.headers, r.body, true)
	secret := key.Secret.Reveal()
	signed := sameSignature(signSHA256(secret, text), c.signature) || sameSignature(signSHA256(secret, raw), c.signature)
	if !signed || r.Header.Get("x-acs-content-sha256") != hexSHA256(r.body) {
		return key, fail("SignatureDoesNotMatch", "Specified signature does not match our calculation. server StringToSign is [%s]", text)
	}
	return key, g.use(key.ID, nonce)
}

func mismatch(text string) error {
	return fail("SignatureDoesNotMatch", "Specified signature is not matched with our calculation. server string to sign is:%s", text)
}

func nonceUsed() error {
	return fail("SignatureNonceUsed", "Specified signature nonce was used already.")
}

// key looks the AccessKey up. The simulator issues no temporary credentials, so a security token cannot be right.
func (g *gate) key(id, token string) (cloud.AccessKey, error) {
	secret, active := g.world.Secret(id)
	switch {
	case secret.IsZero():
		return cloud.AccessKey{}, fail("InvalidAccessKeyId.NotFound", "Specified access key is not found.")
	case !active:
		return cloud.AccessKey{}, fail("InvalidAccessKeyId.Inactive", "Specified access key is disabled.")
	case token != "":
		return cloud.AccessKey{}, fail("InvalidSecurityToken.MismatchWithAccessKey", "Specified SecurityToken mismatch with the AccessKey.")
	}
	return cloud.AccessKey{ID: id, Secret: secret}, nil
}

func (g *gate) fresh(format, text string) error {
	at, err := time.Parse(format, text)
	if err != nil {
		return fail("InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted.")
	}
	if age := g.now().Sub(at); age > window || age < -window {
		return fail("InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
	}
	return nil
}

func (g *gate) seen(key, nonce string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	until, known := g.nonces[key+" "+nonce]
	return known && g.now().Before(until)
}

// use remembers a nonce, unless another request with it was faster.
func (g *gate) use(key, nonce string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, name := g.now(), key+" "+nonce
	if until, known := g.nonces[name]; known && now.Before(until) {
		return nonceUsed()
	}
	if len(g.nonces) >= g.prune {
		for n, until := range g.nonces {
			if !now.Before(until) {
				delete(g.nonces, n)
			}
		}
		g.prune = max(1024, 2*len(g.nonces))
	}
	g.nonces[name] = now.Add(2 * window)
	return nil
}
