package profile

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onectl/onectl/pkg/cloud"
)

func TestEncodeKeepsWhatItDoesNotKnow(t *testing.T) {
	config, err := Parse([]byte(`{"ak_id":"LTAI-old","ak_secret":"old","colour":{"on":true}}`))
	if err != nil {
		t.Fatal(err)
	}
	data, err := config.Merge(Config{Region: "cn-hangzhou", AccessKeySecret: cloud.NewSecret("new")}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "ak_id": "LTAI-old",
  "ak_secret": "new",
  "colour": {
    "on": true
  },
  "region": "cn-hangzhou"
}
`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Error(diff)
	}
}

func TestParseNamesThePlaceAndNotTheContent(t *testing.T) {
	tests := []struct{ name, content, want string }{
		{"cut off", "{\"ak_id\":\"x\",\n \"ak_secret\": \"hunter2", "line 2, column 22: not a JSON object"},
		{"a list", `["hunter2"]`, "line 1, column 1: not a JSON object"},
		{"a number for a text", `{"ak_secret": 20}`, "field ak_secret: not a string"},
		{"bare word", "{\n  hunter2\n}", "line 2, column 3: not a JSON object"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse([]byte(tt.content))
			if err == nil {
				t.Fatal("want an error")
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("the error quotes the secret")
			}
		})
	}
}

func TestResolveOrder(t *testing.T) {
	file := Config{AccessKeyID: "file-id", AccessKeySecret: cloud.NewSecret("file-secret"), Region: "file-region", ClusterID: "file-cluster", KubeconfigPath: "~/file"}
	env := map[string]string{
		EnvAccessKeyID: "env-id", EnvAccessKeySecret: "env-secret", EnvSecurityToken: "env-token", EnvRegion: "env-region",
		EnvCluster: "env-cluster", EnvKubeconfig: "/env/a:/env/b", EnvCloudEndpoint: "http://env", EnvNodeCloudEndpoint: "http://env-node",
	}
	flags := Flags{Kubeconfig: "~/flag", Region: "flag-region", ClusterID: "flag-cluster", CloudEndpoint: "http://flag", NodeCloudEndpoint: "http://flag-node", Context: "dc"}
	tests := []struct {
		name  string
		flags Flags
		env   map[string]string
		file  Config
		want  Settings
	}{
		{"nothing given", Flags{}, nil, Config{}, Settings{Kubeconfig: []string{"/home/op/.kube/config"}, KubeconfigFrom: "the default"}},
		{"file", Flags{}, nil, file, Settings{
			Key: cloud.AccessKey{ID: "file-id", Secret: cloud.NewSecret("file-secret")}, Region: "file-region", ClusterID: "file-cluster",
			Kubeconfig: []string{"/home/op/file"}, KubeconfigFrom: "onectl configure",
		}},
		{"environment over file", Flags{}, env, file, Settings{
			Key:    cloud.AccessKey{ID: "env-id", Secret: cloud.NewSecret("env-secret"), SecurityToken: cloud.NewSecret("env-token")},
			Region: "env-region", ClusterID: "env-cluster", Kubeconfig: []string{"/env/a", "/env/b"}, KubeconfigFrom: "KUBECONFIG",
			CloudEndpoint: "http://env", NodeCloudEndpoint: "http://env-node",
		}},
		{"flags over environment", flags, env, file, Settings{
			Key:    cloud.AccessKey{ID: "env-id", Secret: cloud.NewSecret("env-secret"), SecurityToken: cloud.NewSecret("env-token")},
			Region: "flag-region", ClusterID: "flag-cluster", Kubeconfig: []string{"/home/op/flag"}, KubeconfigFrom: "--kubeconfig", Context: "dc",
			CloudEndpoint: "http://flag", NodeCloudEndpoint: "http://flag-node",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Resolve(tt.flags, func(key string) string { return tt.env[key] }, tt.file, "/home/op")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b cloud.Secret) bool { return a.Reveal() == b.Reveal() })); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestResolveRefusesHalfAPair(t *testing.T) {
	for _, set := range []string{EnvAccessKeyID, EnvAccessKeySecret} {
		_, err := Resolve(Flags{}, func(key string) string {
			if key == set {
				return "half"
			}
			return ""
		}, Config{AccessKeyID: "file-id", AccessKeySecret: cloud.NewSecret("file-secret")}, "/home/op")
		if err == nil || !strings.Contains(err.Error(), "set both or neither") {
			t.Errorf("%s alone: got error %v", set, err)
		}
	}
}
