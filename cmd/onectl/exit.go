package main

import (
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/kube"
)

// The exit codes.
const (
	done         = 0
	failed       = 1
	usage        = 2
	unreachable  = 3
	notPermitted = 4
	interrupted  = 130
)

// explain decides how a command's error ends the program: the exit code, and what a person reads: the error, and what to do
// about those kinds of error whose remedy is the same wherever they come from.
func explain(err error, interrupt bool) (code int, text string) {
	if err == nil {
		return done, ""
	}
	code, advice := classify(err)
	if interrupt && code != usage {
		code, advice = interrupted, "interrupted; run the same command again to go on"
	}
	text = "error: " + err.Error()
	if advice != "" {
		text += "\n" + advice
	}
	return code, text
}

func classify(err error) (code int, advice string) {
	var wrongUsage *cmdutil.UsageError
	var silent *kube.UnreachableError
	var failure *cloud.Error
	switch {
	case errors.As(err, &wrongUsage):
		return usage, ""
	case errors.As(err, &silent):
		return unreachable, "is the cluster up, and reachable from here? \"kubectl get nodes\" with the same kubeconfig should work; another one is given with --kubeconfig FILE"
	case apierrors.IsUnauthorized(err):
		return notPermitted, "the API server does not accept the kubeconfig's credentials: renew them, or give another one with --kubeconfig FILE"
	case apierrors.IsForbidden(err):
		return notPermitted, "the kubeconfig's user lacks this right: use one with the role cluster-admin, --kubeconfig FILE or --context NAME"
	case errors.As(err, &failure):
		return classifyCloud(failure)
	}
	return failed, ""
}

func classifyCloud(failure *cloud.Error) (code int, advice string) {
	switch failure.Kind {
	case cloud.BadKey:
		return notPermitted, "the cloud does not accept the AccessKey: save another one with \"onectl configure\", or correct ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET"
	case cloud.Forbidden:
		return notPermitted, "the AccessKey's RAM user lacks this right: onectl needs AliyunCSFullAccess, AliyunRAMFullAccess and AliyunVPCReadOnlyAccess"
	case cloud.Throttled:
		return failed, "the cloud asks for fewer calls: wait a minute, then run the same command again"
	case cloud.Unavailable:
		if failure.Code == "" {
			return unreachable, "can this machine reach the cloud? check the network, --region and --cloud-endpoint"
		}
		return failed, "the cloud had a failure: run the same command again"
	}
	return failed, ""
}
