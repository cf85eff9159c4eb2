package preflight

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// chromium runs a headless Chromium on a file and returns what it writes to standard output.
func chromium(t *testing.T, file string, flags ...string) string {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("there is no chromium: install Debian's package chromium")
	}
	flags = append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--user-data-dir=" + t.TempDir(),
	}, flags...)
	c := exec.CommandContext(t.Context(), program, append(flags, "file://"+file)...)
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("chromium: %v\n%s", err, stderr.String())
	}
	return string(out)
}

func TestABrowserShowsTheReport(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(file, []byte(printed(t, sample(), "html")), 0o644); err != nil {
		t.Fatal(err)
	}
	dom := chromium(t, file, "--dump-dom")
	for _, want := range []string{
		"FAILED", "scenario bgp", "What to change", "The two networks", "Who reaches whom", "Findings",
		"the BGP session of vbr-1 with 10.254.0.2 is Idle", "onectl isolate apply --yes", "security group sg-1 drops it", "3.4 ms",
		"calico (bgp)", "BGP session Idle", "AS 65001", "not ready: ", "addresses free", "&lt;script&gt;",
	} {
		if !strings.Contains(dom, want) {
			t.Errorf("the page does not show %q", want)
		}
	}
	if strings.Contains(dom, "<script") || strings.Contains(dom, "<title>broken") {
		t.Error("text of the cluster became a script")
	}
	shot := filepath.Join(t.TempDir(), "report.png")
	chromium(t, file, "--window-size=1100,1900", "--screenshot="+shot)
	looksDrawn(t, shot)
}

// looksDrawn fails when the picture is blank, or lacks the colours of what failed and what passed.
func looksDrawn(t *testing.T, path string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	picture, err := png.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	bounds := picture.Bounds()
	if bounds.Dx() < 1000 || bounds.Dy() < 1500 {
		t.Errorf("the picture is %v", bounds)
	}
	seen := colours(picture)
	if len(seen) < 100 {
		t.Errorf("the picture has %d colours: it is blank, or has no text", len(seen))
	}
	for name, want := range map[string]color.RGBA{"failed": {0xc2, 0x27, 0x2d, 0xff}, "passed": {0x1a, 0x7f, 0x4b, 0xff}, "unknown": {0x6a, 0x4f, 0xb3, 0xff}} {
		if seen[want] < 50 {
			t.Errorf("%d pixels have the colour of what %s, want more", seen[want], name)
		}
	}
}

func colours(picture image.Image) map[color.RGBA]int {
	seen := map[color.RGBA]int{}
	bounds := picture.Bounds()
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			seen[color.RGBAModel.Convert(picture.At(x, y)).(color.RGBA)]++
		}
	}
	return seen
}
