// Package profile is the operator's configuration: what ~/.onectl/config.json holds, and how flags, environment and that
// file together become Settings. It reads and writes nothing itself; package disk does.
package profile

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
)

// Config is the content of the configuration file. A zero field is one that the file does not have.
type Config struct {
	AccessKeyID     string
	AccessKeySecret cloud.Secret
	Region          string
	ClusterID       string
	KubeconfigPath  string

	other map[string]json.RawMessage // fields of other versions of onectl, kept as they are
}

// The file's keys.
const (
	keyID         = "ak_id"
	keySecret     = "ak_secret"
	keyRegion     = "region"
	keyCluster    = "cluster_id"
	keyKubeconfig = "kubeconfig_path"
)

// Parse reads a configuration file's content. Empty content is an empty Config. Its errors tell where the mistake is and
// never quote a value, because one of them is a secret.
func Parse(data []byte) (Config, error) {
	var config Config
	if len(strings.TrimSpace(string(data))) == 0 {
		return config, nil
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &fields); err != nil {
		return Config{}, fmt.Errorf("%s: not a JSON object", position(data, err))
	}
	var secret string
	known := map[string]*string{
		keyID: &config.AccessKeyID, keySecret: &secret, keyRegion: &config.Region,
		keyCluster: &config.ClusterID, keyKubeconfig: &config.KubeconfigPath,
	}
	for key, into := range known {
		raw, present := fields[key]
		if !present {
			continue
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return Config{}, fmt.Errorf("field %s: not a string", key)
		}
		delete(fields, key)
	}
	config.AccessKeySecret = cloud.NewSecret(secret)
	config.other = fields
	return config, nil
}

// position turns the offset of a JSON error into "line L, column C".
func position(data []byte, err error) string {
	offset := len(data)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = int(syntax.Offset)
	case errors.As(err, &kind):
		offset = int(kind.Offset)
	}
	before := string(data[:min(max(offset-1, 0), len(data))])
	return fmt.Sprintf("line %d, column %d", strings.Count(before, "\n")+1, len(before)-strings.LastIndex(before, "\n"))
}

// Merge returns c with over's non-empty fields in their places.
func (c Config) Merge(over Config) Config {
	pick := func(into *string, value string) {
		if value != "" {
			*into = value
		}
	}
	pick(&c.AccessKeyID, over.AccessKeyID)
	pick(&c.Region, over.Region)
	pick(&c.ClusterID, over.ClusterID)
	pick(&c.KubeconfigPath, over.KubeconfigPath)
	if !over.AccessKeySecret.IsZero() {
		c.AccessKeySecret = over.AccessKeySecret
	}
	return c
}

// Encode is the file's content for c, secret included. Fields that Parse did not know are kept.
func (c Config) Encode() ([]byte, error) {
	fields := map[string]any{}
	for key, raw := range maps.All(c.other) {
		fields[key] = raw
	}
	for key, value := range map[string]string{
		keyID: c.AccessKeyID, keySecret: c.AccessKeySecret.Reveal(), keyRegion: c.Region,
		keyCluster: c.ClusterID, keyKubeconfig: c.KubeconfigPath,
	} {
		if value != "" {
			fields[key] = value
		}
	}
	data, err := json.MarshalIndent(fields, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode configuration: %w", err)
	}
	return append(data, '\n'), nil
}
