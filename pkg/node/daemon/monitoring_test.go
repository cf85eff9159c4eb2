package daemon

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"sigs.k8s.io/yaml"

	"github.com/onectl/onectl/pkg/node/cause"
)

const monitoring = "../../../manifests/monitoring/"

// alert is one rule of the PrometheusRule.
type alert struct {
	Alert, Expr, For    string
	Labels, Annotations map[string]string
}

func alerts(t *testing.T) []alert {
	t.Helper()
	text, err := os.ReadFile(monitoring + "alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var object struct {
		Kind string
		Spec struct{ Groups []struct{ Rules []alert } }
	}
	if err := yaml.Unmarshal(text, &object); err != nil || object.Kind != "PrometheusRule" || len(object.Spec.Groups) != 1 {
		t.Fatalf("%v: %+v", err, object)
	}
	return object.Spec.Groups[0].Rules
}

// panels is the expressions of the dashboard, by the title of their panel.
func panels(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(monitoring + "grafana/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			found[p.Title] = append(found[p.Title], target.Expr)
		}
	}
	return found
}

func TestAlertsAreAboutMetricsThatExist(t *testing.T) {
	book := bookOf(everyMetric(t))
	all := alerts(t)
	if len(all) < 8 {
		t.Fatalf("%d alerts", len(all))
	}
	for _, a := range all {
		for _, problem := range book.judge(a.Expr) {
			t.Errorf("%s: %s: %s", a.Alert, a.Expr, problem)
		}
		severity := cause.Severity(a.Labels["severity"])
		if a.For == "" || severity != cause.Warning && severity != cause.Critical {
			t.Errorf("%s: for %q, severity %q", a.Alert, a.For, severity)
		}
		_, next, found := strings.Cut(a.Annotations["description"], "Next, ")
		if a.Annotations["summary"] == "" || !found || !strings.Contains(next, "kubectl ") {
			t.Errorf("%s: it needs a summary, and a description with what to type next", a.Alert)
		}
		if !isPage(t, a.Annotations["runbook_url"]) {
			t.Errorf("%s: no such page or heading: %s", a.Alert, a.Annotations["runbook_url"])
		}
		for _, label := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(a.Annotations["summary"]+a.Annotations["description"], -1) {
			if !strings.Contains(a.Expr, label[1]) && !strings.HasPrefix(a.Expr, "up{") {
				t.Errorf("%s: the text has label %s, the expression loses it", a.Alert, label[1])
			}
		}
	}
}

func TestTheDashboardIsAboutMetricsThatExist(t *testing.T) {
	families := everyMetric(t)
	book := bookOf(families)
	var all []string
	for title, expressions := range panels(t) {
		for _, expr := range expressions {
			all = append(all, expr)
			for _, problem := range book.judge(expr) {
				t.Errorf("panel %s: %s: %s", title, expr, problem)
			}
		}
	}
	for _, f := range families {
		if !strings.Contains(strings.Join(all, "\n"), f.GetName()) {
			t.Errorf("no panel shows %s", f.GetName())
		}
	}
}

// TestTheJudgeFinds what is wrong: a test of the test, which would otherwise pass by finding nothing.
func TestTheJudgeFinds(t *testing.T) {
	book := bookOf(everyMetric(t))
	for expr, want := range map[string]string{
		`terway_eni_count > 0`:                                    "",
		`terway_eni_counts > 0`:                                   "no metric terway_eni_counts",
		`sum by (nod) (terway_eni_count)`:                         "no label nod",
		`terway_cni_seconds > 1`:                                  "terway_cni_seconds is a histogram",
		`rate(terway_cni_seconds_bucket{step="all"}[5m])`:         "",
		`terway_eni_count_bucket`:                                 "no metric terway_eni_count_bucket",
		`terway_refusals_total{verbs="ADD"}`:                      "no label verbs",
		`terway_refusals_total{cause=~"NodeFull|NodeFul"}`:        "no cause NodeFul",
		`rte(terway_refusals_total[5m])`:                          "no function rte",
		`sum(terway_refusals_total`:                               "brackets",
		`histogram_quantile(0.9, sum by (le) (terway_eni_count))`: "no label le",
	} {
		if got := strings.Join(book.judge(expr), "; "); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", expr, got, want)
		}
	}
}

// book is the metrics that exist, with their labels.
type book map[string]struct {
	kind   dto.MetricType
	labels []string
}

// targetLabels are what a scrape adds.
var targetLabels = []string{"node", "instance", "job", "namespace", "pod", "container"}

func bookOf(families []*dto.MetricFamily) book {
	b := book{}
	for _, f := range families {
		entry := b[f.GetName()]
		entry.kind, entry.labels = f.GetType(), append(labelsOf(f), targetLabels...)
		b[f.GetName()] = entry
	}
	for _, name := range []string{"up", "process_resident_memory_bytes"} {
		entry := b[name]
		entry.labels = targetLabels
		b[name] = entry
	}
	return b
}

var (
	functions = []string{"rate", "increase", "sum", "max", "min", "histogram_quantile"}
	keywords  = []string{"by", "bool", "and", "or", "unless"}
	token     = regexp.MustCompile(`"[^"]*"|\[[^\]]*\]|[a-zA-Z_][a-zA-Z0-9_]*|[(){},]|[=!<>~]+`)
	matcher   = regexp.MustCompile(`(\w+)(=~|!~|!=|=)"([^"]*)"`)
)

// judge says what an expression names that is not there. It is no parser of PromQL: it knows the forms that are used here.
func (b book) judge(expr string) (problems []string) {
	if strings.Count(expr, "(") != strings.Count(expr, ")") || strings.Count(expr, "{") != strings.Count(expr, "}") {
		problems = append(problems, "brackets do not fit")
	}
	var labels, metrics []string
	tokens := token.FindAllString(expr, -1)
	for i, in := 0, ""; i < len(tokens); i++ {
		next := ""
		if i+1 < len(tokens) {
			next = tokens[i+1]
		}
		switch word := tokens[i]; {
		case word == "by":
			in = "by"
		case word == "{":
			in = "{"
		case word == ")" || word == "}":
			in = ""
		case !regexp.MustCompile(`^[a-zA-Z_]`).MatchString(word) || slices.Contains(keywords, word):
		case in != "":
			labels = append(labels, word)
		case next == "(" || next == "by":
			if !slices.Contains(functions, word) {
				problems = append(problems, "no function "+word)
			}
		default:
			metrics = append(metrics, word)
		}
	}
	problems = append(problems, b.missing(metrics, labels)...)
	for _, m := range matcher.FindAllStringSubmatch(expr, -1) {
		for _, code := range strings.Split(m[3], "|") {
			if _, known := cause.Find(cause.Code(code)); m[1] == "cause" && code != "" && !known {
				problems = append(problems, "no cause "+code)
			}
		}
	}
	return problems
}

func (b book) missing(metrics, labels []string) (problems []string) {
	for _, name := range metrics {
		base, part := name, ""
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			if whole, cut := strings.CutSuffix(name, suffix); cut && b[whole].kind == dto.MetricType_HISTOGRAM {
				base, part = whole, suffix
			}
		}
		entry, known := b[base]
		switch {
		case !known:
			problems = append(problems, "no metric "+name)
			continue
		case entry.kind == dto.MetricType_HISTOGRAM && part == "":
			problems = append(problems, name+" is a histogram: take _bucket, _sum or _count")
		}
		for _, label := range labels {
			if !slices.Contains(entry.labels, label) && (label != "le" || part != "_bucket") {
				problems = append(problems, "no label "+label+" of "+name)
			}
		}
	}
	return problems
}

// isPage reports whether a link leads to a heading of our documentation.
func isPage(t *testing.T, url string) bool {
	t.Helper()
	page, found := strings.CutPrefix(url, "https://github.com/onectl/onectl/blob/main/docs/")
	name, heading, _ := strings.Cut(page, "#")
	text, err := os.ReadFile("../../../docs/" + name)
	if !found || err != nil {
		return false
	}
	for _, line := range strings.Split(string(text), "\n") {
		title := strings.ToLower(strings.ReplaceAll(strings.TrimLeft(line, "# "), " ", "-"))
		if heading == "" || strings.HasPrefix(line, "#") && title == heading {
			return true
		}
	}
	return false
}
