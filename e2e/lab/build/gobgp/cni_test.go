package main

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

func TestWriteCNIReplacesTheNodesConfiguration(t *testing.T) {
	folder := t.TempDir()
	for _, subnet := range []string{"10.244.1.0/24", "10.244.2.0/24"} {
		if err := writeCNI(folder, []netip.Prefix{netip.MustParsePrefix(subnet)}); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(folder, "10-calico.conflist"))
		if err != nil {
			t.Fatal(err)
		}
		var conf struct {
			Name    string
			Plugins []struct {
				Type string
				IPAM struct{ Ranges [][]struct{ Subnet string } }
			}
		}
		if err := json.Unmarshal(text, &conf); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if conf.Name == "" || len(conf.Plugins) != 2 || conf.Plugins[0].IPAM.Ranges[0][0].Subnet != subnet {
			t.Errorf("configuration for %s is %s", subnet, text)
		}
	}
	if files, _ := os.ReadDir(folder); len(files) != 1 {
		t.Errorf("files in the folder: %v", files)
	}
}
