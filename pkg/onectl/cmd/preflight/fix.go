package preflight

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/onectl/onectl/pkg/onectl/preflight"
)

// fix shows the report's safe fixes, asks, and runs them. It reports whether it ran any. The first that fails ends it.
func (o *Options) fix(ctx context.Context, report preflight.Report) (bool, error) {
	f := o.factory
	fixes := report.SafeFixes()
	if len(fixes) == 0 {
		f.Note("there is no safe fix to run; the report says what else to do")
		return false, nil
	}
	f.Note("safe fixes, each can be undone:")
	for _, fix := range fixes {
		f.Note("  %s", fix)
	}
	if !o.Yes {
		answer, err := f.Prompt.Line("Run them? (yes/no)", "no")
		if err != nil {
			return false, err
		}
		if answer != "yes" && answer != "y" {
			f.Note("nothing was changed")
			return false, nil
		}
	}
	for _, fix := range fixes {
		args, err := arguments(fix)
		if err != nil {
			return true, fmt.Errorf("fix %q: %w; run it yourself", fix, err)
		}
		f.Note("running %s", fix)
		if err := f.Onectl(ctx, args); err != nil {
			return true, fmt.Errorf("fix %q: %w", fix, err)
		}
	}
	return true, nil
}

// arguments splits a command line of onectl as a shell would, without the program's name. Anything that a shell would do
// more than quoting is refused: a fix that needs a shell is not one that onectl runs by itself.
func arguments(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote rune
	inWord := false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != '\'' && strings.ContainsRune("$`\\", r), quote == 0 && strings.ContainsRune("|&;<>(){}*?~#\n", r):
			return nil, fmt.Errorf("%q needs a shell", r)
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ' || r == '\t':
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if inWord {
		words = append(words, word.String())
	}
	if quote != 0 {
		return nil, errors.New("a quote is not closed")
	}
	if len(words) < 2 || words[0] != "onectl" {
		return nil, errors.New("it is not a command of onectl")
	}
	return words[1:], nil
}
