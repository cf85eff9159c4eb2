// Package credential gives the node daemon the AccessKey it has now. The key is looked for whenever the cloud is called,
// so a key that is rotated, or that comes after the daemon, is used without a restart.
package credential

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/node/conf"
)

// Files that the keys of Secret kube-system/alibaba-addon-secret become when it is mounted.
const (
	idFile     = "access-key-id"
	secretFile = "access-key-secret"
)

// advice ends every error about a key that is not there.
const advice = "type `onectl ram-user grant --addon terway-eniip`, which puts one into Secret kube-system/alibaba-addon-secret; it is read within a minute or two"

// Source is where the AccessKey is looked for: the Secret's files first, then access_key and access_secret of eni_conf.
type Source struct {
	SecretDir string // where the Secret is mounted; it may be empty or absent
	ENIConf   string // path of eni_conf
}

// Key reads the key. Its error says what to do.
func (s Source) Key() (cloud.AccessKey, error) {
	id, errID := s.read(idFile)
	secret, errSecret := s.read(secretFile)
	if err := errors.Join(errID, errSecret); err != nil {
		return cloud.AccessKey{}, fmt.Errorf("read AccessKey: %w", err)
	}
	key := cloud.AccessKey{ID: id, Secret: cloud.NewSecret(secret)}
	if !key.IsZero() {
		return key, nil
	}
	if id != "" || secret != "" {
		return cloud.AccessKey{}, fmt.Errorf("the AccessKey in %s is incomplete: %s and %s are both needed; %s", s.SecretDir, idFile, secretFile, advice)
	}
	text, err := os.ReadFile(s.ENIConf)
	if err != nil {
		return cloud.AccessKey{}, fmt.Errorf("read AccessKey: %w", err)
	}
	config, _, err := conf.ParseENI(text)
	if err != nil && config.AccessKey.IsZero() { // a mistake elsewhere in it is no reason to stop calling the cloud
		return cloud.AccessKey{}, fmt.Errorf("read AccessKey: %w", err)
	}
	if config.AccessKey.IsZero() {
		return cloud.AccessKey{}, errors.New("there is no AccessKey; " + advice)
	}
	return config.AccessKey, nil
}

// read reads one file of the Secret; one that is not there is empty.
func (s Source) read(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(s.SecretDir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
}
