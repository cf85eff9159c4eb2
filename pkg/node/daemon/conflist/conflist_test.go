package conflist

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containernetworking/cni/libcni"
	"github.com/google/go-cmp/cmp"
)

func TestRender(t *testing.T) {
	tests := []struct {
		name, conf string
		options    Options
		want       string
	}{
		{"the page's example", `{"cniVersion":"0.3.0","name":"terway","type":"terway"}`, Options{Socket: "/var/run/eni/terway.sock"}, `{
  "cniVersion": "0.3.0",
  "name": "terway",
  "plugins": [
    {
      "capabilities": {
        "bandwidth": true
      },
      "type": "terway"
    }
  ]
}
`},
		{"other keys, socket and portmap", `{"cniVersion":"1.1.0","name":"n","type":"terway","mtu":1400,"capabilities":{"bandwidth":true}}`,
			Options{Socket: "/run/t.sock", PortMap: true}, `{
  "cniVersion": "1.1.0",
  "name": "n",
  "plugins": [
    {
      "capabilities": {
        "bandwidth": true
      },
      "mtu": 1400,
      "socket": "/run/t.sock",
      "type": "terway"
    },
    {
      "capabilities": {
        "portMappings": true
      },
      "type": "portmap"
    }
  ]
}
`},
		{"bandwidth turned off", `{"cniVersion":"1.0.0","name":"n","capabilities":{"bandwidth":false,"dns":true}}`, Options{}, `{
  "cniVersion": "1.0.0",
  "name": "n",
  "plugins": [
    {
      "capabilities": {
        "bandwidth": false,
        "dns": true
      },
      "type": "terway"
    }
  ]
}
`},
		{"nothing but braces", `{}`, Options{}, `{
  "cniVersion": "0.4.0",
  "name": "terway",
  "plugins": [
    {
      "capabilities": {
        "bandwidth": true
      },
      "type": "terway"
    }
  ]
}
`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Render([]byte(test.conf), test.options)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Error(diff)
			}
			list, err := libcni.ConfListFromBytes(got)
			if err != nil || list.Plugins[0].Network.Type != "terway" {
				t.Errorf("the runtime's reader: %+v, %v", list, err)
			}
		})
	}
	for _, broken := range []string{`{`, `{"capabilities":[]}`} {
		if _, err := Render([]byte(broken), Options{}); err == nil || !strings.Contains(err.Error(), "10-terway.conf") {
			t.Errorf("%s: %v", broken, err)
		}
	}
}

func TestInstallReplacesOursAndNamesWhatGoesBeforeIt(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"10-terway.conf", "10-terway.conflist", "05-cilium.conflist", "10-calico.conflist", "00-readme.txt", "99-loopback.conf"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before, err := Install(dir, []byte("new"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"05-cilium.conflist", "10-calico.conflist"}, before); diff != "" {
		t.Error(diff)
	}
	if text, _ := os.ReadFile(filepath.Join(dir, FileName)); string(text) != "new" {
		t.Errorf("%s holds %q", FileName, text)
	}
	if _, err := os.Stat(filepath.Join(dir, "10-terway.conf")); err == nil {
		t.Error("10-terway.conf is still there: the runtime would read it in place of the list")
	}
	if _, err := Install(filepath.Join(dir, "absent"), nil); err == nil || !strings.Contains(err.Error(), "mounted") {
		t.Errorf("without the folder: %v", err)
	}
}
