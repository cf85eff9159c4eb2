package wire

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/fakecloud"
)

const (
	tokenHeader    = "X-aliyun-ecs-metadata-token"
	tokenTTLHeader = "X-aliyun-ecs-metadata-token-ttl-seconds"
	tokenTTLMost   = 21600
)

// Metadata serves the metadata service of one instance, as it is found at 100.100.100.200 inside. Tokens are accepted and
// checked, not demanded. No role is attached to instances.
func Metadata(world *fakecloud.World, instanceID string) http.Handler {
	m := &metadata{world: world, instance: instanceID, key: []byte(rand.Text())}
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /latest/api/token", m.issue)
	mux.HandleFunc("GET /latest/meta-data/{path...}", m.get)
	return mux
}

type metadata struct {
	world    *fakecloud.World
	instance string
	key      []byte // signs tokens
}

// issue answers a token: when it ends, and a signature of that.
func (m *metadata) issue(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.Atoi(r.Header.Get(tokenTTLHeader))
	if err != nil || seconds < 1 || seconds > tokenTTLMost {
		http.Error(w, "ttl must be 1 to 21600 seconds", http.StatusBadRequest)
		return
	}
	end := strconv.FormatInt(m.world.Now().Add(time.Duration(seconds)*time.Second).Unix(), 10)
	fmt.Fprint(w, end+"."+m.sign(end))
}

func (m *metadata) sign(text string) string {
	mac := hmac.New(sha256.New, m.key)
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

func (m *metadata) valid(token string) bool {
	end, signature, _ := strings.Cut(token, ".")
	seconds, err := strconv.ParseInt(end, 10, 64)
	return err == nil && hmac.Equal([]byte(signature), []byte(m.sign(end))) && m.world.Now().Unix() < seconds
}

func (m *metadata) get(w http.ResponseWriter, r *http.Request) {
	if token := r.Header.Get(tokenHeader); token != "" && !m.valid(token) {
		http.Error(w, "the token is not valid", http.StatusUnauthorized)
		return
	}
	facts, err := m.world.Metadata(m.instance)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	leaves := metadataLeaves(facts)
	path := r.PathValue("path")
	text, found := leaves[path]
	if !found {
		text, found = listing(leaves, path)
	}
	if !found {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	fmt.Fprint(w, text)
}

// metadataLeaves is every text below meta-data/, by path.
func metadataLeaves(m fakecloud.Metadata) map[string]string {
	i := m.Instance
	leaves := map[string]string{
		"instance-id": i.ID, "instance/instance-type": i.Type, "instance/instance-name": i.Name, "hostname": i.Name,
		"region-id": i.RegionID, "zone-id": i.ZoneID, "vpc-id": i.VPCID, "vswitch-id": i.VSwitchID,
		"vpc-cidr-block": m.VPC.CIDR.String(), "vswitch-cidr-block": m.VSwitch.CIDR.String(), "private-ipv4": i.PrimaryIP.String(),
	}
	for _, e := range m.ENIs {
		if e.Type == cloud.ENIPrimary {
			leaves["mac"] = e.MAC
		}
		for name, text := range interfaceLeaves(m, e) {
			leaves["network/interfaces/macs/"+e.MAC+"/"+name] = text
		}
	}
	return leaves
}

func interfaceLeaves(m fakecloud.Metadata, e fakecloud.MetadataENI) map[string]string {
	texts := func(addrs []netip.Addr) []string { return each(addrs, netip.Addr.String) }
	mask := net.CIDRMask(e.VSwitch.CIDR.Bits(), 32)
	leaves := map[string]string{
		"network-interface-id": e.ID, "primary-ip-address": e.Primary().String(), "vswitch-id": e.VSwitchID,
		"gateway": e.VSwitch.Gateway().String(), "netmask": net.IP(mask).String(),
		"vswitch-cidr-block": e.VSwitch.CIDR.String(), "vpc-cidr-block": m.VPC.CIDR.String(), "vpc-id": m.VPC.ID,
		"private-ipv4s": `["` + strings.Join(texts(e.IPv4), `","`) + `"]`,
	}
	if len(e.IPv6) > 0 {
		leaves["ipv6s"] = "[" + strings.Join(texts(e.IPv6), ",") + "]" // the service does not quote these
	}
	if e.VSwitch.IPv6CIDR.IsValid() {
		leaves["vswitch-ipv6-cidr-block"] = e.VSwitch.IPv6CIDR.String()
	}
	return leaves
}

// listing is the names directly below a path, one a line, those with something below them with a slash.
func listing(leaves map[string]string, path string) (string, bool) {
	if path != "" && !strings.HasSuffix(path, "/") {
		path += "/"
	}
	names := map[string]bool{}
	for leaf := range leaves {
		rest, below := strings.CutPrefix(leaf, path)
		if !below {
			continue
		}
		name, _, deeper := strings.Cut(rest, "/")
		if deeper {
			name += "/"
		}
		names[name] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(names)), "\n"), len(names) > 0
}
