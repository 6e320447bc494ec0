package dataset

import (
	"errors"
	"fmt"
)

// The kinds of fault that [Open] reports; compare with errors.Is.
var (
	// ErrSpec marks a source specification or option that is wrong in itself:
	// an unknown kind, an unknown key, a missing path, a number out of range.
	ErrSpec = errors.New("invalid data source")
	// ErrFormat marks a file that is not what the specification says, or is
	// damaged: wrong magic number, truncated, an impossible header.
	ErrFormat = errors.New("malformed data")
)

// ItemError says that one input of a source cannot be used, while the others can.
type ItemError struct {
	// Source is the name of the source, as in [Info].
	Source string
	// Index is the input's index in the whole source.
	Index int
	// Err is the cause.
	Err error
}

// Error implements error in one line.
func (e *ItemError) Error() string {
	return fmt.Sprintf("input %d of %s: %v", e.Index, e.Source, e.Err)
}

// Unwrap returns the cause.
func (e *ItemError) Unwrap() error { return e.Err }

// kindError is an error with one line of text that is also of a sentinel kind.
type kindError struct {
	kind error
	err  error
}

func (e *kindError) Error() string   { return e.err.Error() }
func (e *kindError) Unwrap() []error { return []error{e.kind, e.err} }

func specErrorf(format string, args ...any) error {
	return &kindError{kind: ErrSpec, err: fmt.Errorf(format, args...)}
}

func formatErrorf(format string, args ...any) error {
	return &kindError{kind: ErrFormat, err: fmt.Errorf(format, args...)}
}
