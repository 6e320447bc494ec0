package results

import (
	"errors"
	"fmt"
)

// The kinds of fault of this package; compare with errors.Is.
var (
	// ErrExists marks an output that is there already while nobody asked to
	// resume it: wrong usage.
	ErrExists = errors.New("output exists")
	// ErrMismatch marks an output that another configuration, model, source or
	// selection wrote: wrong usage.
	ErrMismatch = errors.New("output belongs to another run")
	// ErrLocked marks an output that another process is writing.
	ErrLocked = errors.New("output is being written")
	// ErrFormat marks a file that is not a table or certificates of ours, or is damaged.
	ErrFormat = errors.New("malformed results")
	// ErrRow marks a row that contradicts itself, and is never written.
	ErrRow = errors.New("invalid row")
)

// kindError is an error with one line of text that is also of a sentinel kind.
type kindError struct {
	kind error
	err  error
}

func (e *kindError) Error() string   { return e.err.Error() }
func (e *kindError) Unwrap() []error { return []error{e.kind, e.err} }

func kindErrorf(kind error, format string, args ...any) error {
	return &kindError{kind: kind, err: fmt.Errorf(format, args...)}
}
