package family

import (
	"bufio"
	"encoding/json"
	"math/big"
	"os"
	"testing"
)

// The rows of testdata/radii.jsonl come from an implementation of their own
// (testdata/radii.py, mpmath, 25 digits), for p_lower down to one ulp above ½ and up
// to one ulp below 1. Radii must be close, and never above.
func TestOwnTable(t *testing.T) {
	file, err := os.Open("testdata/radii.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if cerr := file.Close(); cerr != nil {
			t.Error(cerr)
		}
	}()
	families := map[string]Isotropic{}
	rows, covered := 0, map[string]bool{}
	for in := bufio.NewScanner(file); in.Scan(); rows++ {
		var r struct {
			Family, Norm, Method, Radius string
			Dim                          int
			PLower                       float64 `json:"p_lower"`
			Params                       map[string]float64
		}
		if err = json.Unmarshal(in.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		key, _ := json.Marshal(r.Params)
		id := r.Family + string(key)
		f, ok := families[id]
		if !ok {
			if f, err = New(r.Family, r.Params); err != nil {
				t.Fatal(err)
			}
			families[id] = f
		}
		n, err := ParseNorm(r.Norm)
		if err != nil {
			t.Fatal(err)
		}
		covered[r.Family+" "+r.Norm] = true
		got, err := RadiusBy(f, r.Method, n, r.Dim, r.PLower)
		if err != nil {
			t.Fatal(err)
		}
		exact, _, err := big.ParseFloat(r.Radius, 10, 100, big.ToNearestEven)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := exact.Float64()
		tol := 1e-11
		if r.Method == LevelSet {
			tol = 2e-9
		}
		switch {
		case new(big.Float).SetFloat64(got).Cmp(exact) > 0:
			t.Errorf("%s %s d=%d p=%v %s: %v is above the exact %s by %.1e", id, r.Norm, r.Dim, r.PLower, r.Method, got, r.Radius, got/want-1)
		case got < want*(1-tol):
			t.Errorf("%s %s d=%d p=%v %s: %v is below %s by %.1e", id, r.Norm, r.Dim, r.PLower, r.Method, got, r.Radius, 1-got/want)
		}
	}
	for _, name := range Names() {
		f, err := New(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range f.Norms() {
			if id := name + " " + n.String(); !covered[id] {
				t.Errorf("%s has no reference radii; add some to testdata/radii.jsonl, from two sources", id)
			}
		}
	}
	if rows < 100 {
		t.Errorf("only %d rows", rows)
	}
}
