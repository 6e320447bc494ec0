package certificate

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// Float is a float64 as certificates write it: the shortest JSON number that
// reads back to the same float64, and infinities as the strings "Infinity" and
// "-Infinity". NaN is an error.
type Float float64

// MarshalJSON implements json.Marshaler.
func (f Float) MarshalJSON() ([]byte, error) {
	v := float64(f)
	switch {
	case math.IsNaN(v):
		return nil, fmt.Errorf("certificate: NaN cannot be written")
	case math.IsInf(v, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(v, -1):
		return []byte(`"-Infinity"`), nil
	}
	return appendNumber(nil, v), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *Float) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case `"Infinity"`:
		*f = Float(math.Inf(1))
		return nil
	case `"-Infinity"`:
		*f = Float(math.Inf(-1))
		return nil
	}
	if len(b) == 0 || b[0] == '"' || b[0] == 'n' {
		return fmt.Errorf("certificate: %.40s is not a number", b)
	}
	v, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return fmt.Errorf("certificate: number %.40s is not a float64", b)
	}
	*f = Float(v)
	return nil
}

// maxExact is the largest integer up to which every one is a float64.
const maxExact = 1 << 53

// Seed is a noise seed: a JSON number up to 2⁵³, a decimal string above, since
// most readers take JSON numbers for float64.
type Seed uint64

// MarshalJSON implements json.Marshaler.
func (s Seed) MarshalJSON() ([]byte, error) {
	if s > maxExact {
		return strconv.AppendQuote(nil, strconv.FormatUint(uint64(s), 10)), nil
	}
	return strconv.AppendUint(nil, uint64(s), 10), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *Seed) UnmarshalJSON(b []byte) error {
	text := string(b)
	if len(b) > 0 && b[0] == '"' {
		if err := json.Unmarshal(b, &text); err != nil {
			return err
		}
	}
	v, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return fmt.Errorf("certificate: seed %.40s is not an unsigned 64-bit integer", b)
	}
	*s = Seed(v)
	return nil
}

// appendNumber writes a finite float64 as ECMAScript's Number::toString does,
// which is the number format of RFC 8785.
func appendNumber(dst []byte, v float64) []byte {
	if v == 0 {
		return append(dst, '0') // also for −0
	}
	if abs := math.Abs(v); abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(dst, v, 'f', -1, 64)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, v, 'e', -1, 64)
	// Go pads exponents to two digits, ECMAScript does not.
	n := len(dst)
	if n-start > 3 && dst[n-2] == '0' && (dst[n-3] == '-' || dst[n-3] == '+') {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}
