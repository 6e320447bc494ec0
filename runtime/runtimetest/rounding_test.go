package runtimetest

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"ucan/runtime"
	"ucan/runtime/onnx"
)

func TestGamma(t *testing.T) {
	if g := Gamma(1); g != Unit/(1-Unit) {
		t.Errorf("one rounding gives %g", g)
	}
	if g := Gamma(1 << 20); math.Abs(g-1.0/15) > 1e-12 { // n·u = 1/16
		t.Errorf("2^20 roundings give %g, want 1/15", g)
	}
	if g := Gamma(1 << 24); !math.IsInf(g, 1) {
		t.Errorf("2^24 roundings give %g, want +Inf", g)
	}
}

// TestSumError sums products forwards, backwards, in eight lanes and with fused multiplication: all
// of them stay within the bound of the exact sum, and no two differ by more.
func TestSumError(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	differ := false
	for range 200 {
		n := 1 + r.IntN(500)
		x, w := make([]float32, n), make([]float32, n)
		exact, magnitude := 0.0, 0.0
		for i := range x {
			x[i], w[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
			p := float64(x[i]) * float64(w[i]) // exact in float64
			exact += p
			magnitude += math.Abs(p)
		}
		var forwards, backwards, fused, lanes float32
		var lane [8]float32
		for i := range x {
			forwards += float32(x[i] * w[i])
			backwards += float32(x[n-1-i] * w[n-1-i])
			fused = float32(float64(fused) + float64(x[i])*float64(w[i]))
			lane[i%8] += float32(x[i] * w[i])
		}
		for _, v := range lane {
			lanes += v
		}
		sums := []float32{forwards, backwards, fused, lanes}
		for _, s := range sums {
			if d := math.Abs(float64(s) - exact); d > SumError(n, magnitude)/2+0x1p-40*magnitude {
				t.Fatalf("%d terms: %g off, and the bound is %g", n, d, SumError(n, magnitude)/2)
			}
			differ = differ || s != forwards
		}
	}
	if !differ {
		t.Error("no order made a difference, so that nothing was tested")
	}
}

// TestNetworkError holds the tolerance of a network to its evaluation in float64, and to what wrong
// weights of one input do.
func TestNetworkError(t *testing.T) {
	rt := Open(t)
	const in, hidden, out, rows = 300, 64, 5, 4
	r := rand.New(rand.NewPCG(5, 6))
	normals := func(n int, scale float64) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(scale * r.NormFloat64())
		}
		return v
	}
	w1, b1, w2 := normals(in*hidden, 0.1), normals(hidden, 1), normals(hidden*out, 0.2)
	x := normals(rows*in, 1)
	build := func(w1 []float32) *onnx.Model {
		b := onnx.NewBuilder("net", 17)
		v := b.Input("x", onnx.Float, onnx.Dims(rows, in)...)
		h := b.Relu(b.Gemm(v, onnx.Tensor(b, "w1", []int64{in, hidden}, w1), onnx.Tensor(b, "b1", []int64{hidden}, b1), false))
		b.Output("y", b.MatMul(h, onnx.Tensor(b, "w2", []int64{hidden, out}, w2)), onnx.Float, onnx.Dims(rows, out)...)
		m, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	run := func(m *onnx.Model) map[string][]float32 {
		return map[string][]float32{"y": evaluate(t, rt, m, x, rows*out)}
	}
	m := build(w1)
	tol := NetworkError(t, m, run)["y"]
	got := run(m)["y"]
	top := 0.0
	for i := range rows {
		for k := range out {
			want := 0.0
			for j := range hidden {
				h := float64(b1[j])
				for a := range in {
					h += float64(x[i*in+a]) * float64(w1[a*hidden+j])
				}
				want += max(0, h) * float64(w2[j*out+k])
			}
			top = max(top, math.Abs(want))
			if d := math.Abs(float64(got[i*out+k]) - want); d > tol {
				t.Errorf("row %d, score %d is %g off the exact one, more than the tolerance %g", i, k, d, tol)
			}
		}
	}
	if !(tol > 0) || tol > 1e-2*top {
		t.Errorf("the tolerance is %g for scores up to %g", tol, top)
	}
	wrong := slices.Clone(w1)
	for j := range hidden { // one input's weights a tenth off
		wrong[7*hidden+j] *= 1.1
	}
	worst := 0.0
	for i, v := range run(build(wrong))["y"] {
		worst = max(worst, math.Abs(float64(v)-float64(got[i])))
	}
	if worst <= tol {
		t.Errorf("wrong weights change scores by %g, within the tolerance %g", worst, tol)
	}
}

func evaluate(t *testing.T, rt *runtime.Runtime, m *onnx.Model, x []float32, results int) []float32 {
	t.Helper()
	b, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s, err := rt.NewSession(context.Background(), b, runtime.SessionOptions{IntraOp: 1})
	if err != nil {
		t.Fatal(err)
	}
	in, err := runtime.Empty[float32](rt, s.Inputs()[0].Dims...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := runtime.Empty[float32](rt, s.Outputs()[0].Dims...)
	if err != nil {
		t.Fatal(err)
	}
	copy(runtime.Data[float32](in), x)
	if err := s.Run(context.Background(), []*runtime.Tensor{in}, []*runtime.Tensor{out}); err != nil {
		t.Fatal(err)
	}
	y := slices.Clone(runtime.Data[float32](out)[:results])
	for _, c := range []interface{ Close() error }{in, out, s} {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	return y
}
