// Package fault marks errors with what they ask of the user. The command turns the marks into exit
// codes; the texts stay as they are. An error without a mark is a failure while running.
package fault

import (
	"errors"
	"fmt"
)

// Kind is what an error asks of the user.
type Kind int

// The kinds of errors.
const (
	// None: the error has no mark.
	None Kind = iota
	// Wrong: a setting or an argument is wrong, or an output exists; correct it.
	Wrong
	// Refused: going on would be unsound or pointless; give another model or other data.
	Refused
	// False: a check found a false, altered or violated certificate.
	False
)

// marked is an error with a mark.
type marked struct {
	kind Kind
	err  error
}

func (m *marked) Error() string { return m.err.Error() }
func (m *marked) Unwrap() error { return m.err }

// Mark gives err a kind; nil stays nil.
func Mark(kind Kind, err error) error {
	if err == nil {
		return nil
	}
	return &marked{kind, err}
}

// Wrongf makes an error of kind [Wrong]; the format is that of fmt.Errorf.
func Wrongf(format string, args ...any) error { return &marked{Wrong, fmt.Errorf(format, args...)} }

// Refusedf makes an error of kind [Refused].
func Refusedf(format string, args ...any) error { return &marked{Refused, fmt.Errorf(format, args...)} }

// Falsef makes an error of kind [False].
func Falsef(format string, args ...any) error { return &marked{False, fmt.Errorf(format, args...)} }

// Is reports whether err, or an error that it wraps, has the kind.
func Is(err error, kind Kind) bool {
	switch e := err.(type) { //nolint:errorlint // every mark of the tree is looked at
	case nil:
		return false
	case *marked:
		return e.kind == kind || Is(e.err, kind)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if Is(inner, kind) {
				return true
			}
		}
		return false
	}
	return Is(errors.Unwrap(err), kind)
}
