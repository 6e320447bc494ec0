package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"ucan/runtime/files"
	"ucan/smooth/certificate"
)

// skipped is JSON that is not read.
type skipped struct{}

// UnmarshalJSON implements json.Unmarshaler.
func (skipped) UnmarshalJSON([]byte) error { return nil }

// ParseCertificate reads the row that a certificate's line shows. It does not check the
// certificate itself. Errors match [ErrFormat].
func ParseCertificate(line []byte) (Row, error) {
	none := certificate.Float(math.NaN())
	var c struct {
		certificate.Certificate
		// In place of the certificate's own: no row shows the fields, which take long to read.
		Noise struct {
			Norm string `json:"norm"`
		} `json:"noise"`
		Regions skipped `json:"regions"`
	}
	c.Predict, c.Radii = NoClass, certificate.Radii{L1: none, L2: none, LInf: none}
	c.Input.Index, c.Input.Label = -1, NoClass
	if err := json.Unmarshal(line, &c); err != nil {
		return Row{}, kindErrorf(ErrFormat, "not a certificate: %w", err)
	}
	c.Certificate.Noise.Norm = c.Noise.Norm
	if c.Schema != certificate.Schema {
		return Row{}, kindErrorf(ErrFormat, "schema is %q, want %q", c.Schema, certificate.Schema)
	}
	if c.Input.Index < 0 {
		return Row{}, kindErrorf(ErrFormat, "it has no input.index")
	}
	row := RowOf(&c.Certificate)
	if math.IsNaN(row.Radius) {
		return Row{}, kindErrorf(ErrFormat, "radii lack the norm %q", row.Norm)
	}
	if err := row.Validate(); err != nil {
		return Row{}, &kindError{kind: ErrFormat, err: err}
	}
	return row, nil
}

// readJSONL reads the rows that certificates show, one a line. It does not check
// the certificates themselves. Errors match [ErrFormat] and name the line.
func readJSONL(r io.Reader) (t Table, err error) {
	t.json = true
	err = t.read(r, certificate.MaxLine, func(_ int, line []byte) (Row, bool, error) {
		row, rowErr := ParseCertificate(line)
		return row, true, rowErr
	})
	return t, err
}

// ReadFile reads a table or certificates, told apart by the first byte.
func ReadFile(path string) (t Table, err error) {
	f, err := files.Open(path)
	if err != nil {
		return Table{}, fmt.Errorf("read results: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if t, err = readAny(f); err != nil {
		return Table{}, fmt.Errorf("read results %q: %w", path, err)
	}
	return t, nil
}

func readAny(f *os.File) (Table, error) {
	var first [1]byte
	if n, err := f.ReadAt(first[:], 0); n == 0 {
		if errors.Is(err, io.EOF) {
			return Table{}, kindErrorf(ErrFormat, "it is empty; give a file that ucan certify finished")
		}
		return Table{}, err
	}
	if bytes.Equal(first[:], []byte("{")) {
		return readJSONL(f)
	}
	return readTSV(f)
}
