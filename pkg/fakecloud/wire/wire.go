package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
)

// bodyLimit is the most bytes of a request body that are read.
const bodyLimit = 4 << 20

// Options are what Handler may be given beyond the world. The zero value is fine.
type Options struct {
	Now    func() time.Time // what time stamps of requests are compared with; nil is the machine's clock
	Logger *slog.Logger     // every request at debug level; nil logs nothing
}

// Handler serves the world's OpenAPI: all products on one address, as the SDK's endpoint settings allow.
func Handler(world *fakecloud.World, options Options) http.Handler {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	return &api{world: world, log: options.Logger, rpc: rpcAPIs(), gate: &gate{world: world, now: options.Now, nonces: map[string]time.Time{}}}
}

type api struct {
	world *fakecloud.World
	log   *slog.Logger
	rpc   map[string]product
	gate  *gate
}

// object is a JSON object. Lists in answers are never null: the SDK's callers index them.
type object map[string]any

// product is the APIs of one product version.
type product struct {
	name    string // as error envelopes name it, "Ecs"
	actions map[string]action
}

// action answers one API call.
type action func(ctx context.Context, c *call) (object, error)

// call is what an action works with.
type call struct {
	*fakecloud.Session
	world *fakecloud.World
	values
}

// ServeHTTP answers one request.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	started, id := time.Now(), fakecloud.RequestID()
	answer, style, err := a.serve(w, r)
	if errors.Is(err, fakecloud.ErrDropped) {
		a.log.Debug("request", "api", style.action, "request", id, "code", "(dropped)")
		panic(http.ErrAbortHandler) // the one way to close a connection without an answer
	}
	if err != nil {
		code := writeError(w, r, style, id, err)
		a.log.Debug("request", "api", style.action, "request", id, "code", code, "took", time.Since(started))
		return
	}
	answer[style.requestID()] = id
	writeJSON(w, http.StatusOK, answer)
	a.log.Debug("request", "api", style.action, "request", id, "took", time.Since(started))
}

// style is how a request wants to be answered.
type style struct {
	product string // "Ecs"
	action  string
	roa     bool
}

func (s style) requestID() string {
	if s.roa {
		return "request_id"
	}
	return "RequestId"
}

func (a *api) serve(w http.ResponseWriter, r *http.Request) (object, style, error) {
	in, err := read(w, r)
	st := styleOf(in)
	if err != nil {
		return nil, st, err
	}
	key, err := a.gate.admit(in)
	if err != nil {
		return nil, st, err
	}
	c := &call{Session: a.world.Session(key), world: a.world, values: values{in.parameters, new(error)}}
	if st.roa {
		answer, err := serveCluster(r.Context(), c, in)
		return answer, st, err
	}
	act, product, err := a.find(in, st)
	st.product = product
	if err != nil {
		return nil, st, err
	}
	if region := in.parameters.Get("RegionId"); (product == "Ecs" || product == "Vpc") && region != "" && region != a.world.Region() {
		return nil, st, fail("InvalidRegionId.NotFound", "The specified RegionId does not exist.")
	}
	answer, err := act(r.Context(), c)
	return answer, st, err
}

// read takes the request in: its body, and the parameters of query and form.
func read(w http.ResponseWriter, r *http.Request) (*request, error) {
	in := &request{Request: r, parameters: r.URL.Query()}
	if r.Method != http.MethodGet && r.Method != http.MethodPost && r.URL.Path == "/" {
		return in, fail("UnsupportedHTTPMethod", "This http method is not supported.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	if err != nil {
		return in, fail("InvalidParameter", "The request body cannot be read: %v.", err)
	}
	in.body = body
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return in, fail("InvalidParameter", "The request body is not a form: %v.", err)
		}
		for name, texts := range form {
			in.parameters[name] = append(in.parameters[name], texts...)
		}
	}
	return in, nil
}

// styleOf tells RPC from ROA by the path. An ACS3 request of RPC style names its action in headers.
func styleOf(in *request) style {
	if in.URL.Path != "/" && in.URL.Path != "" {
		return style{product: "CS", action: in.Method + " " + in.URL.Path, roa: true}
	}
	name := in.parameters.Get("Action")
	if strings.HasPrefix(in.Header.Get("Authorization"), "ACS3-HMAC-SHA256") {
		name = in.Header.Get("x-acs-action")
	}
	return style{action: name}
}

func (a *api) find(in *request, st style) (action, string, error) {
	version := in.parameters.Get("Version")
	if strings.HasPrefix(in.Header.Get("Authorization"), "ACS3-HMAC-SHA256") {
		version = in.Header.Get("x-acs-version")
	}
	p, known := a.rpc[version]
	if !known {
		return nil, "", fail("InvalidVersion", "Specified parameter Version is not valid.")
	}
	if format := in.parameters.Get("Format"); format != "" && !strings.EqualFold(format, "JSON") {
		return nil, p.name, fail("InvalidParameter.Format", "The specified parameter format is not valid: this service answers in JSON.")
	}
	act, known := p.actions[st.action]
	if !known {
		return nil, p.name, fail("InvalidAction.NotFound", "Specified api is not found, please check your url and method.")
	}
	return act, p.name, nil
}

func rpcAPIs() map[string]product {
	return map[string]product{
		"2014-05-26": {"Ecs", ecsActions()},
		"2016-04-28": {"Vpc", vpcActions()},
		"2017-09-12": {"Cbn", cenActions()},
		"2015-05-01": {"Ram", ramActions()},
		"2015-04-01": {"Sts", map[string]action{"GetCallerIdentity": callerIdentity}},
	}
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(body); err != nil {
		status = http.StatusInternalServerError
		buffer.Reset()
		buffer.WriteString(`{"Code":"InternalError","Message":"the answer cannot be encoded"}`)
	}
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(bytes.TrimSpace(buffer.Bytes())) // a client that went away is not our error
}

func callerIdentity(ctx context.Context, c *call) (object, error) {
	id, err := c.CallerIdentity(ctx)
	if err != nil {
		return nil, err
	}
	return object{"IdentityType": id.Type, "AccountId": id.AccountID, "PrincipalId": id.UserID, "UserId": id.UserID, "Arn": id.ARN, "RoleId": ""}, nil
}

// fail is a refusal of the gateway's own.
func fail(code, format string, args ...any) *cloud.Error {
	return fakecloud.Refusal(code, format, args...)
}
