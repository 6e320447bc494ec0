package autodiff_test

import (
	"context"
	"math"
	"strings"
	"testing"

	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// opCase is one use of an operator whose Jacobian is compared with central
// differences.
type opCase struct {
	op   string // the registered name
	name string // what is special
	// opset defaults to 17.
	opset int64
	// in are the dimensions of the real-valued inputs x0, x1, …, all of which
	// the gradient is taken by.
	in [][]int64
	// build adds the operator; it gets the inputs and their element type.
	build func(b *onnx.Builder, dt onnx.DType, x []onnx.Value) onnx.Value
	// domain maps a standard normal draw to a valid input away from kinks;
	// nil leaves it.
	domain func(input int, v float64) float64
	// ref computes the operator in float64 where onnxruntime has no float64
	// kernel; nil uses onnxruntime.
	ref func(in []value) []float64
	// constIn lists the inputs given as constants that no gradient is asked
	// for.
	constIn []int
	// batch is set when the first dimension of all inputs may vary.
	batch bool
}

// away moves v away from each of the given kinks, by at least 0.1.
func away(kinks ...float64) func(int, float64) float64 {
	return func(_ int, v float64) float64 {
		for _, k := range kinks {
			if d := v - k; math.Abs(d) < 0.1 {
				v = k + math.Copysign(0.1, d) + d
			}
		}
		return v
	}
}

func positive(_ int, v float64) float64 { return 0.3 + math.Abs(v) }

// TestRegistryIsCovered fails for every operator with a rule that no case
// tests.
func TestRegistryIsCovered(t *testing.T) {
	tested := make(map[string]bool)
	for _, c := range allCases() {
		tested[c.op] = true
	}
	for _, op := range autodiff.Operators(true) {
		if !tested[op] {
			t.Errorf("operator %s has a rule and no finite-difference case", op)
		}
	}
}

func TestJacobians(t *testing.T) {
	rt := runtimetest.Open(t)
	eng := autodiff.OnRuntime(rt)
	for _, c := range allCases() {
		t.Run(strings.ReplaceAll(c.op+"/"+c.name, " ", "_"), func(t *testing.T) {
			dt := onnx.Double
			if c.ref != nil {
				dt = onnx.Float
			}
			for _, dynamic := range []bool{false, true} {
				if dynamic && !c.batch {
					continue
				}
				checkCase(t, rt, eng, c, dt, dynamic)
			}
		})
	}
}

// caseModel builds the graph of a case: inputs x0 …, output y.
func caseModel(t *testing.T, c opCase, dt onnx.DType, values []value, dynamic bool) *onnx.Model {
	t.Helper()
	opset := c.opset
	if opset == 0 {
		opset = 17
	}
	b := onnx.NewBuilder("case", opset)
	isConst := make(map[int]bool)
	for _, i := range c.constIn {
		isConst[i] = true
	}
	xs := make([]onnx.Value, len(c.in))
	for i, dims := range c.in {
		d := onnx.Dims(dims...)
		switch {
		case isConst[i] && dt == onnx.Double:
			xs[i] = onnx.Tensor(b, inputName(i), dims, values[i].data)
		case isConst[i]:
			f := make([]float32, len(values[i].data))
			for j, v := range values[i].data {
				f[j] = float32(v)
			}
			xs[i] = onnx.Tensor(b, inputName(i), dims, f)
		default:
			if dynamic {
				d[0] = onnx.Sym("N")
			}
			xs[i] = b.Input(inputName(i), dt, d...)
		}
	}
	b.OutputUntyped("y", c.build(b, dt, xs))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func inputName(i int) string { return "x" + string(rune('0'+i)) }

func checkCase(t *testing.T, rt *rtType, eng autodiff.Engine, c opCase, dt onnx.DType, dynamic bool) {
	t.Helper()
	r := rng(7)
	values := make([]value, len(c.in))
	feeds := make(map[string]value)
	var wrt []int
	for i, dims := range c.in {
		v := normals(r, elements(dims))
		for j := range v {
			if c.domain != nil {
				v[j] = c.domain(i, v[j])
			}
			v[j] = float64(float32(v[j]))
		}
		values[i] = value{dims: dims, data: v}
		isConst := false
		for _, k := range c.constIn {
			isConst = isConst || k == i
		}
		if !isConst {
			feeds[inputName(i)] = values[i]
			wrt = append(wrt, i)
		}
	}
	m := caseModel(t, c, dt, values, dynamic)
	g, err := autodiff.Differentiate(context.Background(), eng, m, autodiff.Options{Losses: []autodiff.Loss{autodiff.DefaultLinear()}})
	if err != nil {
		t.Fatal(err)
	}
	// The shape of y, from a run of the engine.
	ydims := outputDims(t, eng, m, feeds)
	ny := elements(ydims)

	var forward func() []float64
	if c.ref != nil {
		forward = func() []float64 { return c.ref(values) }
	} else {
		fr := newRunner(t, rt, m, feeds, []string{"y"}, map[string][]int64{"y": ydims})
		forward = func() []float64 {
			for _, i := range wrt {
				fr.set(inputName(i), values[i].data)
			}
			return fr.run(t)[0]
		}
	}
	feeds["weights"] = value{dims: ydims, data: make([]float64, ny)}
	names := []string{"y"}
	shapes := map[string][]int64{"y": ydims}
	for _, i := range wrt {
		n := g.Output("linear", inputName(i))
		names = append(names, n)
		shapes[n] = c.in[i]
	}
	gr := newRunner(t, rt, g.Model, feeds, names, shapes)

	// The reference computes what the operator does.
	y := gr.run(t)[0]
	for i, v := range forward() {
		if math.Abs(v-y[i]) > 1e-5*(1+math.Abs(v)) {
			t.Fatalf("forward: y[%d] is %g, reference %g", i, y[i], v)
		}
	}
	// One row of the Jacobian per output element.
	rows := make([][][]float64, ny)
	unit := make([]float64, ny)
	for j := range rows {
		unit[j] = 1
		gr.set("weights", unit)
		unit[j] = 0
		rows[j] = cloneAll(gr.run(t)[1:])
	}
	tol := 1e-7
	if dt == onnx.Float {
		tol = 2e-5
	}
	worst := 0.0
	for k, i := range wrt {
		for e := range values[i].data {
			at := values[i].data[e]
			h := 1e-4
			diff := func(h float64) []float64 {
				values[i].data[e] = at + h
				up := forward()
				values[i].data[e] = at - h
				down := forward()
				values[i].data[e] = at
				for q := range up {
					up[q] = (up[q] - down[q]) / (2 * h)
				}
				return up
			}
			// Richardson's extrapolation removes the error in h².
			d1, d2 := diff(h), diff(2*h)
			for q := range d1 {
				want := (4*d1[q] - d2[q]) / 3
				got := rows[q][k][e]
				err := math.Abs(got-want) / (1 + math.Abs(want))
				worst = math.Max(worst, err)
				if !(err <= tol) {
					t.Fatalf("dynamic=%v: ∂y[%d]/∂x%d[%d] is %.9g, differences give %.9g", dynamic, q, i, e, got, want)
				}
			}
		}
	}
	// A random weighting of all outputs at once: a permuted or shared result
	// cannot hide behind unit vectors.
	w := normals(r, ny)
	gr.set("weights", w)
	out := gr.run(t)[1:]
	for k := range wrt {
		for e := range out[k] {
			sum, scale := 0.0, 1.0
			for q := range rows {
				sum += w[q] * rows[q][k][e]
				scale += math.Abs(w[q] * rows[q][k][e])
			}
			if math.Abs(sum-out[k][e]) > tol*scale {
				t.Fatalf("weighted gradient of x%d[%d] is %g, want %g", wrt[k], e, out[k][e], sum)
			}
		}
	}
}

func cloneAll(in [][]float64) [][]float64 {
	out := make([][]float64, len(in))
	for i := range in {
		out[i] = append([]float64(nil), in[i]...)
	}
	return out
}
