package isolate

import (
	"fmt"
	"io"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/onectl/onectl/pkg/onectl/isolate"
)

// printDiff shows a change as YAML lines, those that go with "-", those that come with "+".
func printDiff(w io.Writer, change isolate.Write) error {
	before, err := lines(change.From)
	if err != nil {
		return err
	}
	after, err := lines(change.To)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "%s\n  %s:\n", change.Object, strings.Join(change.Path, ".")); err != nil {
		return err
	}
	for _, line := range diff(before, after) {
		if _, err := fmt.Fprintf(w, "  %s\n", line); err != nil {
			return err
		}
	}
	return nil
}

func lines(value any) ([]string, error) {
	if value == nil {
		return nil, nil
	}
	text, err := yaml.Marshal(value)
	return strings.Split(strings.TrimRight(string(text), "\n"), "\n"), err
}

// diff keeps a longest common subsequence; affinities are short, so the table is small.
func diff(before, after []string) []string {
	common := make([][]int, len(before)+1)
	for i := range common {
		common[i] = make([]int, len(after)+1)
	}
	for i := len(before) - 1; i >= 0; i-- {
		for j := len(after) - 1; j >= 0; j-- {
			if before[i] == after[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []string
	i, j := 0, 0
	for i < len(before) || j < len(after) {
		switch {
		case i < len(before) && j < len(after) && before[i] == after[j]:
			out = append(out, "  "+before[i])
			i, j = i+1, j+1
		case j == len(after) || (i < len(before) && common[i+1][j] >= common[i][j+1]):
			out = append(out, "- "+before[i])
			i++
		default:
			out = append(out, "+ "+after[j])
			j++
		}
	}
	return out
}
