// Command onectl makes the cloud nodes of a registered cluster work. It wires the commands of pkg/onectl/cmd to the cloud's
// API and the Kubernetes API, and turns their error into an exit code.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/cloud/openapi"
	"github.com/onectl/onectl/pkg/onectl/cmd"
	"github.com/onectl/onectl/pkg/onectl/cmd/cmdutil"
	"github.com/onectl/onectl/pkg/onectl/kube"
	"github.com/onectl/onectl/pkg/onectl/profile"
	"github.com/onectl/onectl/pkg/onectl/profile/disk"
	"github.com/onectl/onectl/pkg/onectl/version"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() { // a second interrupt ends the program at once
		<-ctx.Done()
		stop()
	}()
	err := cmd.New(factory()).ExecuteContext(ctx)
	code, text := explain(err, ctx.Err() != nil)
	if text != "" {
		fmt.Fprintln(os.Stderr, text)
	}
	return code
}

func factory() *cmdutil.Factory {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "." // only a machine without a home directory; ./.onectl is then as good as any
	}
	file := disk.File{Path: filepath.Join(home, ".onectl", "config.json")}
	f := &cmdutil.Factory{
		IOStreams:    genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr},
		Getenv:       os.Getenv,
		Home:         home,
		Config:       file,
		ConfigAt:     file.Path,
		Watched:      term.IsTerminal(int(os.Stderr.Fd())),
		OpenCloud:    openCloud,
		OpenKube:     openKube,
		OpenGatherer: openGatherer,
	}
	if term.IsTerminal(int(os.Stdin.Fd())) && f.Watched {
		f.Prompt = newTerminal(os.Stdin, os.Stderr)
	}
	return f
}

func userAgent() string { return "onectl/" + version.Get().Version }

func openCloud(key cloud.AccessKey, s profile.Settings) (cmdutil.Cloud, error) {
	return openapi.New(openapi.Options{Key: key, Region: s.Region, Endpoint: s.CloudEndpoint, UserAgent: userAgent()})
}

func openKube(s profile.Settings) (cmdutil.Kube, error) {
	return kube.Open(kube.Options{Kubeconfig: s.Kubeconfig, From: s.KubeconfigFrom, Context: s.Context, UserAgent: userAgent()})
}
