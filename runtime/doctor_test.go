package runtime_test

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/runtime"
	"ucan/runtime/library"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

func TestDoctor(t *testing.T) {
	rt := runtimetest.Open(t)
	r, err := rt.Doctor(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(r.Providers, func(p runtime.ProviderReport) bool { return p.Name == "cpu" })
	if i < 0 || r.Providers[i].Trial != "ok" || !r.Providers[i].Asked || !r.Providers[i].Compiled || !r.Healthy {
		t.Errorf("the CPU is reported as %+v", r.Providers)
	}
	if r.Library.Version != rt.Version() || r.Binding.Pinned != library.Pinned || r.CPUs < 1 {
		t.Errorf("reported %+v", r)
	}
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
	if live := runtime.Live(); live.SessionOptions != 0 {
		t.Errorf("%d session options leaked", live.SessionOptions)
	}
}

func TestDoctorOnAMissingProvider(t *testing.T) {
	subtest.Long(t)
	rt := runtimetest.Open(t)
	needCPUBuild(t, rt)
	r, err := rt.Doctor(t.Context(), []runtime.Provider{{Name: "cuda"}})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(r.Providers, func(p runtime.ProviderReport) bool { return p.Name == "cuda" })
	if i < 0 || r.Healthy || r.Providers[i].Compiled || !strings.Contains(r.Providers[i].Trial, "runtime install --gpu") {
		t.Errorf("reported %+v", r)
	}
}

func TestCompareEqualSettings(t *testing.T) {
	rt := runtimetest.Open(t)
	c, err := rt.Compare(t.Context(), runtime.TinyModel(), runtime.CompareOptions{A: one(), B: runtime.SessionOptions{IntraOp: 2}, Rows: 5, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	// Batches of two: five rows are six.
	if c.Rows != 6 || c.Classes != 2 || c.LargestDifference != 0 || c.Changed != 0 || !c.Identical || !(c.Scale > 0) {
		t.Errorf("compared as %+v", c)
	}
}

func TestCompareFindsADifference(t *testing.T) {
	rt := runtimetest.Open(t)
	model := runtime.MakeGraph(
		[][]byte{runtime.MakeNode("Identity", "a", "x"), runtime.MakeNode("Neg", "b", "x")},
		[][]byte{runtime.MakeValue("x", onnx.Float, -1, 3)},
		[][]byte{runtime.MakeValue("a", onnx.Float, -1, 3), runtime.MakeValue("b", onnx.Float, -1, 3)})
	nan := float32(math.NaN())
	for _, c := range []struct {
		input   []float32
		rows    int
		changed int
		largest float64
	}{
		{[]float32{1, 2, 4}, 1, 0, 0},
		{[]float32{1, 2, 4, nan, 0, 0}, 70, 0, 0},
	} {
		got, err := rt.Compare(t.Context(), model, runtime.CompareOptions{A: one(), B: one(), Rows: c.rows, Input: c.input})
		if err != nil {
			t.Fatal(err)
		}
		if got.Changed != c.changed || got.LargestDifference != c.largest || got.Classes != 3 {
			t.Errorf("%v: %+v", c.input, got)
		}
	}
	// Rows: another class, a vote on one side only, a tie on both.
	got := runtime.CompareValues([]float32{1, 2, nan, 5, 3, 3}, []float32{2, 1, 0, 1, 3, 3}, 2)
	if got.Changed != 2 || !math.IsInf(got.LargestDifference, 1) || got.Identical {
		t.Errorf("values compared as %+v", got)
	}
}

func TestCompareRefuses(t *testing.T) {
	rt := runtimetest.Open(t)
	for name, c := range subtest.Rows(map[string]struct {
		model []byte
		o     runtime.CompareOptions
		want  error
	}{
		"no rows":     {runtime.TinyModel(), runtime.CompareOptions{A: one(), B: one()}, runtime.ErrOptions},
		"bad noise":   {runtime.TinyModel(), runtime.CompareOptions{A: one(), B: one(), Rows: 1, Sigma: math.NaN()}, runtime.ErrOptions},
		"integers":    {identity(onnx.Int64, 1, 2), runtime.CompareOptions{A: one(), B: one(), Rows: 1}, runtime.ErrModel},
		"open width":  {identity(onnx.Float, 2, -1), runtime.CompareOptions{A: one(), B: one(), Rows: 1}, runtime.ErrModel},
		"no model":    {nil, runtime.CompareOptions{A: one(), B: one(), Rows: 1}, runtime.ErrModel},
		"bad setting": {runtime.TinyModel(), runtime.CompareOptions{A: one(), Rows: 1}, runtime.ErrOptions},
	}) {
		t.Run(name, func(t *testing.T) {
			if _, err := rt.Compare(t.Context(), c.model, c.o); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}
