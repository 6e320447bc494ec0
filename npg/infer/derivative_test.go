package infer

import (
	"math"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/npg"
	"ucan/npg/bundle"
	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// curved returns a graph whose outputs are tanh(factor·x + x shifted by one row), a derivative with
// entries off the diagonal.
func curved(t *testing.T, outputs []string, factors ...float64) []byte {
	t.Helper()
	b := onnx.NewBuilder("curved", 17)
	x := b.Input("x", onnx.Float, batched...)
	turned := b.Concat(3, b.Slice(x, []int64{1}, []int64{3}, []int64{3}, nil), b.Slice(x, []int64{0}, []int64{1}, []int64{3}, nil))
	for i, name := range outputs {
		y := b.Tanh(b.Add(b.Mul(x, b.Scalar(onnx.Float, factors[i])), turned))
		b.Output(name, y, onnx.Float, batched...)
	}
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	data, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Derivatives are those of central differences of the fields, through μ into s, and where limits
// hold a scale there is none.
func TestDerivative(t *testing.T) {
	rt := runtimetest.Open(t)
	x := []float32{0.3, -0.2, 0.5, -0.4, 0.1, -0.6}
	wm, ws := []float64{1, -2, 0.5, 0.25, -1, 2}, []float64{0.5, 1, -1, 2, -0.5, 1.5}
	for name, graphs := range subtest.Rows(map[string]map[bundle.Role][]byte{
		"two graphs":  {bundle.Mu: curved(t, []string{"a"}, 0.7), bundle.Sigma: curved(t, []string{"b"}, -1.5)},
		"sigma alone": {bundle.Sigma: curved(t, []string{"b"}, -1.5)},
		"one graph":   {bundle.Joint: curved(t, []string{"mu", "sigma"}, 0.7, -1.5)},
	}) {
		t.Run(name, func(t *testing.T) {
			made := example(graphs)
			made.Limits = npg.Limits{Floor: 0.05, Ceiling: 0.9}
			g, err := Open(t.Context(), rt, made, runtime.SessionOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = g.Close() }()
			d, err := g.Differentiate(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = d.Close() }()
			got := make([]float64, len(x))
			if err = d.Add(t.Context(), got, x, wm, ws); err != nil {
				t.Fatal(err)
			}
			value := func(x []float32) float64 {
				p, parametersErr := g.Parameters(t.Context(), x)
				if parametersErr != nil {
					t.Fatal(parametersErr)
				}
				total := 0.0
				for i, v := range p.Sigma() {
					total += ws[i] * float64(v)
				}
				for i, v := range p.Mu() {
					total += wm[i] * float64(v)
				}
				return total
			}
			const h = 1e-3
			for i := range x {
				up, down := append([]float32(nil), x...), append([]float32(nil), x...)
				up[i] += h
				down[i] -= h
				want := (value(up) - value(down)) / float64(up[i]-down[i])
				if math.Abs(got[i]-want) > 1e-3*(1+math.Abs(want)) {
					t.Errorf("∂/∂x[%d] is %v, differences give %v", i, got[i], want)
				}
			}
		})
	}
}

// Fields that are stored have no derivative.
func TestNoDerivative(t *testing.T) {
	g := &Opened{Generator: npg.NewField(npg.Parameters{})}
	if _, err := g.Differentiate(t.Context()); err == nil {
		t.Error("stored fields were differentiated")
	}
}
