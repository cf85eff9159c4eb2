package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary be the program.
func TestMain(m *testing.M) {
	if os.Getenv("GOBGP_TEST_RUN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// A node announces to the router, the router tells the border router, that tells the simulator; and the other way. What
// is no longer announced goes everywhere.
func TestRoutesAreLearnedInstalledReportedAndWithdrawn(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("it makes network namespaces, which needs root")
	}
	network := newNetwork(t)
	world := serveWorld(t, "10.0.16.0/24")
	speak(t, network.router, "-asn", "64512", "-router-id", "10.20.0.1", "-listen", "0.0.0.0", "-install",
		"-clients", "10.20.0.0/24=64512", "-clients", "169.254.255.0/30=45104", "-announce", "10.20.0.0/24")
	node := speak(t, network.node, "-asn", "64512", "-router-id", "10.20.0.2", "-peer", "10.20.0.1=64512", "-announce", "10.244.0.0/24", "-install")
	speak(t, network.vbr, "-asn", "45104", "-router-id", "169.254.255.1", "-peer", "169.254.255.2=64512",
		"-control", world.socket, "-session", "bgp-1")

	eventually(t, func() string { return lacks(routes(t, network.router), "10.244.0.0/24 via 10.20.0.2") })
	eventually(t, func() string { return lacks(routes(t, network.router), "10.0.16.0/24 via 169.254.255.1") })
	eventually(t, func() string { return lacks(world.last(), "Established [10.20.0.0/24 10.244.0.0/24]") })
	if own := routes(t, network.vbr); own != "" {
		t.Errorf("the border router installed %s", own)
	}

	if err := node.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string { return lacks(world.last(), "Established [10.20.0.0/24]") })
	eventually(t, func() string {
		if now := routes(t, network.router); strings.Contains(now, "10.244") {
			return "the router still has " + now
		}
		return ""
	})

	world.announce("10.0.32.0/24")
	eventually(t, func() string { return lacks(routes(t, network.router), "10.0.32.0/24") })
	eventually(t, func() string {
		if now := routes(t, network.router); strings.Contains(now, "10.0.16.0") {
			return "still there: " + now
		}
		return ""
	})
}

// lacks is the problem when text has no part, "" otherwise.
func lacks(text, part string) string {
	if strings.Contains(text, part) {
		return ""
	}
	return fmt.Sprintf("no %q in %q", part, text)
}

func eventually(t *testing.T, condition func() string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		problem := condition()
		if problem == "" {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal(problem)
		}
	}
}

// network is a node, the data centre's router and a border router, each a namespace, in a row.
type network struct{ node, router, vbr string }

func newNetwork(t *testing.T) network {
	t.Helper()
	prefix := fmt.Sprintf("gobgp-%d-", os.Getpid())
	n := network{prefix + "node", prefix + "router", prefix + "vbr"}
	for _, name := range []string{n.node, n.router, n.vbr} {
		ip(t, "netns", "add", name)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", name).Run() })
		ip(t, "-n", name, "link", "set", "lo", "up")
	}
	wire(t, n.router, "lan", "10.20.0.1/24", n.node, "dc0", "10.20.0.2/24")
	wire(t, n.router, "vpc", "169.254.255.2/30", n.vbr, "dc", "169.254.255.1/30")
	return n
}

func wire(t *testing.T, near, nearLink, nearAddress, far, farLink, farAddress string) {
	t.Helper()
	ip(t, "-n", near, "link", "add", nearLink, "type", "veth", "peer", "name", farLink, "netns", far)
	for _, end := range [][3]string{{near, nearLink, nearAddress}, {far, farLink, farAddress}} {
		ip(t, "-n", end[0], "address", "add", end[2], "dev", end[1])
		ip(t, "-n", end[0], "link", "set", end[1], "up")
	}
}

func ip(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func routes(t *testing.T, netns string) string {
	t.Helper()
	return ip(t, "-n", netns, "route", "show", "proto", "bgp")
}

// speak starts a speaker in a namespace; the test's end kills it.
func speak(t *testing.T, netns string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("nsenter", append([]string{"--net=/run/netns/" + netns, os.Args[0]}, args...)...)
	cmd.Env = append(os.Environ(), "GOBGP_TEST_RUN=1")
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", netns, log.String())
		}
	})
	return cmd
}

// world plays the simulator's control side.
type world struct {
	socket    string
	mu        sync.Mutex
	announced []string
	report    string
}

func serveWorld(t *testing.T, announced ...string) *world {
	t.Helper()
	w := &world{socket: filepath.Join(t.TempDir(), "s"), announced: announced}
	listener, err := net.Listen("unix", w.socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: w}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return w
}

func (w *world) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if request.URL.Path == "/network" {
		_ = json.NewEncoder(response).Encode(map[string]any{"Announced": w.announced})
		return
	}
	var r reported
	if err := json.NewDecoder(request.Body).Decode(&r); err != nil || request.URL.Path != reportPath("bgp-1") {
		http.Error(response, fmt.Sprint(request.URL.Path, err), http.StatusBadRequest)
		return
	}
	w.report = fmt.Sprint(r.Status, " ", r.Learned)
	fmt.Fprintln(response, "{}")
}

func (w *world) last() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.report
}

func (w *world) announce(prefixes ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.announced = prefixes
}
