package family

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"ucan/fixtures/shared"
)

// row is one line of radii.json.
type row struct {
	Family        string
	Params        map[string]float64
	Norm          string
	Dim           int
	Lambda, Sigma float64
	PLower        float64 `json:"p_lower"`
	Radius        float64
	Method        string
	Tol           float64 `json:"rel_tol"`
}

// ours names the family as New does.
func (r row) ours() string {
	if r.Family == "UniformBall" {
		return "ball"
	}
	return strings.ToLower(r.Family)
}

func TestReferenceRadii(t *testing.T) {
	var table struct{ Rows []row }
	if err := json.Unmarshal(shared.Read(t, "reference", "radii.json"), &table); err != nil {
		t.Fatal(err)
	}
	if len(table.Rows) == 0 {
		t.Fatal("no rows")
	}
	families := map[string]Isotropic{}
	worst := map[string]float64{}
	spent := map[string]time.Duration{}
	for i, r := range table.Rows {
		key, _ := json.Marshal(r.Params)
		id := r.ours() + string(key)
		f, ok := families[id]
		if !ok {
			var err error
			if f, err = New(r.ours(), r.Params); err != nil {
				t.Fatal(err)
			}
			families[id] = f
		}
		n, err := ParseNorm(r.Norm)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		unit, err := RadiusBy(f, r.Method, n, r.Dim, r.PLower)
		spent[id+" "+r.Norm] += time.Since(start)
		if err != nil {
			t.Fatalf("row %d: %v", i, err)
		}
		got := r.Lambda * unit
		diff := (r.Radius - got) / r.Radius
		worst[id+" "+r.Norm] = max(worst[id+" "+r.Norm], math.Abs(diff))
		// The table rounds to float64: up to an ulp above is its rounding and that
		// of the product with λ.
		if !(diff <= r.Tol) || diff < -4e-16 {
			t.Errorf("row %d: %s %s %v d=%d p=%v %s: %v, want %v from below (%.2e)", i, id, r.Norm, r.Lambda, r.Dim, r.PLower, r.Method, got, r.Radius, diff)
		}
		if s, err := f.Lambda1(r.Dim); err == nil && r.Sigma > 0 && math.Abs(s*r.Sigma/r.Lambda-1) > 1e-12 {
			t.Errorf("row %d: %s d=%d: λ₁ = %v, want %v", i, id, r.Dim, s, r.Lambda/r.Sigma)
		}
	}
	for k, v := range worst {
		t.Logf("%-32s worst %.2e in %v", k, v, spent[k])
	}
}
