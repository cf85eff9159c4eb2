package conflist

import (
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
		{"nothing but braces", `{}`, Options{}, `{
  "cniVersion": "0.4.0",
  "name": "terway",
  "plugins": [
    {
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
	if _, err := Render([]byte(`{`), Options{}); err == nil || !strings.Contains(err.Error(), "10-terway.conf") {
		t.Errorf("broken text: %v", err)
	}
}
