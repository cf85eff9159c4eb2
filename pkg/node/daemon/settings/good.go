package settings

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/onectl/onectl/pkg/node/conf"
	"github.com/onectl/onectl/pkg/node/daemon/nodefile"
)

// good is the last configuration that could be used, as the file keeps it.
type good struct {
	ENIConf  json.RawMessage `json:"eniConf"` // merged, without the AccessKey
	CNIConf  string          `json:"cniConf"`
	Override Override        `json:"override,omitzero"` // without the AccessKey
}

// withoutKey deletes the AccessKey from an eni_conf: it is looked for where it belongs, and never written to the node.
const withoutKey = `{"access_key":null,"access_secret":null}`

func (g good) settings() (Settings, error) {
	found, _, err := parse(g.ENIConf, []byte(g.CNIConf))
	return found, err
}

// load reads the file; one that is not there, or cannot be read, is as if nothing was kept.
func (r *Reader) load() (kept good, saved bool) {
	text, err := os.ReadFile(r.sources.Good)
	if err != nil || json.Unmarshal(text, &kept) != nil {
		return good{}, false
	}
	return kept, true
}

func (r *Reader) save(g good) (err error) {
	if g.ENIConf, err = conf.Merge("AccessKey", g.ENIConf, []byte(withoutKey)); err != nil {
		return err
	}
	if g.Override != (Override{}) {
		patch, err := conf.Merge("AccessKey", []byte(g.Override.ENIConf), []byte(withoutKey))
		if err != nil {
			return err
		}
		g.Override.ENIConf = string(patch)
	}
	text, err := json.Marshal(g)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(r.sources.Good), 0o700); err != nil {
		return err
	}
	return nodefile.Write(r.sources.Good, text, 0o600)
}
