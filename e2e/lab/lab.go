// Package lab is a hybrid cluster on one Linux machine, for tests and for trying the product: a kind cluster plays the
// data centre, nodes that join later play cloud nodes, and a simulated VPC with real packets lies between them.
//
// One lab is one name: a folder of files, a kind cluster, a simulator process and two router namespaces that carry it.
// Everything can be found again by the name alone, so Down also cleans up after a lab that was killed half-way.
//
// How packets go: a data-centre node has the engine's network (its node address) and a link "dc0" to the data-centre
// router; a cloud node has nothing but its primary ENI, so all that it says to the data centre, the API server included,
// crosses the VPC router and the data-centre router.
package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/onectl/onectl/e2e/lab/cache"
	"github.com/onectl/onectl/e2e/lab/engine"
	"github.com/onectl/onectl/pkg/fakecloud/wire"
)

// Options says what a lab shall be. The zero value with a Name is usable.
type Options struct {
	Name     string            // "hybridlab" when empty; lower-case letters, digits and hyphens
	Workers  int               // data-centre workers beside the control plane, 0 is fine
	Scenario Scenario          // of a lab that is not up yet; Routed when empty
	BinDir   string            // where fakecloud, terwayd and terway are; "" means beside the running program
	Progress func(step string) // told each step as it starts; nil is silent
	Log      *slog.Logger      // nil discards
	Delays   map[string]string // flags of `fakecloud serve` that set delays, "attach-delay": "200ms"
}

// Lab is an existing lab.
type Lab struct {
	Name string
	opts Options
	dir  string
	eng  engine.Engine
}

// Facts is what the lab writes down about itself (lab.json).
type Facts struct {
	Name       string   `json:"name"`
	Scenario   Scenario `json:"scenario"`
	NodeImage  string   `json:"nodeImage"`
	EngineHost string   `json:"engineHost"`   // value for DOCKER_HOST
	Endpoint   string   `json:"endpoint"`     // the cloud API, seen from this machine
	NodeURL    string   `json:"nodeEndpoint"` // the cloud API, seen from cloud nodes
	Region     string   `json:"region"`
	ClusterID  string   `json:"clusterID"`
	KeyID      string   `json:"keyID"`
	KeySecret  string   `json:"keySecret"` // of the simulator's operator user; the file is 0600
	// AccountKeyID and AccountKeySecret are the account's own key: other people's work in the same account.
	AccountKeyID     string           `json:"accountKeyID"`
	AccountKeySecret string           `json:"accountKeySecret"`
	Nodes            map[string]*Node `json:"nodes"`
	CreatedAt        time.Time        `json:"createdAt"`
}

// Node is one machine of the lab.
type Node struct {
	Name     string     `json:"name"`
	Role     string     `json:"role"` // control-plane, worker or cloud
	Address  netip.Addr `json:"address"`
	Instance string     `json:"instance,omitempty"` // cloud nodes only
	Zone     string     `json:"zone,omitempty"`
	PID      int        `json:"pid"` // of the container's init, which holds the network namespace
}

// Roles of a Node.
const (
	RoleControlPlane = "control-plane"
	RoleWorker       = "worker"
	RoleCloud        = "cloud"
)

var validName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?$`)

// New returns the lab of that name, existing or not. It touches nothing.
func New(opts Options) (*Lab, error) {
	if opts.Name == "" {
		opts.Name = "hybridlab"
	}
	if !validName.MatchString(opts.Name) {
		return nil, fmt.Errorf("lab name %q: use up to 30 lower-case letters, digits and hyphens", opts.Name)
	}
	scenario, err := opts.Scenario.orDefault()
	if err != nil {
		return nil, err
	}
	opts.Scenario = scenario
	if opts.Progress == nil {
		opts.Progress = func(string) {}
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	root, err := cache.Dir()
	if err != nil {
		return nil, err
	}
	return &Lab{Name: opts.Name, opts: opts, dir: filepath.Join(root, "labs", opts.Name)}, nil
}

// Names lists the labs that have left files on this machine, running or not.
func Names() ([]string, error) {
	root, err := cache.Dir()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Join(root, "labs"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// ErrNotUp is the error of everything that needs a running lab when there is none.
var ErrNotUp = errors.New("the lab is not up")

// Facts reads what the lab wrote down, ErrNotUp when there is no such lab.
func (l *Lab) Facts() (Facts, error) {
	data, err := os.ReadFile(l.path("lab.json"))
	if errors.Is(err, os.ErrNotExist) {
		return Facts{}, fmt.Errorf("lab %s: %w: start it with `hybridlab up --name %s`", l.Name, ErrNotUp, l.Name)
	}
	if err != nil {
		return Facts{}, err
	}
	var facts Facts
	if err := json.Unmarshal(data, &facts); err != nil {
		return Facts{}, fmt.Errorf("lab %s: %s is damaged (%w): run `hybridlab down --name %s`", l.Name, l.path("lab.json"), err, l.Name)
	}
	return facts, nil
}

func (l *Lab) save(facts Facts) error {
	data, err := json.MarshalIndent(facts, "", "  ")
	if err != nil {
		return err
	}
	temp := l.path("lab.json.new")
	if err := os.WriteFile(temp, append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, l.path("lab.json"))
}

// path is a file in the lab's folder.
func (l *Lab) path(name string) string { return filepath.Join(l.dir, name) }

// Kubeconfig is the path of the cluster's administrator kubeconfig.
func (l *Lab) Kubeconfig() string { return l.path("kubeconfig") }

// Cloud is the simulator's control side: instances, faults, summaries.
func (l *Lab) Cloud() *wire.ControlClient {
	return &wire.ControlClient{Socket: l.path("fakecloud.sock")}
}

func (l *Lab) step(format string, args ...any) { l.opts.Progress(fmt.Sprintf(format, args...)) }

// binary is the path of one of our own programs.
func (l *Lab) binary(name string) (string, error) {
	dir := l.opts.BinDir
	if dir == "" {
		self, err := os.Executable()
		if err != nil {
			return "", err
		}
		dir = filepath.Dir(self)
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is not in %s: run `make build` first", name, dir)
	}
	return path, nil
}

// lock keeps two commands from changing the same lab at once; it waits until ctx ends.
func (l *Lab) lock(ctx context.Context) (release func(), err error) {
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return nil, err
	}
	return cache.Lock(ctx, l.dir+".lock") // beside the folder, which Down removes
}
