package profile

import (
	"errors"
	"path/filepath"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
)

// Flags are the settings that a command line may give; "" means not given.
type Flags struct {
	Kubeconfig        string
	Context           string
	Region            string
	ClusterID         string
	CloudEndpoint     string
	NodeCloudEndpoint string
}

// Settings is what one run of onectl works with.
type Settings struct {
	Key               cloud.AccessKey // zero when there is none
	Region            string
	ClusterID         string   // "" when none was given
	Kubeconfig        []string // files, the first that sets a value wins; never empty
	KubeconfigFrom    string   // where the choice came from, for messages
	Context           string   // "" means the kubeconfig's current context
	CloudEndpoint     string   // "" means the real service
	NodeCloudEndpoint string   // the endpoint that cloud nodes shall use, "" means the real service
}

// The environment variables. The first four are those of Alibaba Cloud's SDKs.
const (
	EnvAccessKeyID       = "ALIBABA_CLOUD_ACCESS_KEY_ID"
	EnvAccessKeySecret   = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"
	EnvSecurityToken     = "ALIBABA_CLOUD_SECURITY_TOKEN"
	EnvRegion            = "ALIBABA_CLOUD_REGION_ID"
	EnvKubeconfig        = "KUBECONFIG"
	EnvCluster           = "ONECTL_CLUSTER_ID"
	EnvCloudEndpoint     = "ONECTL_CLOUD_ENDPOINT"
	EnvNodeCloudEndpoint = "ONECTL_NODE_CLOUD_ENDPOINT"
)

// ErrNoKey and ErrNoRegion are what a command says that needs the cloud and was not told how to reach it.
var (
	ErrNoKey    = errors.New("no AccessKey: run \"onectl configure\", or set " + EnvAccessKeyID + " and " + EnvAccessKeySecret)
	ErrNoRegion = errors.New("no region: run \"onectl configure --region cn-hangzhou\" with the region of your registered cluster, or set " + EnvRegion)
)

// Resolve lays flags over environment over file. A key pair comes whole from one place: half a pair in the environment is
// an error, not a reason to mix it with the file's other half.
func Resolve(flags Flags, getenv func(string) string, file Config, home string) (Settings, error) {
	key, err := resolveKey(getenv, file)
	if err != nil {
		return Settings{}, err
	}
	s := Settings{
		Key:               key,
		Region:            first(flags.Region, getenv(EnvRegion), file.Region),
		ClusterID:         first(flags.ClusterID, getenv(EnvCluster), file.ClusterID),
		Context:           flags.Context,
		CloudEndpoint:     first(flags.CloudEndpoint, getenv(EnvCloudEndpoint)),
		NodeCloudEndpoint: first(flags.NodeCloudEndpoint, getenv(EnvNodeCloudEndpoint)),
	}
	s.Kubeconfig, s.KubeconfigFrom = resolveKubeconfig(flags.Kubeconfig, getenv(EnvKubeconfig), file.KubeconfigPath, home)
	return s, nil
}

func resolveKey(getenv func(string) string, file Config) (cloud.AccessKey, error) {
	id, secret := getenv(EnvAccessKeyID), getenv(EnvAccessKeySecret)
	switch {
	case id != "" && secret != "":
		return cloud.AccessKey{ID: id, Secret: cloud.NewSecret(secret), SecurityToken: cloud.NewSecret(getenv(EnvSecurityToken))}, nil
	case id != "":
		return cloud.AccessKey{}, errors.New(EnvAccessKeyID + " is set but " + EnvAccessKeySecret + " is not: set both or neither")
	case secret != "":
		return cloud.AccessKey{}, errors.New(EnvAccessKeySecret + " is set but " + EnvAccessKeyID + " is not: set both or neither")
	}
	return cloud.AccessKey{ID: file.AccessKeyID, Secret: file.AccessKeySecret}, nil
}

// resolveKubeconfig follows the documented order: flag, KUBECONFIG, the configuration file, ~/.kube/config. KUBECONFIG may
// be a list, as kubectl has it.
func resolveKubeconfig(flag, env, file, home string) ([]string, string) {
	if flag != "" {
		return []string{expand(flag, home)}, "--kubeconfig"
	}
	var paths []string
	for _, path := range filepath.SplitList(env) {
		if path != "" {
			paths = append(paths, path)
		}
	}
	if len(paths) > 0 {
		return paths, EnvKubeconfig
	}
	if file != "" {
		return []string{expand(file, home)}, "onectl configure"
	}
	return []string{filepath.Join(home, ".kube", "config")}, "the default"
}

// expand replaces a leading ~/ that no shell has replaced: in the file, or after --kubeconfig=.
func expand(path, home string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		return filepath.Join(home, rest)
	}
	return path
}

func first(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}
