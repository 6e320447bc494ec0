package certificate

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits of what is read: generous for every certificate that this package
// writes, small enough that no line exhausts memory.
const (
	// MaxLine is the largest certificate in bytes.
	MaxLine = 16 << 20
	// MaxDim is the largest number of coordinates of an input (a 512×512 RGB
	// image has 786,432).
	MaxDim = 1 << 24
	// MostInline is the largest field that is written inside a certificate. A larger one is written
	// once, as a file named by its hash: a field of 3,072 values would make every line 115 kB.
	MostInline = 256
	// MaxInline is the largest field that is read inside a certificate.
	MaxInline = 4096
	maxDepth  = 16
)

// member is one name and value of an object, in source order.
type member struct {
	name  string
	value any
}

// object keeps members in source order; arrays are []any, numbers float64.
type object []member

func (o object) get(name string) (any, bool) {
	for _, m := range o {
		if m.name == name {
			return m.value, true
		}
	}
	return nil, false
}

// without returns o less the named members.
func (o object) without(names ...string) object {
	return slices.DeleteFunc(slices.Clone(o), func(m member) bool { return slices.Contains(names, m.name) })
}

// parse reads exactly one JSON value, refusing what makes two readers disagree:
// repeated names, invalid UTF-8, numbers outside float64, deep nesting, and
// anything after the value.
func parse(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := parseValue(dec, 0)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return v, nil
}

// parseObject is parse for a JSON object, such as a certificate.
func parseObject(data []byte) (object, error) {
	v, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	o, ok := v.(object)
	if !ok {
		return nil, errors.New("certificate: not a JSON object")
	}
	return o, nil
}

func parseValue(dec *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t := tok.(type) {
	case json.Delim:
		if t == '{' {
			return parseMembers(dec, depth)
		}
		list := []any{}
		for dec.More() {
			v, err := parseValue(dec, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := dec.Token()
		return list, err
	case json.Number:
		f, err := strconv.ParseFloat(t.String(), 64)
		if err != nil {
			return nil, fmt.Errorf("number %.40s is not a float64", t.String())
		}
		return f, nil
	default:
		return t, nil // string, bool, nil
	}
}

func parseMembers(dec *json.Decoder, depth int) (any, error) {
	o := object{}
	seen := map[string]bool{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, ok := tok.(string)
		if !ok {
			return nil, errors.New("object member without a name")
		}
		if seen[name] {
			return nil, fmt.Errorf("member %.60q occurs twice", name)
		}
		seen[name] = true
		v, err := parseValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		o = append(o, member{name, v})
	}
	_, err := dec.Token()
	return o, err
}

// appendCanonical writes v in the form of RFC 8785 (JSON Canonicalization
// Scheme): members sorted by UTF-16 code units, ECMAScript numbers, minimal
// escapes, no white space.
func appendCanonical(dst []byte, v any) []byte {
	switch t := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, t)
	case float64:
		return appendNumber(dst, t)
	case string:
		return appendString(dst, t)
	case []any:
		dst = append(dst, '[')
		for i, e := range t {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendCanonical(dst, e)
		}
		return append(dst, ']')
	case object:
		sorted := slices.Clone(t)
		slices.SortFunc(sorted, func(a, b member) int { return compareUTF16(a.name, b.name) })
		dst = append(dst, '{')
		for i, m := range sorted {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendCanonical(append(appendString(dst, m.name), ':'), m.value)
		}
		return append(dst, '}')
	}
	panic(fmt.Sprintf("certificate: %T in a parsed JSON value", v)) // parse makes no other type
}

func compareUTF16(a, b string) int {
	return slices.CompareFunc(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)), cmp.Compare[uint16])
}

// appendString writes a JSON string with the escapes of RFC 8785 §3.2.2.2.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			if c < 0x20 {
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			} else {
				dst = append(dst, c)
			}
		}
	}
	return append(dst, '"')
}
