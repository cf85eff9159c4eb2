package wire

import (
	"encoding/json"
	"net/http"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
)

// bootstrapped is fakecloud.BootstrapResult with the secrets of its keys, which the type itself does not show.
type bootstrapped struct {
	Account, Region  string
	VPC              cloud.VPC
	VSwitches        []cloud.VSwitch
	SecurityGroup    cloud.SecurityGroup
	Cluster          cloud.Cluster
	Operator         cloud.User
	KeyID, KeySecret string
	AccountKeyID     string
	AccountKeySecret string
}

// added is what adding an instance answers.
type added struct {
	Instance cloud.Instance
	Primary  cloud.ENI
}

// problem is what a refused control call answers.
type problem struct{ Error string }

// Control serves the control side of a world as JSON. It checks nobody's rights and shows secrets: serve it on a unix
// socket that only its owner may open.
//
//	POST   /bootstrap              fakecloud.BootstrapSpec
//	POST   /instances              fakecloud.InstanceSpec
//	DELETE /instances/{id}
//	PUT    /instances/{id}/status  a JSON text, "Stopped"
//	POST   /lan                    fakecloud.LANNode
//	DELETE /lan/{name}
//	POST   /security-groups        cloud.SecurityGroup
//	PUT    /clusters               cloud.Cluster
//
// and what controlRoutes adds for routes, border routers and security rules;
//
//	POST   /faults                 fakecloud.Fault
//	DELETE /faults
//	DELETE /calls                  forgets the calls counted so far
//	GET    /summary                everything, with the calls by action
//	GET    /network                what the fabric shall look like
func Control(world *fakecloud.World) http.Handler {
	mux := http.NewServeMux()
	handle(mux, "POST /bootstrap", func(_ *http.Request, spec fakecloud.BootstrapSpec) (any, error) {
		r, err := world.Bootstrap(spec)
		return bootstrapped{
			Account: r.Account, Region: r.Region, VPC: r.VPC, VSwitches: r.VSwitches, SecurityGroup: r.SecurityGroup, Cluster: r.Cluster,
			Operator: r.Operator, KeyID: r.Key.ID, KeySecret: r.Key.Secret.Reveal(),
			AccountKeyID: r.AccountKey.ID, AccountKeySecret: r.AccountKey.Secret.Reveal(),
		}, err
	})
	handle(mux, "POST /instances", func(_ *http.Request, spec fakecloud.InstanceSpec) (any, error) {
		instance, primary, err := world.AddInstance(spec)
		return added{instance, primary}, err
	})
	handle(mux, "PUT /instances/{id}/status", func(r *http.Request, status string) (any, error) {
		return object{}, world.SetInstanceStatus(r.PathValue("id"), status)
	})
	handle(mux, "POST /lan", func(_ *http.Request, node fakecloud.LANNode) (any, error) { return object{}, world.AddLANNode(node) })
	handle(mux, "POST /security-groups", func(_ *http.Request, g cloud.SecurityGroup) (any, error) {
		return object{}, world.AddSecurityGroup(g)
	})
	handle(mux, "PUT /clusters", func(_ *http.Request, c cloud.Cluster) (any, error) { return object{}, world.SetCluster(c) })
	handle(mux, "POST /faults", func(_ *http.Request, f fakecloud.Fault) (any, error) { return object{}, world.AddFault(f) })
	controlRoutes(mux, world)
	bare(mux, "DELETE /instances/{id}", func(r *http.Request) (any, error) { return object{}, world.RemoveInstance(r.PathValue("id")) })
	bare(mux, "DELETE /lan/{name}", func(r *http.Request) (any, error) { return object{}, world.RemoveLANNode(r.PathValue("name")) })
	bare(mux, "DELETE /faults", func(*http.Request) (any, error) { return object{}, world.ClearFaults() })
	bare(mux, "DELETE /calls", func(*http.Request) (any, error) { return object{}, world.ResetCalls() })
	bare(mux, "GET /summary", func(*http.Request) (any, error) { return world.Summary(), nil })
	bare(mux, "GET /network", func(*http.Request) (any, error) { return world.Network(), nil })
	return mux
}

// handle serves a call whose body is an In. A field that In does not have is refused: it would be ignored otherwise.
func handle[In any](mux *http.ServeMux, pattern string, serve func(*http.Request, In) (any, error)) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		var in In
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyLimit))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&in); err != nil {
			writeJSON(w, http.StatusBadRequest, problem{"read " + pattern + ": " + err.Error()})
			return
		}
		out, err := serve(r, in)
		reply(w, out, err)
	})
}

// bare serves a call without a body.
func bare(mux *http.ServeMux, pattern string, serve func(*http.Request) (any, error)) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		out, err := serve(r)
		reply(w, out, err)
	})
}

func reply(w http.ResponseWriter, out any, err error) {
	if err != nil {
		writeJSON(w, http.StatusConflict, problem{err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, out)
}
