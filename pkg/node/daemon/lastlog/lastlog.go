// Package lastlog keeps the last lines of a log in memory, for a support bundle: the container runtime's copy may be out of
// reach, or rotated away.
package lastlog

import (
	"io"
	"sync"
)

// Writer passes lines on and keeps the last ones. Its methods may be called from any goroutine.
type Writer struct {
	out  io.Writer
	most int

	mu    sync.Mutex // guards the rest
	lines []string   // oldest first
	size  int        // of lines, in bytes
}

// New makes a writer that passes on to out and keeps most bytes. Each Write must be one whole line, as slog's are.
func New(out io.Writer, most int) *Writer { return &Writer{out: out, most: most} }

// Write passes line on, and keeps it.
func (w *Writer) Write(line []byte) (int, error) {
	w.keep(string(line))
	return w.out.Write(line)
}

func (w *Writer) keep(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines, w.size = append(w.lines, line), w.size+len(line)
	drop := 0
	for ; w.size > w.most && drop < len(w.lines); drop++ {
		w.size -= len(w.lines[drop])
		w.lines[drop] = "" // the array stays until append moves on
	}
	w.lines = w.lines[drop:]
}

// Lines is what is kept, oldest first.
func (w *Writer) Lines() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.lines...)
}
