package main

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ucan/internal/results"
	"ucan/smooth/basis"
	"ucan/smooth/family"
	"ucan/smooth/region"
)

func field(n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = 0.5 + 0.1*float32(i%7)
	}
	return s
}

func geometric(s []float32, of func(int) bool) float64 {
	sum, n := 0.0, 0.0
	for i, v := range s {
		if of(i) {
			sum, n = sum+math.Log(float64(v)), n+1
		}
	}
	return math.Exp(sum / n)
}

func TestSectionOfEverythingIsTheRegion(t *testing.T) {
	u, err := basis.DCT2([]int{1, 4, 5})
	if err != nil {
		t.Fatal(err)
	}
	s := sections{varies: make([]bool, 20)}
	for i := range s.varies {
		s.varies[i] = true
	}
	for _, b := range []*basis.Transform{nil, u} {
		got, err := s.factor(region.Region{Norm: family.L2, R: 1, Sigma: field(20), Dim: 20, Basis: b})
		want := geometric(field(20), func(int) bool { return true })
		if err != nil || math.Abs(got-want) > 1e-12 {
			t.Errorf("basis %v: %v, want %v (%v)", b != nil, got, want, err)
		}
	}
}

// One varying input leaves a segment: what the region allows along that axis.
func TestSectionAlongOneAxis(t *testing.T) {
	u, err := basis.DCT2([]int{1, 4, 5})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []*basis.Transform{nil, u} {
		s := sections{varies: make([]bool, 20)}
		s.varies[7] = true
		r := region.Region{Norm: family.L2, R: 1, Sigma: field(20), Dim: 20, Basis: b}
		got, err := s.factor(r)
		if err != nil {
			t.Fatal(err)
		}
		axis := make([]float64, 20)
		axis[7] = 1
		want, err := r.MaxScale(axis)
		if err != nil || math.Abs(got-want) > 1e-6 {
			t.Errorf("basis %v: %v, want %v (%v)", b != nil, got, want, err)
		}
	}
	s := sections{varies: make([]bool, 3)}
	if _, err := s.factor(region.Region{Norm: family.L2, R: 1, Sigma: field(20), Dim: 20}); err == nil {
		t.Error("a mask of another size was taken")
	}
}

func TestRatiosAreTakenWhereTheEnvelopeCertifies(t *testing.T) {
	rows := func(radii ...float64) (out []results.Row, sizes []size) {
		for i, r := range radii {
			out = append(out, results.Row{Index: i, Correct: true, Norm: "l2", Guarantee: "deployed", Status: results.Certified})
			sizes = append(sizes, size{l2: r, alm: 2 * r})
		}
		return out, sizes
	}
	a, b := arm{name: "isotropic", isotropic: true}, arm{name: "field"}
	a.rows, a.sizes = rows(1, 0, 0, 0)
	b.rows, b.sizes = rows(1, 1, 0.5, 2)
	var w bytes.Buffer
	s := settings{radii: []float64{0.75, 1.5}, isotropic: []string{"a"}, share: 0.1}
	if err := curves(&w, []arm{a, b}, measures(nil)[0], s); err != nil {
		t.Fatal(err)
	}
	if got := w.String(); !strings.Contains(got, "field: at most 3.00 times the envelope (at 0.75)") || !strings.Contains(got, "| **envelope** | 25.0 (") {
		t.Error(got)
	}
	if err := draw([]arm{a, b}, measures(nil)[1], filepath.Join(t.TempDir(), "p")); err != nil {
		t.Error(err)
	}
}

func TestCommonInputs(t *testing.T) {
	of := func(inputs ...string) arm {
		a := arm{inputs: inputs}
		for i := range inputs {
			a.rows, a.sizes = append(a.rows, results.Row{Index: i}), append(a.sizes, size{l2: float64(len(inputs[i]))})
		}
		return a
	}
	arms := []arm{of("a", "bb", "ccc"), of("bb", "ccc", "dddd")}
	if err := sameInputs(arms); err == nil {
		t.Error("other inputs were taken for the same")
	}
	keepCommon(arms)
	if err := sameInputs(arms); err != nil || len(arms[0].rows) != 2 || arms[0].sizes[1].l2 != 3 || arms[1].rows[0].Index != 0 {
		t.Errorf("%+v %v", arms, err)
	}
	arms = []arm{of("a"), of("b")}
	keepCommon(arms)
	if err := sameInputs(arms); err == nil {
		t.Error("nothing in common passed")
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{}, {"-radii", "x", "a=b"}, {"-radii", "-1", "a=b"}, {"nofile"}, {"a=" + filepath.Join(t.TempDir(), "none")}} {
		if err := run(t.Context(), args, &bytes.Buffer{}); err == nil {
			t.Errorf("%q passed", args)
		}
	}
	empty := filepath.Join(t.TempDir(), "empty.jsonl")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), []string{"a=" + empty}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "no certificates") {
		t.Error(err)
	}
}
