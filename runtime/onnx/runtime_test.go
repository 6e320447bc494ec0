package onnx_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
	"ucan/runtime/runtimetest"
)

// runFloats runs m on reproducible inputs and returns its float32 outputs by name. Open dimensions
// are 2.
func runFloats(t testing.TB, rt *runtime.Runtime, m *onnx.Model) map[string][]float32 {
	t.Helper()
	b, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s, err := rt.NewSession(context.Background(), b, runtime.SessionOptions{IntraOp: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	dims := func(d runtime.IO) []int64 {
		out := slices.Clone(d.Dims)
		for i := range out {
			if out[i] < 0 {
				out[i] = 2
			}
		}
		return out
	}
	var in, out []*runtime.Tensor
	for k, d := range s.Inputs() {
		x, err := runtime.Empty[float32](rt, dims(d)...)
		if err != nil {
			t.Fatal(err)
		}
		for i := range runtime.Data[float32](x) {
			runtime.Data[float32](x)[i] = float32(math.Mod(float64(i*(k+3))*0.618, 1))
		}
		in = append(in, x)
	}
	for _, d := range s.Outputs() {
		y, err := runtime.Empty[float32](rt, dims(d)...)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, y)
	}
	if err := s.Run(context.Background(), in, out); err != nil {
		t.Fatal(err)
	}
	res := make(map[string][]float32)
	for i, d := range s.Outputs() {
		res[d.Name] = slices.Clone(runtime.Data[float32](out[i]))
	}
	for _, x := range append(in, out...) {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	}
	return res
}

// same compares two sets of results, which may differ by tol for each output, by name: nil for not
// at all.
func same(t *testing.T, what string, got, want map[string][]float32, tol map[string]float64) {
	t.Helper()
	for name, w := range subtest.Rows(want) {
		t.Run(name, func(t *testing.T) {
			g := got[name]
			if len(g) != len(w) {
				t.Errorf("%s: output %q has %d elements, want %d", what, name, len(g), len(w))
				return
			}
			for i := range w {
				if !(math.Abs(float64(g[i])-float64(w[i])) <= tol[name]) && g[i] != w[i] {
					t.Errorf("%s: %s[%d] is %g, want %g ± %g", what, name, i, g[i], w[i], tol[name])
					break
				}
			}
		})
	}
}

// magnitude is the largest absolute value.
func magnitude(values []float32) float64 {
	top := 0.0
	for _, v := range values {
		top = max(top, math.Abs(float64(v)))
	}
	return top
}

// TestSharedModelsRun runs every example as it is, rewritten, converted to newer opsets and with
// other names.
func TestSharedModelsRun(t *testing.T) {
	subtest.Long(t)
	rt := runtimetest.Open(t)
	for _, f := range sharedModels(t) {
		name := filepath.Base(f)
		if name == "sklearn_randomforest.onnx" {
			continue // its outputs are no tensors of floats
		}
		t.Run(name, func(t *testing.T) {
			m, err := onnx.Read(f)
			if err != nil {
				t.Fatal(err)
			}
			want := runFloats(t, rt, m)
			tol := runtimetest.NetworkError(t, m, func(m *onnx.Model) map[string][]float32 { return runFloats(t, rt, m) })
			for name, w := range subtest.Rows(want) {
				t.Run(name, func(t *testing.T) {
					if top := magnitude(w); !(tol[name] < top/4) {
						t.Errorf("%s: a tolerance of %g for values up to %g shows nothing", name, tol[name], top)
					}
				})
			}
			for _, opset := range []int64{13, 17, 21} {
				if opset < m.Opset("") {
					continue
				}
				up, uerr := m.WithOpset(opset)
				if uerr != nil {
					t.Fatal(uerr)
				}
				same(t, fmt.Sprint("opset ", opset), runFloats(t, rt, up), want, tol)
			}
			sorted, err := m.Sorted()
			if err == nil {
				sorted, err = sorted.WithoutDead()
			}
			if err == nil {
				sorted, err = sorted.WithoutInitializerInputs()
			}
			if err != nil {
				t.Fatal(err)
			}
			same(t, "sorted", runFloats(t, rt, sorted), want, tol)
			prefixed := runFloats(t, rt, m.Prefixed("p/"))
			for k, v := range subtest.Rows(want) {
				t.Run(k, func(t *testing.T) {
					same(t, "prefixed", prefixed, map[string][]float32{"p/" + k: v}, nil)
				})
			}
		})
	}
}

func TestComposeRuns(t *testing.T) {
	rt := runtimetest.Open(t)
	front := func() *onnx.Model { // the same inner names as demo
		b := onnx.NewBuilder("front", 13)
		x := b.Input("raw", onnx.Float, onnx.Sym("N"), onnx.Fixed(4))
		w := onnx.Tensor(b, "w", []int64{4}, []float32{2, -1, 0.5, 1})
		b.Output("scaled", b.Mul(x, w), onnx.Float, onnx.Sym("N"), onnx.Fixed(4))
		b.Output("extra", b.Neg(x), onnx.Float, onnx.Sym("N"), onnx.Fixed(4))
		m, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		return m
	}()
	back := demo(t)
	wire := map[string]string{"x": "scaled"}
	m, err := onnx.Compose(front, back, wire)
	if err != nil {
		t.Fatal(err)
	}
	if wire["x"] != "scaled" || len(wire) != 1 {
		t.Error("Compose changed its argument")
	}
	if got := fmt.Sprint(m.Inputs(), m.Outputs()); got != "[raw: float[N,4]] [y: float[N,5] extra: float[N,4]]" {
		t.Errorf("composed: %s", got)
	}
	if m.Opset("") != 17 {
		t.Errorf("opset %d, want the newer of both", m.Opset(""))
	}
	got := runFloats(t, rt, m)
	a := runFloats(t, rt, front)
	demoted, err := back.WithDim("x", 0, onnx.Fixed(2))
	if err != nil {
		t.Fatal(err)
	}
	scaled, err := onnx.NewTensor("x", []int64{2, 4}, a["scaled"])
	if err != nil {
		t.Fatal(err)
	}
	constant, err := demoted.Demote(scaled)
	if err != nil {
		t.Fatal(err)
	}
	b := onnx.Extend(constant)
	b.Input("unused", onnx.Float, onnx.Fixed(1))
	if constant, err = b.Build(); err != nil {
		t.Fatal(err)
	}
	// Inputs are at most 2, weights 3, and four products are added to a constant of at most 2.
	same(t, "composed", got, runFloats(t, rt, constant), map[string]float64{"y": runtimetest.SumError(5, 4*2*3+2)})
	same(t, "composed", got, map[string][]float32{"extra": a["extra"]}, nil)

	for name, wire := range subtest.Rows(map[string]map[string]string{
		"no such input": {"z": "scaled"}, "no such output": {"x": "none"}, "nothing": {},
	}) {
		t.Run(name, func(t *testing.T) {
			if _, err := onnx.Compose(front, back, wire); err == nil {
				t.Errorf("%s: no error", name)
			}
		})
	}
}

// TestOldOperatorsConvert runs nodes of old opsets before and after conversion.
func TestOldOperatorsConvert(t *testing.T) {
	rt := runtimetest.Open(t)
	type old struct {
		opset int64
		op    string
		attrs []onnx.Attr
		in    []int64
		extra []int64 // a constant second input of int64
		rank  int
	}
	cases := map[string]old{
		"clip":          {opset: 7, op: "Clip", attrs: []onnx.Attr{onnx.FloatAttr("min", 0.2), onnx.FloatAttr("max", 0.7)}, in: []int64{2, 3}, rank: 2},
		"clip low":      {opset: 10, op: "Clip", attrs: []onnx.Attr{onnx.FloatAttr("min", 0.5)}, in: []int64{2, 3}, rank: 2},
		"pad":           {opset: 8, op: "Pad", attrs: []onnx.Attr{onnx.Ints("pads", 0, 1, 2, 0), onnx.FloatAttr("value", 3)}, in: []int64{2, 3}, rank: 2},
		"pad reflect":   {opset: 10, op: "Pad", attrs: []onnx.Attr{onnx.Ints("pads", 0, 1, 0, 1), onnx.Str("mode", "reflect")}, in: []int64{2, 3}, rank: 2},
		"slice":         {opset: 9, op: "Slice", attrs: []onnx.Attr{onnx.Ints("axes", 1), onnx.Ints("starts", 1), onnx.Ints("ends", 3)}, in: []int64{2, 4}, rank: 2},
		"slice no axes": {opset: 7, op: "Slice", attrs: []onnx.Attr{onnx.Ints("starts", 0, 1), onnx.Ints("ends", 1, 3)}, in: []int64{2, 4}, rank: 2},
		"squeeze":       {opset: 11, op: "Squeeze", attrs: []onnx.Attr{onnx.Ints("axes", 1)}, in: []int64{2, 1, 3}, rank: 2},
		"unsqueeze":     {opset: 11, op: "Unsqueeze", attrs: []onnx.Attr{onnx.Ints("axes", 0)}, in: []int64{2, 3}, rank: 3},
		"sum":           {opset: 11, op: "ReduceSum", attrs: []onnx.Attr{onnx.Ints("axes", 1)}, in: []int64{2, 3}, rank: 2},
		"mean":          {opset: 11, op: "ReduceMean", attrs: []onnx.Attr{onnx.Ints("axes", 1)}, in: []int64{2, 3}, rank: 2},
		"softmax":       {opset: 11, op: "Softmax", attrs: []onnx.Attr{onnx.Int("axis", 1)}, in: []int64{2, 3, 4}, rank: 3},
		"softmax first": {opset: 9, op: "LogSoftmax", attrs: []onnx.Attr{onnx.Int("axis", 0)}, in: []int64{2, 3}, rank: 2},
		"softmax last":  {opset: 11, op: "Softmax", attrs: []onnx.Attr{onnx.Int("axis", -1)}, in: []int64{2, 3, 4}, rank: 3},
		"softmax plain": {opset: 8, op: "Softmax", in: []int64{2, 5}, rank: 2},
		"dropout":       {opset: 7, op: "Dropout", attrs: []onnx.Attr{onnx.FloatAttr("ratio", 0.3)}, in: []int64{2, 3}, rank: 2},
		"upsample":      {opset: 7, op: "Upsample", attrs: []onnx.Attr{onnx.Floats("scales", 1, 1, 2, 2)}, in: []int64{1, 1, 2, 3}, rank: 4},
		"upsample linear": {opset: 8, op: "Upsample", attrs: []onnx.Attr{onnx.Floats("scales", 1, 1, 2, 3), onnx.Str("mode", "linear")},
			in: []int64{1, 1, 2, 3}, rank: 4},
		"reshape": {opset: 7, op: "Reshape", in: []int64{2, 3}, extra: []int64{3, 2}, rank: 2},
	}
	for name, c := range subtest.Rows(cases) {
		t.Run(name, func(t *testing.T) {
			m := oldModel(t, c.opset, c.op, c.attrs, c.in, c.extra, c.rank)
			want := runFloats(t, rt, m)
			for _, target := range []int64{13, 17, 18, 21} {
				up, err := m.WithOpset(target)
				if err != nil {
					t.Fatal(err)
				}
				// A softmax of up to 12 values, three roundings each for the exponential function,
				// is the longest sum.
				tol := make(map[string]float64)
				for name, w := range want {
					tol[name] = runtimetest.SumError(3*12, max(1, magnitude(w)))
				}
				same(t, fmt.Sprint("opset ", target), runFloats(t, rt, up), want, tol)
			}
		})
	}
}

// oldModel is one node of an old opset; the shape of its output comes from a first run with
// onnxruntime's own inference.
func oldModel(t *testing.T, opset int64, op string, attrs []onnx.Attr, in, extra []int64, rank int) *onnx.Model {
	t.Helper()
	b := onnx.NewBuilder("old", 13)
	x := b.Input("x", onnx.Float, onnx.Dims(in...)...)
	ins := []onnx.Value{x}
	if extra != nil {
		ins = append(ins, b.Ints(extra...))
	}
	b.OutputUntyped("y", b.Op(op, ins, attrs...))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	m, err = m.Edit(func(p *onnxpb.ModelProto) error { p.OpsetImport[0].Version = &opset; return nil })
	if err != nil {
		t.Fatal(err)
	}
	_ = rank
	return m
}

// TestBuilderRuns builds a graph of every typed operator and runs it.
func TestBuilderRuns(t *testing.T) {
	rt := runtimetest.Open(t)
	for _, opset := range []int64{13, 17, 18, 21} {
		b := onnx.NewBuilder("all", opset)
		x := b.Input("x", onnx.Float, onnx.Fixed(2), onnx.Fixed(2), onnx.Fixed(4), onnx.Fixed(4))
		s := b.Scope("pictures")
		w := onnx.Tensor(s, "w", []int64{2, 2, 3, 3}, make([]float32, 36))
		one := onnx.Tensor(s, "one", []int64{2}, []float32{1, 1})
		h := s.Conv(x, w, one, onnx.Window{Pads: []int64{1, 1, 1, 1}})
		h = s.BatchNorm(s.Relu(s.Add(h, x)), one, one, one, one, 1e-3)
		h = s.Add(s.LeakyRelu(h, 0.1), s.Sigmoid(s.Tanh(s.Softplus(h))))
		h = s.MaxPool(h, onnx.Window{Kernel: []int64{2, 2}, Strides: []int64{2, 2}})
		h = s.Add(s.AveragePool(h, onnx.Window{Kernel: []int64{1, 1}}), s.GlobalAveragePool(h))
		h = s.Where(s.Greater(h, b.Scalar(onnx.Float, 0.5)), h, s.Neg(s.Abs(h)))
		h = s.Where(s.Less(h, b.Scalar(onnx.Float, 9)), h, s.Where(s.Equal(s.Cast(h, onnx.Int64), b.Int64(1)), h, s.Sign(h)))
		h = s.Transpose(s.Pad(h, 0, 0, 0, 0, 0, 0, 1, 1), 0, 2, 3, 1)
		h = s.Slice(h, []int64{0}, []int64{2}, []int64{1}, []int64{1})
		v := b.Scope("vectors")
		h = v.Flatten(h, 1) // [2, 12]
		h = v.Clip(v.Sub(h, v.Mean(h, true, 1)), b.Scalar(onnx.Float, -5), b.Scalar(onnx.Float, 5))
		h = v.Add(h, v.Gelu(h, onnx.Float))
		h = v.Mul(v.Exp(v.Neg(v.Pow(h, b.Scalar(onnx.Float, 2)))), v.Erf(h))
		h = v.Add(h, v.Log(v.Sqrt(v.Add(v.Mul(h, h), b.Scalar(onnx.Float, 1)))))
		h = v.Gemm(h, onnx.Tensor(v, "d", []int64{12, 6}, make([]float32, 72)), onnx.Value{}, false)
		h = v.Div(h, b.Scalar(onnx.Float, 3))
		h = v.Reshape(v.Squeeze(v.Unsqueeze(h, 1), 1), 2, 2, 3)
		h = v.MatMul(h, v.Transpose(h, 0, 2, 1)) // [2,2,2]
		h = v.Concat(2, h, v.Expand(v.Sum(h, true, 2), v.Shape(h)))
		h = v.Add(v.Softmax(h, -1), v.LogSoftmax(v.Gather(h, b.Ints(1, 0), 0), 1))
		h = v.ReshapeTo(h, b.Ints(2, -1)) // [2,8]
		h = v.Add(h, v.Reduce("ReduceMax", h, true, 1))
		if opset >= 17 {
			h = v.LayerNorm(h, onnx.Tensor(v, "scale", []int64{8}, make([]float32, 8)), onnx.Value{}, -1, 1e-5)
		}
		best := v.Cast(v.Op("ArgMax", []onnx.Value{h}, onnx.Int("axis", 1), onnx.Int("keepdims", 1)), onnx.Float)
		b.Output("y", v.Identity(h), onnx.Float, onnx.Dims(2, 8)...)
		b.Output("best", best, onnx.Float, onnx.Dims(2, 1)...)
		b.Output("same", best, onnx.Float, onnx.Dims(2, 1)...)
		m, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		out := runFloats(t, rt, m)
		for name, y := range subtest.Rows(out) {
			t.Run(name, func(t *testing.T) {
				for i, f := range y {
					if f != f {
						t.Errorf("opset %d: %s[%d] is NaN", opset, name, i)
					}
				}
			})
		}
		if !slices.Equal(out["best"], out["same"]) {
			t.Error("one value under two output names differs")
		}
	}
}
