package autodiff_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// opCase is one use of an operator whose Jacobian is compared with central differences.
type opCase struct {
	op   string // the registered name
	name string // what is special
	// opset defaults to 17.
	opset int64
	// in are the dimensions of the real-valued inputs x0, x1, …, all of which the gradient is taken
	// by.
	in [][]int64
	// build adds the operator; it gets the inputs and their element type.
	build func(b *onnx.Builder, dt onnx.DType, x []onnx.Value) onnx.Value
	// domain maps a standard normal draw to a valid input away from kinks; nil leaves it.
	domain func(input int, v float64) float64
	// ref computes the operator in float64 where onnxruntime has no float64 kernel; nil uses
	// onnxruntime.
	ref func(in []value) []float64
	// constIn lists the inputs given as constants that no gradient is asked for.
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

// TestRegistryIsCovered fails for every operator with a rule that no case tests.
func TestRegistryIsCovered(t *testing.T) {
	tested := make(map[string]bool)
	for _, c := range allCases() {
		tested[c.op] = true
	}
	for _, op := range autodiff.Operators() {
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
			t.Parallel()
			dt := onnx.Double
			if c.ref != nil {
				dt = onnx.Float
			}
			checkCase(t, rt, eng, c, dt)
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

// checkCase compares the gradients of a case with differences, which are taken once, for the graph
// of fixed sizes and that of an open batch.
func checkCase(t *testing.T, rt *rtType, eng autodiff.Engine, c opCase, dt onnx.DType) {
	t.Helper()
	values, wrt := caseValues(c)
	m := caseModel(t, c, dt, values, false)
	g := caseGradient(t, eng, m)
	in, _ := g.Model.Input("weights")
	var ydims []int64
	for _, d := range in.Shape {
		ydims = append(ydims, d.Size)
	}
	feeds := make(map[string]value)
	for _, i := range wrt {
		feeds[inputName(i)] = values[i]
	}
	forward := func() []float64 { return c.ref(values) }
	if c.ref == nil {
		fr := newRunner(t, rt, declareOutput(t, m, in.Type, ydims), feeds, []string{"y"}, map[string][]int64{"y": ydims})
		forward = func() []float64 {
			for _, i := range wrt {
				fr.set(inputName(i), values[i].data)
			}
			return fr.run(t)[0]
		}
	}
	want := differences{y: forward(), tol: 1e-7}
	if dt == onnx.Float {
		want.tol = 2e-5
	}
	for _, i := range wrt {
		want.jacobian = append(want.jacobian, jacobian(values[i].data, forward))
	}
	feeds["weights"] = value{dims: ydims, data: make([]float64, elements(ydims))}
	compareCase(t, rt, c, g, feeds, wrt, want, false)
	if c.batch {
		compareCase(t, rt, c, caseGradient(t, eng, caseModel(t, c, dt, values, true)), feeds, wrt, want, true)
	}
}

// caseValues draws the inputs of a case, and lists those to differentiate by.
func caseValues(c opCase) (values []value, wrt []int) {
	r := rng(7)
	for i, dims := range c.in {
		v := normals(r, elements(dims))
		for j := range v {
			if c.domain != nil {
				v[j] = c.domain(i, v[j])
			}
			v[j] = float64(float32(v[j]))
		}
		values = append(values, value{dims: dims, data: v})
		if !slices.Contains(c.constIn, i) {
			wrt = append(wrt, i)
		}
	}
	return values, wrt
}

func caseGradient(t *testing.T, eng autodiff.Engine, m *onnx.Model) *autodiff.Gradient {
	t.Helper()
	g, err := autodiff.Differentiate(context.Background(), eng, m, autodiff.Options{Losses: []autodiff.Loss{autodiff.DefaultLinear()}})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// declareOutput gives y its type, which spares the runtime a session to infer it.
func declareOutput(t *testing.T, m *onnx.Model, dt onnx.DType, dims []int64) *onnx.Model {
	t.Helper()
	m, err := m.WithDeclared("y", dt, onnx.Dims(dims...)...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// differences is what a gradient graph is compared with.
type differences struct {
	y        []float64
	jacobian [][][]float64 // by input, its element, and output element
	tol      float64
}

// jacobian returns the derivatives of forward by each element of x, by central differences;
// Richardson's extrapolation removes the error in h².
func jacobian(x []float64, forward func() []float64) [][]float64 {
	out := make([][]float64, len(x))
	for e, at := range x {
		diff := func(h float64) []float64 {
			x[e] = at + h
			up := forward()
			x[e] = at - h
			down := forward()
			x[e] = at
			for q := range up {
				up[q] = (up[q] - down[q]) / (2 * h)
			}
			return up
		}
		d1, d2 := diff(1e-4), diff(2e-4)
		for q := range d1 {
			d1[q] = (4*d1[q] - d2[q]) / 3
		}
		out[e] = d1
	}
	return out
}

func compareCase(t *testing.T, rt *rtType, c opCase, g *autodiff.Gradient, feeds map[string]value, wrt []int, want differences, dynamic bool) {
	t.Helper()
	ydims, tol := feeds["weights"].dims, want.tol
	ny := elements(ydims)
	names := []string{"y"}
	shapes := map[string][]int64{"y": ydims}
	for _, i := range wrt {
		n := g.Output("linear", inputName(i))
		names = append(names, n)
		shapes[n] = c.in[i]
	}
	in, _ := g.Model.Input("weights")
	gr := newRunner(t, rt, declareOutput(t, g.Model, in.Type, ydims), feeds, names, shapes)

	// The reference computes what the operator does.
	y := gr.run(t)[0]
	for i, v := range want.y {
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
	for k, i := range wrt {
		for e, column := range want.jacobian[k] {
			for q, d := range column {
				got := rows[q][k][e]
				if !(math.Abs(got-d)/(1+math.Abs(d)) <= tol) {
					t.Fatalf("dynamic=%v: ∂y[%d]/∂x%d[%d] is %.9g, differences give %.9g", dynamic, q, i, e, got, d)
				}
			}
		}
	}
	// A random weighting of all outputs at once: a permuted or shared result cannot hide behind
	// unit vectors.
	w := normals(rng(8), ny)
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
