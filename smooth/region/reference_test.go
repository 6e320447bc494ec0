package region

import (
	"encoding/json"
	"math"
	"testing"

	"ucan/smooth/family"

	"ucan/fixtures/shared"
)

// field reads "s": a list, or {"constant": c, "dim": d}.
type field []float64

func (f *field) UnmarshalJSON(data []byte) error {
	if data[0] != '{' {
		return json.Unmarshal(data, (*[]float64)(f))
	}
	var c struct {
		Constant float64
		Dim      int
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return err
	}
	*f = make([]float64, c.Dim)
	for i := range *f {
		(*f)[i] = c.Constant
	}
	return nil
}

func parse(t *testing.T, s string) family.Norm {
	t.Helper()
	n, err := family.ParseNorm(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// near reports |got − want| ≤ tol·|want|; exactly equal for want = 0.
func near(got, want, tol float64) bool { return math.Abs(got-want) <= tol*math.Abs(want) }

func TestReferenceRadii(t *testing.T) {
	var table struct {
		Rows []struct {
			S      field
			R      float64
			P, Q   string
			Radius float64
			Tol    float64 `json:"rel_tol"`
		}
	}
	if err := json.Unmarshal(shared.Read(t, "reference", "region_radius.json"), &table); err != nil {
		t.Fatal(err)
	}
	if len(table.Rows) == 0 {
		t.Fatal("no rows")
	}
	for i, row := range table.Rows {
		r := Region{Norm: parse(t, row.P), R: row.R, Sigma64: row.S, Dim: len(row.S)}
		got, err := r.Radius(parse(t, row.Q))
		if err != nil {
			t.Fatal(err)
		}
		// The table's values are float64 themselves, at most half an ulp off.
		if !near(got, row.Radius, row.Tol) || got > math.Nextafter(row.Radius, math.Inf(1)) {
			t.Errorf("row %d (p=%s, q=%s, d=%d): radius %v, want %v from below", i, row.P, row.Q, r.Dim, got, row.Radius)
		}
	}
}

func TestReferenceVolumes(t *testing.T) {
	var table struct {
		Rows []struct {
			S         field
			R         float64
			P         string
			ALM       float64
			LogVolume float64 `json:"log_volume"`
			Tol       float64 `json:"rel_tol"`
		}
	}
	if err := json.Unmarshal(shared.Read(t, "reference", "region_volume.json"), &table); err != nil {
		t.Fatal(err)
	}
	if len(table.Rows) == 0 {
		t.Fatal("no rows")
	}
	for i, row := range table.Rows {
		r := Region{Norm: parse(t, row.P), R: row.R, Sigma64: row.S, Dim: len(row.S)}
		alm, err := r.ALM()
		if err != nil {
			t.Fatal(err)
		}
		if !near(alm, row.ALM, row.Tol) || alm > row.ALM*(1+1e-15) {
			t.Errorf("row %d (p=%s, d=%d): ALM %v, want %v from below", i, row.P, r.Dim, alm, row.ALM)
		}
		v, err := r.LogVolume()
		if err != nil {
			t.Fatal(err)
		}
		if !near(v, row.LogVolume, row.Tol) || v > row.LogVolume+1e-15*math.Abs(row.LogVolume) {
			t.Errorf("row %d (p=%s, d=%d): log-volume %v, want %v from below", i, row.P, r.Dim, v, row.LogVolume)
		}
	}
}
