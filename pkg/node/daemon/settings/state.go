package settings

import "time"

// State is which configuration is in use.
type State struct {
	Source  string            // in words
	Refused string            // why the newest one is not used, and what to do; "" when it is used
	Since   time.Time         // since when it is refused
	Texts   map[string]string // what was read last, by name; an AccessKey may be in it
}

// State is that of the last reading. Any goroutine may call it.
func (r *Reader) State() State {
	if s := r.state.Load(); s != nil {
		return *s
	}
	return State{Source: "not read yet"}
}

// clusterConfig is what every node has.
const clusterConfig = "ConfigMap kube-system/eni-config"

func (t texts) source() string {
	if t.override == (Override{}) {
		return clusterConfig
	}
	return clusterConfig + ", with kube-system/" + t.override.Name + " merged over it"
}

func (t texts) named() map[string]string {
	named := map[string]string{"eni_conf": t.eni, "10-terway.conf": t.cni}
	if t.override.ENIConf != "" {
		named[t.override.Name+"-eni_conf"] = t.override.ENIConf
	}
	return named
}
