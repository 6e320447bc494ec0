package main

import (
	"io"

	"ucan/internal/plain"
	"ucan/internal/progress"
)

// progressWriter is where progress is shown: nowhere when the user asked for quiet. A bar steers
// the terminal, so it writes below the writer that escapes; it escapes messages itself.
func (a *app) progressWriter() io.Writer {
	if a.global.quiet {
		return io.Discard
	}
	if w, ok := a.stderr.(*plain.Writer); ok {
		return w.Unwrap()
	}
	return a.stderr
}

// progressOptions describes a run over total inputs of which done were finished earlier.
func (a *app) progressOptions(total, done int) progress.Options {
	o := progress.DefaultOptions(a.progressWriter(), int64(total), "inputs")
	o.Done = int64(done)
	return o
}

// installProgress shows the lines of an installation of onnxruntime.
func (a *app) installProgress() func(string) {
	return func(line string) { a.note("ucan: %s", line) }
}
