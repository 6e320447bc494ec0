package certificate

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Field is a field of values, one a coordinate: a JSON array up to MostInline
// values, {"sha256": …, "file": …} above.
type Field struct {
	// SHA256 is the hex SHA-256 of the values as float32, little-endian.
	SHA256 string
	// File is SHA256 + ".npy" for a field outside the certificate, "" for one
	// inside it.
	File string
	// Values are the values; nil when they lie in File and were not read.
	Values []float32
}

// Loader gives the values of fields that lie outside a certificate.
type Loader interface {
	// Load returns the values of f, a field of dim values, after checking them
	// against its hash.
	Load(f *Field, dim int) ([]float32, error)
}

// NewField returns the field of the given values, which it keeps; nil for nil.
func NewField(values []float32) *Field {
	if values == nil {
		return nil
	}
	f := &Field{SHA256: hashValues(values), Values: values}
	if len(values) > MostInline {
		f.File = f.SHA256 + fileSuffix
	}
	return f
}

// Digest is the hash of the field, "" for no field.
func (f *Field) Digest() string {
	if f == nil {
		return ""
	}
	return f.SHA256
}

// Fields lists the fields of the certificate that are too large to lie inside it, those of a file.
// Several may be one field.
func (c *Certificate) Fields() []*Field {
	all := []*Field{c.Noise.SigmaField, c.Noise.MuField}
	if l := c.Noise.NPG.lipschitz(); l != nil {
		all = append(all, l.Field)
	}
	for _, r := range c.Regions {
		all = append(all, r.SigmaField)
	}
	return slices.DeleteFunc(all, func(f *Field) bool { return f == nil || f.File == "" })
}

const fileSuffix = ".npy"

func hashValues(values []float32) string {
	h := sha256.New()
	var buf [4096]byte
	for len(values) > 0 {
		n := min(len(values), len(buf)/4)
		for i, v := range values[:n] {
			binary.LittleEndian.PutUint32(buf[4*i:], math.Float32bits(v))
		}
		h.Write(buf[:4*n]) // a hash never returns an error
		values = values[n:]
	}
	return hex.EncodeToString(h.Sum(nil))
}

// reference is the JSON form of a field in a file.
type reference struct {
	SHA256 string `json:"sha256"`
	File   string `json:"file"`
}

// MarshalJSON implements json.Marshaler.
func (f *Field) MarshalJSON() ([]byte, error) {
	if f.File != "" {
		return json.Marshal(reference{f.SHA256, f.File})
	}
	dst := append(make([]byte, 0, 20*len(f.Values)+2), '[')
	for i, v := range f.Values {
		if i > 0 {
			dst = append(dst, ',')
		}
		x := float64(v)
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, fmt.Errorf("certificate: field value %d is %v", i, v)
		}
		dst = appendNumber(dst, x)
	}
	return append(dst, ']'), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *Field) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		var r reference
		if err := json.Unmarshal(b, &r); err != nil {
			return err
		}
		if !isHash(r.SHA256) || r.File != r.SHA256+fileSuffix {
			return errors.New("certificate: a field's file must be named by its hash")
		}
		*f = Field{SHA256: r.SHA256, File: r.File}
		return nil
	}
	var values []float64
	if err := json.Unmarshal(b, &values); err != nil {
		return err
	}
	if len(values) == 0 || len(values) > MaxInline {
		return fmt.Errorf("certificate: a field of %d values; inside a certificate there may be 1 to %d", len(values), MaxInline)
	}
	f.File, f.Values = "", make([]float32, len(values))
	for i, v := range values {
		f.Values[i] = float32(v)
		if float64(f.Values[i]) != v {
			return fmt.Errorf("certificate: field value %v is not a float32", v)
		}
	}
	f.SHA256 = hashValues(f.Values)
	return nil
}

// isHash reports whether s is a SHA-256 in lower-case hexadecimal.
func isHash(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}
