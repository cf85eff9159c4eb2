package wire

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"
)

// percent encodes as Alibaba Cloud's signatures do: unreserved are letters, digits and - _ . ~.
func percent(text string) string {
	return strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(url.QueryEscape(text))
}

// rpcStringToSign is what an RPC request's Signature covers, version 1.0: all parameters of query and form but the
// signature itself.
func rpcStringToSign(method string, parameters url.Values) string {
	var pairs []string
	for _, name := range sortedNames(parameters) {
		if name != "Signature" {
			pairs = append(pairs, percent(name)+"="+percent(parameters.Get(name)))
		}
	}
	return method + "&%2F&" + percent(strings.Join(pairs, "&"))
}

// signSHA1 is the base64 HMAC-SHA1 of text. RPC adds "&" to the secret, ROA does not.
func signSHA1(key, text string) string {
	mac := hmac.New(sha1.New, []byte(key))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// roaStringToSign is what the Authorization header "acs key:signature" covers.
func roaStringToSign(r *http.Request) string {
	lines := []string{r.Method, r.Header.Get("Accept"), r.Header.Get("Content-MD5"), r.Header.Get("Content-Type"), r.Header.Get("Date")}
	var extra []string
	for name := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-acs-") {
			extra = append(extra, lower+":"+r.Header.Get(name))
		}
	}
	sort.Strings(extra)
	resource := r.URL.Path
	var pairs []string
	query := r.URL.Query()
	for _, name := range sortedNames(query) {
		pair := name
		if value := query.Get(name); value != "" {
			pair += "=" + value
		}
		pairs = append(pairs, pair)
	}
	if len(pairs) > 0 {
		resource += "?" + strings.Join(pairs, "&")
	}
	return strings.Join(append(append(lines, extra...), resource), "\n")
}

// acs3Credential is the Authorization header of ACS3-HMAC-SHA256, taken apart.
type acs3Credential struct {
	key, signature string
	headers        []string // signed ones, as given
}

func parseACS3(authorization string) (acs3Credential, bool) {
	var c acs3Credential
	rest, found := strings.CutPrefix(authorization, "ACS3-HMAC-SHA256 ")
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "Credential":
			c.key = value
		case "SignedHeaders":
			c.headers = strings.Split(value, ";")
		case "Signature":
			c.signature = value
		}
	}
	return c, found && c.key != "" && c.signature != "" && len(c.headers) > 0
}

// acs3StringToSign is what an ACS3 signature covers. Documentation encodes the names of query parameters, the Tea SDK
// does not; rawNames chooses.
func acs3StringToSign(r *http.Request, headers []string, body []byte, rawNames bool) string {
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	path = strings.NewReplacer("+", "%20", "*", "%2A", "%7E", "~").Replace(path)
	query := r.URL.Query()
	var pairs []string
	for _, name := range sortedNames(query) {
		shown := name
		if !rawNames {
			shown = percent(name)
		}
		pairs = append(pairs, shown+"="+percent(query.Get(name)))
	}
	var block strings.Builder
	for _, name := range headers {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		block.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
	}
	request := strings.Join([]string{r.Method, path, strings.Join(pairs, "&"), block.String(), strings.Join(headers, ";"), hexSHA256(body)}, "\n")
	return "ACS3-HMAC-SHA256\n" + hexSHA256([]byte(request))
}

func signSHA256(key, text string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

func hexSHA256(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func sameSignature(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }

func sortedNames(v url.Values) []string {
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
