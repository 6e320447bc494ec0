// Package plain shows text of foreign origin as text: names from models, tables,
// certificates and archives, and the errors of libraries that repeat them. Control
// characters, marks that reorder a line, and bytes that are no UTF-8 are written as
// escapes, so that nothing in a file can steer the terminal.
package plain

import (
	"fmt"
	"io"
	"slices"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Line returns s as one line or one cell of a table: all that is not text is escaped, newlines and
// tabs too.
func Line(s string) string {
	if clean(s) {
		return s
	}
	return string(appendText(nil, []byte(s), false))
}

// harmless reports whether r may reach a terminal as it is. Characters of the category
// Cf are not graphic: among them are those that turn the direction of writing.
func harmless(r rune, layout bool) bool {
	if r == '\n' || r == '\t' {
		return layout
	}
	return unicode.IsGraphic(r)
}

func clean(s string) bool {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return false
			}
		}
		if !harmless(r, false) {
			return false
		}
	}
	return true
}

// appendText appends b to dst, escaped. The escapes of characters are those of JSON, so
// that a document of JSON stays one.
func appendText(dst, b []byte, layout bool) []byte {
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && size == 1:
			dst = fmt.Appendf(dst, `\x%02x`, b[0])
		case harmless(r, layout):
			dst = append(dst, b[:size]...)
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			dst = fmt.Appendf(dst, `\u%04x\u%04x`, high, low)
		default:
			dst = fmt.Appendf(dst, `\u%04x`, r)
		}
		b = b[size:]
	}
	return dst
}

// Writer escapes what is written through it, with newlines and tabs left as they are. A character
// may be split between two calls of Write.
type Writer struct {
	w       io.Writer
	pending []byte // the beginning of a character
}

var _ io.Writer = (*Writer)(nil)

// NewWriter returns a Writer to w. Call [Writer.Flush] at the end.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Unwrap returns the writer below, for what steers the terminal on purpose.
func (p *Writer) Unwrap() io.Writer { return p.w }

// Write implements io.Writer.
func (p *Writer) Write(b []byte) (int, error) {
	all := b
	if len(p.pending) > 0 {
		all = slices.Concat(p.pending, b)
		p.pending = nil
	}
	if cut := partial(all); cut > 0 {
		p.pending = append([]byte(nil), all[len(all)-cut:]...)
		all = all[:len(all)-cut]
	}
	if _, err := p.w.Write(appendText(make([]byte, 0, len(all)), all, true)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Flush writes what is left: the beginning of a character that never ended.
func (p *Writer) Flush() error {
	if len(p.pending) == 0 {
		return nil
	}
	_, err := p.w.Write(appendText(nil, p.pending, true))
	p.pending = nil
	return err
}

// partial is the number of bytes at the end of b that begin a character and do not end it.
func partial(b []byte) int {
	for n := 1; n <= min(len(b), utf8.UTFMax-1); n++ {
		if c := b[len(b)-n]; utf8.RuneStart(c) {
			if utf8.FullRune(b[len(b)-n:]) {
				return 0
			}
			return n
		}
	}
	return 0
}
