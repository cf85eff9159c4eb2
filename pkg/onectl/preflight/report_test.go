package preflight

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/onectl/onectl/pkg/cloud"
	"github.com/onectl/onectl/pkg/onectl/datacentre"
)

const hostile = `<script>document.title="broken"</script>`

// sample is a report with every outcome, hostile text and a measured matrix.
func sample() Report {
	inCategory := func(c Check, category string) Check {
		c.Category = category
		return c
	}
	r := Run([]Check{
		inCategory(fixed("agent-ready", Error, Pass("the agent is ready", "2 of 2 pods")), "Cluster"),
		inCategory(fixed("bgp-established", Error, Fail("the BGP session of vbr-1 with 10.254.0.2 is Idle", "onectl preflight explain bgp-established", "peer bgp-1: Idle, AS 65001", hostile)), "Routes"),
		inCategory(fixed("pod-cidr-learned", Error, NotKnown("the route table of vpc-1 could not be read: vpc:DescribeRouteEntryList is not allowed")), "Routes"),
		inCategory(fixed("service-cidr", Error, Pass("Services are apart from everything else")), "Routes"),
		inCategory(fixed("cni-kept-off", Error, FailSafe("calico-node would run on cloud nodes", "onectl isolate apply --yes", "DaemonSet kube-system/calico-node: no node affinity")), "Separation"),
		inCategory(fixed("free-addresses", Warning, Warn("vsw-pods-j is nearly full", "make another vSwitch in cn-hangzhou-j", "3 of 252 addresses are free")), "vSwitches"),
		inCategory(fixed("clock-skew", Error, Fail("the clocks are 12 minutes apart", "chronyc makestep", "server 09:12, here 09:00")), "Nodes"),
		inCategory(fixed("overlay-images", Error, NotApplicable("this is not an overlay")), "Nodes"),
	}, drawnFacts(), Options{Ignore: []string{"clock-skew"}})
	r.Matrices = []Matrix{{
		Title: "TCP, measured 2026-03-02", Rows: []string{"pod in data centre", "pod in cloud"}, Cols: []string{"pod in data centre", "pod in cloud", "Service"},
		Cells: [][]Cell{
			{{State: CellOK, Latency: 80 * time.Microsecond}, {State: CellFail, Note: "security group sg-1 drops it"}, {State: CellOK, Latency: 1200 * time.Microsecond}},
			{{State: CellOK, Latency: 3400 * time.Microsecond}, {State: CellOK, Latency: 2 * time.Second}},
		},
	}}
	return r
}

// drawnFacts is the healthy cluster with one node that is not ready and a session that is down.
func drawnFacts() Facts {
	return goodFacts(func(f *Facts) {
		f.Nodes.Value[0].Ready = false
		f.Nodes.Value[1].Name = "node-" + hostile
		f.BGP = Known([]cloud.BGPPeer{{ID: "bgp-1", VBR: f.VBRs.Value[0].ID, PeerIP: addr("10.254.0.2"), PeerASN: 65001, BGPStatus: "Idle"}})
	})
}

func printed(t *testing.T, r Report, format string) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Print(&b, format); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestReportsLookLikeTheirGoldenFiles(t *testing.T) {
	for _, format := range Formats() {
		t.Run(format, func(t *testing.T) {
			golden(t, "testdata/report."+format, []byte(printed(t, sample(), format)))
		})
	}
}

func TestAFormatThatIsNotKnownIsAnError(t *testing.T) {
	t.Parallel()
	if err := sample().Print(&bytes.Buffer{}, "pdf"); err == nil || !strings.Contains(err.Error(), "junit") {
		t.Errorf("%v does not name the formats", err)
	}
}

func TestProblemsComeFirst(t *testing.T) {
	t.Parallel()
	var order []string
	for _, c := range sample().Categories() {
		for _, r := range c.Results {
			order = append(order, r.Check)
		}
	}
	want := []string{"bgp-established", "pod-cidr-learned", "service-cidr", "cni-kept-off", "free-addresses", "clock-skew", "overlay-images", "agent-ready"}
	if diff := cmp.Diff(want, order); diff != "" {
		t.Error(diff)
	}
}

func TestShortIsALineAProblem(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(printed(t, sample(), "short")), "\n")
	if len(lines) != 6 || !strings.HasPrefix(lines[0], "FAIL bgp-established: ") || !strings.HasPrefix(lines[5], "FAILED: 8 checks, ") {
		t.Errorf("%q", lines)
	}
}

func TestTheTableCutsLongEvidence(t *testing.T) {
	t.Parallel()
	evidence := make([]string, 20)
	for i := range evidence {
		evidence[i] = "one more thing"
	}
	text := printed(t, Run([]Check{fixed("a", Error, Fail("bad", "fix", evidence...))}, Facts{}, Options{}), "table")
	if strings.Count(text, "one more thing") != evidenceShown || !strings.Contains(text, "and 12 more") {
		t.Error(text)
	}
}

func TestJSONAndYAMLSayTheSame(t *testing.T) {
	t.Parallel()
	var fromJSON, fromYAML Report
	if err := json.Unmarshal([]byte(printed(t, sample(), "json")), &fromJSON); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(printed(t, sample(), "yaml")), &fromYAML); err != nil {
		t.Fatal(err)
	}
	want := sample()
	want.Networks.Nodes = nil // drawn, not written
	if diff := cmp.Diff(want, fromJSON); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(fromJSON, fromYAML); diff != "" {
		t.Error(diff)
	}
}

func TestJUnitCountsWhatBlocks(t *testing.T) {
	t.Parallel()
	var suites junitSuites
	if err := xml.Unmarshal([]byte(printed(t, sample(), "junit")), &suites); err != nil {
		t.Fatal(err)
	}
	var tests, failures, errors, skipped int
	for _, s := range suites.Suites {
		tests, failures, errors, skipped = tests+s.Tests, failures+s.Failures, errors+s.Errors, skipped+s.Skipped
	}
	if diff := cmp.Diff([]int{8, 2, 1, 2}, []int{tests, failures, errors, skipped}); diff != "" {
		t.Error(diff)
	}
}

func TestHTMLNeedsNothingElse(t *testing.T) {
	t.Parallel()
	page := printed(t, sample(), "html")
	for _, bad := range []string{"http:", "https:", "src=", "href=", "url(", "@import", "<link", "<script", "<iframe", "javascript:", "ZgotmplZ"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	if !regexp.MustCompile(`<svg [^>]*viewBox="0 0 1000 \d+"`).MatchString(page) {
		t.Error("the page has no drawing")
	}
}

func TestADrawingKeepsInsideItsFrame(t *testing.T) {
	t.Parallel()
	many := drawnFacts()
	for range 40 {
		many.Nodes.Value = append(many.Nodes.Value, many.Nodes.Value[0], many.Nodes.Value[3])
		many.VBRs.Value = append(many.VBRs.Value, many.VBRs.Value[0])
	}
	many.CNIs = Unknown[[]datacentre.CNI]("%s", strings.Repeat("a long reason why nothing could be read ", 20))
	for name, facts := range map[string]Facts{"nothing": {}, "healthy": goodFacts(), "broken": drawnFacts(), "many": many} {
		d := draw(networksOf(facts))
		for _, b := range d.Boxes {
			if b.X < 0 || b.Y < 0 || b.X+b.W > d.Width || b.Y+b.H > d.Height {
				t.Errorf("%s: box %+v is outside %d×%d", name, b, d.Width, d.Height)
			}
		}
		for _, line := range d.Texts {
			if line.X < 0 || line.Y > d.Height || line.X > d.Width {
				t.Errorf("%s: text %+v is outside %d×%d", name, line, d.Width, d.Height)
			}
		}
	}
}

func TestALineIsAsGoodAsItsSessions(t *testing.T) {
	t.Parallel()
	const vbr = "vbr-1"
	peers := func(states ...string) Part[[]cloud.BGPPeer] {
		list := []cloud.BGPPeer{{VBR: "another", BGPStatus: "Idle"}}
		for _, state := range states {
			list = append(list, cloud.BGPPeer{VBR: vbr, PeerIP: addr("10.254.0.2"), PeerASN: 65001, BGPStatus: state})
		}
		return Known(list)
	}
	tests := map[string]struct {
		status string
		bgp    Part[[]cloud.BGPPeer]
		want   State
	}{
		"all sessions up":             {status: "active", bgp: peers("Established", "Established"), want: StateOK},
		"no session, static routes":   {status: "active", bgp: peers(), want: StateOK},
		"one of two up":               {status: "active", bgp: peers("Idle", "Established"), want: StateWarn},
		"none up":                     {status: "active", bgp: peers("Idle", "Connect"), want: StateFail},
		"router not active":           {status: "recovering", bgp: peers("Established"), want: StateFail},
		"sessions could not be read":  {status: "active", bgp: Unknown[[]cloud.BGPPeer]("no right"), want: StateUnknown},
		"neither active nor readable": {status: "recovering", bgp: Unknown[[]cloud.BGPPeer]("no right"), want: StateFail},
	}
	for name, test := range tests {
		links, why := linksOf(Facts{VBRs: Known([]cloud.VBR{{ID: vbr, Status: test.status}}), BGP: test.bgp})
		if len(links) != 1 || links[0].State != test.want || why != "" {
			t.Errorf("%s: %+v %q, want %s", name, links, why, test.want)
		}
	}
	for _, facts := range []Facts{{VBRs: Known([]cloud.VBR{})}, {VBRs: Unknown[[]cloud.VBR]("no right")}} {
		if links, why := linksOf(facts); len(links) != 0 || why == "" {
			t.Errorf("%+v %q, want the reason that there is no line", links, why)
		}
	}
}
