package preflight

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

const cataloguePreface = `# The checks of ` + "`onectl preflight`" + `

Made from the checks by ` + "`go test ./pkg/onectl/preflight -run Catalogue -update`" + `; edits here are lost.

Preflight reads the cluster in the data centre, the registered cluster and the VPC, judges what it read, and writes nothing.
A check **passes**, **fails**, **warns**, is **unknown** when something it needs could not be read (with the reason; never
counted as good), or does **not apply**. Only checks of severity *error* make preflight fail, with exit code 1, when they
fail or are unknown; the others warn. ` + "`--ignore ID`" + ` shows a check and does not count it, ` + "`--skip ID`" + ` leaves it out.
IDs are stable. ` + "`onectl preflight explain ID`" + ` prints the text below without any network.

Fixes have placeholders here; the report fills them in.
`

// WriteCatalogue writes the catalogue as a page of the documentation (docs/preflight.md), grouped by category.
func WriteCatalogue(w io.Writer, checks []Check) error {
	var b strings.Builder
	b.WriteString(cataloguePreface)
	var categories []string
	byCategory := map[string][]Check{}
	for _, c := range checks {
		if byCategory[c.Category] == nil {
			categories = append(categories, c.Category)
		}
		byCategory[c.Category] = append(byCategory[c.Category], c)
	}
	fmt.Fprintf(&b, "\n%d checks:\n\n| check | severity | what holds when it passes |\n|---|---|---|\n", len(checks))
	for _, category := range categories {
		for _, c := range byCategory[category] {
			fmt.Fprintf(&b, "| [%s](#%s) | %s | %s |\n", c.ID, c.ID, c.Severity, cell(c.Title))
		}
	}
	for _, category := range categories {
		fmt.Fprintf(&b, "\n## %s\n", category)
		for _, c := range byCategory[category] {
			fmt.Fprintf(&b, "\n### %s\n\n**%s.** Severity %s; %s.\n\n%s\n", c.ID, c.Title, c.Severity, c.Where(), strings.TrimSpace(c.Explain))
			if c.Fix != "" {
				fmt.Fprintf(&b, "\nFix: %s\n", fixText(c.Fix))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cell escapes what would end a table's cell.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

// fixText marks a command as code; a sentence stays text.
func fixText(fix string) string {
	if isCommand(fix) {
		return "`" + fix + "`"
	}
	return strings.ToUpper(fix[:1]) + fix[1:] + "."
}

// isCommand reports whether a fix is a command line, not a sentence.
func isCommand(fix string) bool {
	first, _, _ := strings.Cut(fix, " ")
	return slices.Contains([]string{"onectl", "kubectl", "kubeadm", "crictl", "ctr", "aliyun", "calicoctl", "helm", "hybridlab", "ip", "sysctl", "systemctl", "timedatectl", "chronyc", "rm"}, first)
}
