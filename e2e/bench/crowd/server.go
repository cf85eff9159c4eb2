// Package crowd is a large cluster without machines: a real API server and etcd on loopback, filled with nodes and pods
// that no kubelet runs. It is for measuring what reads such a cluster.
package crowd

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/onectl/onectl/e2e/lab/build"
	"github.com/onectl/onectl/e2e/lab/cache"
)

// Server is the API server and its etcd. Close ends them.
type Server struct {
	Kubeconfig string // path

	dir   string
	procs []*exec.Cmd
}

// Start starts both with their files in dir, and returns when the API server is ready. Its only user may do everything.
func Start(ctx context.Context, dir string, progress cache.Progress) (s *Server, err error) {
	etcd, err := build.Etcd(ctx, progress)
	if err != nil {
		return nil, err
	}
	kubernetes, err := build.Kubernetes(ctx, progress)
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	s = &Server{dir: dir, Kubeconfig: filepath.Join(dir, "kubeconfig")}
	if err := s.files(ports[2]); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	clients, peers := url("http", ports[0]), url("http", ports[1])
	if err := s.run(filepath.Join(etcd, "etcd"), "--data-dir="+s.file("etcd"), "--listen-client-urls="+clients, "--advertise-client-urls="+clients,
		"--listen-peer-urls="+peers, "--initial-advertise-peer-urls="+peers, "--initial-cluster=default="+peers, "--unsafe-no-fsync", "--log-level=error"); err != nil {
		return nil, err
	}
	if err := s.run(filepath.Join(kubernetes, "kube-apiserver"), "--etcd-servers="+clients, "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
		fmt.Sprintf("--secure-port=%d", ports[2]), "--cert-dir="+s.file("certs"), "--token-auth-file="+s.file("tokens"), "--authorization-mode=RBAC",
		"--service-account-issuer=https://crowd", "--service-account-key-file="+s.file("key"), "--service-account-signing-key-file="+s.file("key"),
		"--service-cluster-ip-range=10.96.0.0/16", "--disable-admission-plugins=ServiceAccount", "--endpoint-reconciler-type=none", "--v=0"); err != nil {
		return nil, err
	}
	return s, s.ready(ctx)
}

// Client is a client of an API group that speaks protobuf and is not slowed down.
func (s *Server) Client(group schema.GroupVersion) (*rest.RESTClient, error) {
	config, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig)
	if err != nil {
		return nil, err
	}
	config.ContentType, config.QPS = "application/vnd.kubernetes.protobuf", -1
	config.GroupVersion, config.NegotiatedSerializer = &group, scheme.Codecs.WithoutConversion()
	if config.APIPath = "/apis"; group.Group == "" {
		config.APIPath = "/api"
	}
	return rest.RESTClientFor(config)
}

// Close ends both, the API server first, and waits for them.
func (s *Server) Close() error {
	for i := len(s.procs) - 1; i >= 0; i-- {
		_ = s.procs[i].Process.Signal(syscall.SIGTERM)
		timer := time.AfterFunc(10*time.Second, func() { _ = s.procs[i].Process.Kill() })
		_ = s.procs[i].Wait()
		timer.Stop()
	}
	s.procs = nil
	return nil
}

func (s *Server) file(name string) string { return filepath.Join(s.dir, name) }

func (s *Server) run(program string, args ...string) error {
	log, err := os.Create(s.file(filepath.Base(program) + ".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", program, err)
	}
	s.procs = append(s.procs, cmd)
	return nil
}

// files writes what the API server and its user are given: a key for service accounts, a token, a kubeconfig.
func (s *Server) files(port int) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	token := rand.Text()
	kubeconfig := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: crowd\nclusters: [{name: crowd, cluster: {server: %q, insecure-skip-tls-verify: true}}]\nusers: [{name: admin, user: {token: %s}}]\ncontexts: [{name: crowd, context: {cluster: crowd, user: admin}}]\n", url("https", port), token)
	for name, content := range map[string]string{
		"key":        string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
		"tokens":     token + ",admin,admin,system:masters\n",
		"kubeconfig": kubeconfig,
	} {
		if err := os.WriteFile(s.file(name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// ready waits for the API server, two minutes at most.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	client, err := s.Client(corev1.SchemeGroupVersion)
	if err != nil {
		return err
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := client.Get().AbsPath("/readyz").DoRaw(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("API server is not ready: %w\n%s", err, s.logs())
		case <-tick.C:
		}
	}
}

func (s *Server) logs() string {
	var all strings.Builder
	for _, name := range []string{"etcd.log", "kube-apiserver.log"} {
		text, _ := os.ReadFile(s.file(name))
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		fmt.Fprintf(&all, "the end of %s:\n%s\n", name, strings.Join(lines[max(0, len(lines)-10):], "\n"))
	}
	return all.String()
}

func url(scheme string, port int) string { return fmt.Sprintf("%s://127.0.0.1:%d", scheme, port) }

// freePorts are ports that nobody listens on now.
func freePorts(count int) ([]int, error) {
	var ports []int
	for range count {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // all at the end, so that no port comes twice
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
