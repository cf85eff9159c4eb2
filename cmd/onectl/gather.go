package main

import (
	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/cloud/openapi"
	"github.com/onectl/onectl/pkg/onectl/addon"
	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/kube"
	"github.com/onectl/onectl/pkg/onectl/preflight/gather"
	"github.com/onectl/onectl/pkg/onectl/profile"
	"github.com/onectl/onectl/pkg/onectl/version"
)

// openGatherer makes what preflight looks with. A cluster or a cloud that cannot even be opened is not an error here: its
// parts of the facts say why they are not known.
func openGatherer(s profile.Settings) (cmdutil.Gatherer, error) {
	o := gather.Options{ClusterID: s.ClusterID, Image: addon.Image(version.Get().Version)}
	o.CloudAs = func(key cloud.AccessKey) (gather.Cloud, error) {
		switch {
		case key.IsZero():
			return nil, profile.ErrNoKey
		case s.Region == "":
			return nil, profile.ErrNoRegion
		}
		return openapi.New(openapi.Options{Key: key, Region: s.Region, Endpoint: s.CloudEndpoint, UserAgent: userAgent()})
	}
	o.Cloud, o.CloudErr = o.CloudAs(s.Key)
	if o.CloudErr != nil {
		o.Cloud = nil // not a nil *openapi.Client in an interface
	}
	k, err := kube.Open(kube.Options{Kubeconfig: s.Kubeconfig, From: s.KubeconfigFrom, Context: s.Context, UserAgent: userAgent()})
	if err != nil {
		o.KubeErr = err
		return gather.New(o), nil
	}
	o.Kube, o.Prober = k, gather.NodeProber{Pods: k}
	return gather.New(o), nil
}
