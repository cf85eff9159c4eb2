package cmdutil

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// Output is the flag -o of commands that print data: "" for people, "json" for programs.
type Output string

// AddFlag adds -o to a command.
func (o *Output) AddFlag(c *cobra.Command) {
	c.Flags().StringVarP((*string)(o), "output", "o", "", "print for programs: json")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"json"}, cobra.ShellCompDirectiveNoFileComp))
}

// Validate refuses formats that do not exist. It is for RunE: a pointer, so that it looks at what the flag was set to since.
func (o *Output) Validate(c *cobra.Command) error {
	if *o != "" && *o != "json" {
		return Usagef(c, "output format %q is not known: leave -o away, or give json", string(*o))
	}
	return nil
}

// Print writes value as JSON, or what text makes for people.
func (o Output) Print(w io.Writer, value any, text func(io.Writer) error) error {
	if o != "json" {
		return text(w)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// Table writes rows in columns, the first row as the head.
func Table(w io.Writer, rows [][]string) error {
	tab := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, row := range rows {
		if _, err := fmt.Fprintln(tab, strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	return tab.Flush()
}

// Warn tells a person on stderr something that does not stop the command.
func (f *Factory) Warn(format string, args ...any) {
	fmt.Fprintf(f.ErrOut, "warning: "+format+"\n", args...)
}

// Note tells a person on stderr something worth knowing.
func (f *Factory) Note(format string, args ...any) { fmt.Fprintf(f.ErrOut, format+"\n", args...) }

// Step tells on stderr what was done, with --verbose.
func (f *Factory) Step(format string, args ...any) {
	if f.Verbose {
		f.Note(format, args...)
	}
}

// Progress is a line on stderr that changes while a person watches. The zero value of Factory.Watched keeps it silent.
type Progress struct {
	factory *Factory
	last    string
}

// NewProgress starts a line; nothing is shown until Show.
func (f *Factory) NewProgress() *Progress { return &Progress{factory: f} }

// Show replaces the line.
func (p *Progress) Show(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !p.factory.Watched || text == p.last {
		return
	}
	fmt.Fprintf(p.factory.ErrOut, "\r%-*s", len(p.last), text)
	p.last = text
}

// End leaves the line as it is and goes to the next.
func (p *Progress) End() {
	if p.last != "" {
		fmt.Fprintln(p.factory.ErrOut)
		p.last = ""
	}
}
