package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// terminal asks a person. Questions go to stderr, so that stdout stays the command's output.
type terminal struct {
	in    *os.File
	lines *bufio.Reader
	out   io.Writer
}

func newTerminal(in *os.File, out io.Writer) *terminal {
	return &terminal{in: in, lines: bufio.NewReader(in), out: out}
}

// Line asks for a line; an empty answer is otherwise.
func (t *terminal) Line(label, otherwise string) (string, error) {
	if otherwise != "" {
		label += " [" + otherwise + "]"
	}
	fmt.Fprintf(t.out, "%s: ", label)
	line, err := t.lines.ReadString('\n')
	if err != nil && (!errors.Is(err, io.EOF) || line == "") {
		return "", fmt.Errorf("read answer: %w", err)
	}
	if line = strings.TrimSpace(line); line == "" {
		return otherwise, nil
	}
	return line, nil
}

// Secret asks for a text that is not shown.
func (t *terminal) Secret(label string) (string, error) {
	fmt.Fprintf(t.out, "%s: ", label)
	text, err := term.ReadPassword(int(t.in.Fd()))
	fmt.Fprintln(t.out)
	if err != nil {
		return "", fmt.Errorf("read answer: %w", err)
	}
	return string(text), nil
}
