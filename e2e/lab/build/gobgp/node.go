package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// account is where Kubernetes puts a pod's rights.
const account = "/var/run/secrets/kubernetes.io/serviceaccount"

// podCIDRs asks the API server for a node's ranges of pod addresses, with the rights of the pod that this program runs in:
// a client library for one GET would be most of the program.
func podCIDRs(ctx context.Context, node string) ([]netip.Prefix, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var object struct {
		Spec struct {
			PodCIDRs []netip.Prefix `json:"podCIDRs"`
		} `json:"spec"`
	}
	if err := fromAPIServer(ctx, "/api/v1/nodes/"+url.PathEscape(node), &object); err != nil {
		return nil, fmt.Errorf("pod CIDRs of node %s: %w", node, err)
	}
	if len(object.Spec.PodCIDRs) == 0 {
		return nil, fmt.Errorf("pod CIDRs of node %s: it has none yet", node)
	}
	return object.Spec.PodCIDRs, nil
}

func fromAPIServer(ctx context.Context, path string, into any) error {
	token, err := os.ReadFile(filepath.Join(account, "token"))
	if err != nil {
		return err
	}
	authority, err := os.ReadFile(filepath.Join(account, "ca.crt"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	server := net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+server+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the API server answers %s", response.Status)
	}
	return json.NewDecoder(response.Body).Decode(into)
}
