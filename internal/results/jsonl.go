package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"

	"ucan/runtime/files"
	"ucan/smooth/certificate"
)

// CertificateSchema is the schema of the certificates that this package reads.
const CertificateSchema = "ucan.certificate/1"

// number is a JSON number, or one of the strings that stand for infinities.
type number float64

func (n *number) UnmarshalJSON(b []byte) error {
	switch text := strings.Trim(string(b), `"`); text {
	case "null":
		return nil
	case "Infinity", "+Infinity", "inf", "+Inf", "Inf":
		*n = number(math.Inf(1))
		return nil
	case "-Infinity", "-inf", "-Inf":
		*n = number(math.Inf(-1))
		return nil
	}
	return json.Unmarshal(b, (*float64)(n))
}

// line is the part of a certificate that a row shows.
type line struct {
	Schema    string `json:"schema"`
	Guarantee string `json:"guarantee"`
	Status    Status `json:"status"`
	Input     struct {
		Index *int `json:"index"`
		Label *int `json:"label"`
	} `json:"input"`
	Noise struct {
		Norm string `json:"norm"`
	} `json:"noise"`
	Statistics struct {
		N      int64  `json:"n"`
		K      int64  `json:"k"`
		PLower number `json:"p_lower"`
	} `json:"statistics"`
	Predict *int              `json:"predict"`
	Correct bool              `json:"correct"`
	Radii   map[string]number `json:"radii"`
	ALM     number            `json:"alm"`
	Run     struct {
		Seconds float64 `json:"seconds"`
	} `json:"run"`
}

// ParseCertificate reads the row that a certificate's line shows. Errors match [ErrFormat].
func ParseCertificate(b []byte) (Row, error) {
	var c line
	if err := json.Unmarshal(b, &c); err != nil {
		return Row{}, kindErrorf(ErrFormat, "not a certificate: %w", err)
	}
	if c.Schema != CertificateSchema {
		return Row{}, kindErrorf(ErrFormat, "schema is %q, want %q", c.Schema, CertificateSchema)
	}
	if c.Input.Index == nil {
		return Row{}, kindErrorf(ErrFormat, "it has no input.index")
	}
	row := Row{
		Index: *c.Input.Index, Label: NoClass, Predict: NoClass, Correct: c.Correct, Seconds: c.Run.Seconds,
		Norm: c.Noise.Norm, PLower: float64(c.Statistics.PLower), K: c.Statistics.K, N: c.Statistics.N,
		Guarantee: c.Guarantee, Status: c.Status,
	}
	if c.Input.Label != nil {
		row.Label = *c.Input.Label
	}
	if c.Predict != nil {
		row.Predict = *c.Predict
	}
	if c.Status == Certified {
		radius, ok := c.Radii[c.Noise.Norm]
		if !ok {
			return Row{}, kindErrorf(ErrFormat, "radii lack the norm %q", c.Noise.Norm)
		}
		row.Radius, row.ALM = float64(radius), float64(c.ALM)
		row.L1, row.L2, row.LInf = float64(c.Radii["l1"]), float64(c.Radii["l2"]), float64(c.Radii["linf"])
	}
	if err := row.Validate(); err != nil {
		return Row{}, &kindError{kind: ErrFormat, err: err}
	}
	return row, nil
}

// ReadJSONL reads the rows that certificates show, one a line. It does not check
// the certificates themselves. Errors match [ErrFormat] and name the line.
func ReadJSONL(r io.Reader) (Table, error) {
	var t Table
	seen := map[int]bool{}
	tail, size, err := lines(r, certificate.MaxLine, func(_ int, b []byte) error {
		row, err := ParseCertificate(b)
		if err != nil {
			return err
		}
		if seen[row.Index] {
			return kindErrorf(ErrFormat, "input %d appears twice", row.Index)
		}
		seen[row.Index] = true
		t.Rows = append(t.Rows, row)
		return nil
	})
	t.Torn, t.tail, t.size = len(tail) > 0, tail, size
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
			return Table{}, kindErrorf(ErrFormat, "it is empty; give a file that ucan certify wrote")
		}
		return Table{}, err
	}
	if bytes.Equal(first[:], []byte("{")) {
		return ReadJSONL(f)
	}
	return ReadTSV(f)
}
