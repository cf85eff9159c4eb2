package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/onectl/onectl/pkg/node/conf"
)

// config is ConfigMap kube-system/eni-config as the daemon uses it.
type config struct {
	eni     conf.ENIConf
	cni     conf.CNIConf
	cniText []byte // 10-terway.conf as it is, for the plugin
}

// readConfig reads both keys and reports all problems of both at once.
func readConfig(dir string, logger *slog.Logger) (config, error) {
	var c config
	eniText, err := os.ReadFile(filepath.Join(dir, "eni_conf"))
	if err != nil {
		return config{}, unreadable(err)
	}
	if c.cniText, err = os.ReadFile(filepath.Join(dir, "10-terway.conf")); err != nil {
		return config{}, unreadable(err)
	}
	var warnings, more []conf.Warning
	var errENI, errCNI error
	c.eni, warnings, errENI = conf.ParseENI(eniText)
	c.cni, more, errCNI = conf.ParseCNI(c.cniText)
	if err := errors.Join(errENI, errCNI); err != nil {
		return config{}, fmt.Errorf("%w\ncorrect ConfigMap kube-system/eni-config (it is in %s): kubectl -n kube-system edit configmap eni-config", err, dir)
	}
	for _, w := range append(warnings, more...) {
		logger.Warn("configuration", "key", w.Path, "effect", w.Text)
	}
	return c, nil
}

func unreadable(err error) error {
	return fmt.Errorf("%w; ConfigMap kube-system/eni-config must have the keys eni_conf and 10-terway.conf and be mounted there: onectl addon install terway-eniip", err)
}
