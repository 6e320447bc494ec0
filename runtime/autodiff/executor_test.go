package autodiff_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// smallNet is a convolution, a dense layer and their biases: input x [N,2,6,6], 3 logits.
func smallNet(t testing.TB) *onnx.Model {
	t.Helper()
	r := rng(11)
	b := onnx.NewBuilder("small", 17)
	x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(2), onnx.Fixed(6), onnx.Fixed(6))
	weight := func(name string, dims ...int64) onnx.Value {
		w := make([]float32, elements(dims))
		for i := range w {
			w[i] = float32(r.NormFloat64() * 0.3)
		}
		v, err := onnx.NewTensor(name, dims, w)
		if err != nil {
			t.Fatal(err)
		}
		return b.Initializer(v)
	}
	h := b.Relu(b.Conv(x, weight("w1", 16, 2, 3, 3), weight("b1", 16), onnx.Window{Pads: []int64{1, 1, 1, 1}}))
	h = b.Relu(b.Conv(h, weight("w2", 16, 16, 3, 3), weight("b2", 16), onnx.Window{Strides: []int64{2, 2}}))
	h = b.Gemm(b.Flatten(h, 1), weight("w3", 64, 3), weight("b3", 3), false)
	b.Output("logits", h, onnx.Float, onnx.Sym("N"), onnx.Fixed(3))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func smallExecutor(t testing.TB, rt *runtime.Runtime, m *onnx.Model, mode autodiff.WeightMode, cpu bool) *autodiff.Executor {
	t.Helper()
	x, err := autodiff.NewExecutor(context.Background(), rt, m, autodiff.ExecutorOptions{
		Options: autodiff.Options{
			Wrt: append([]string{"x"}, autodiff.Trainable(m)...), Losses: []autodiff.Loss{autodiff.DefaultCrossEntropy()},
			Sizes: map[string]int64{"N": 4}, CPU: cpu,
		},
		Mode:    mode,
		Session: runtime.SessionOptions{IntraOp: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	r := rng(12)
	for i := range x.Floats("x") {
		x.Floats("x")[i] = float32(r.NormFloat64())
	}
	copy(x.Ints("labels"), []int64{0, 1, 2, 1})
	return x
}

// TestExecutorModes trains a small net both ways: same losses, falling.
func TestExecutorModes(t *testing.T) {
	rt := runtimetest.Open(t)
	m := smallNet(t)
	var traces [][]float64
	for _, mode := range []autodiff.WeightMode{autodiff.WeightsAsInputs, autodiff.WeightsAsConstants} {
		for _, cpu := range []bool{false, true} {
			x := smallExecutor(t, rt, m, mode, cpu)
			if x.Mode() != mode {
				t.Errorf("mode %v, want %v", x.Mode(), mode)
			}
			var trace []float64
			for range 12 {
				if err := x.Step(context.Background()); err != nil {
					t.Fatal(err)
				}
				trace = append(trace, x.Loss("loss"))
				for _, w := range x.Weights() {
					g := x.Grad("loss", w)
					for i, v := range g {
						x.Weight(w)[i] -= 0.1 * v
					}
				}
				x.Changed()
			}
			if trace[len(trace)-1] > trace[0]/2 {
				t.Errorf("%v: loss went from %g to %g", mode, trace[0], trace[len(trace)-1])
			}
			traces = append(traces, trace)
			// The weights come out as a model.
			out, err := m.WithFloats(weightsOf(x))
			if err != nil {
				t.Fatal(err)
			}
			w, err := onnx.Float32s(out.Initializer("b3"))
			if err != nil {
				t.Fatal(err)
			}
			if w[0] != x.Weight("b3")[0] {
				t.Errorf("model has b3[0] = %g, executor %g", w[0], x.Weight("b3")[0])
			}
		}
	}
	for i, trace := range traces[1:] {
		for s := range trace {
			if relDiff(trace[s], traces[0][s]) > 1e-3 {
				t.Errorf("variant %d, step %d: loss %g, want %g", i+1, s, trace[s], traces[0][s])
			}
		}
	}
}

func TestExecutorMeasures(t *testing.T) {
	rt := runtimetest.Open(t)
	x := smallExecutor(t, rt, smallNet(t), autodiff.MeasureWeightMode, false)
	if m := x.Mode(); m != autodiff.WeightsAsInputs && m != autodiff.WeightsAsConstants {
		t.Errorf("measured mode is %q", m)
	}
	if err := x.Step(context.Background()); err != nil {
		t.Fatal(err)
	}
	if l := x.Loss("loss"); !(l > 0) || math.IsInf(l, 0) {
		t.Errorf("loss %g", l)
	}
}

// TestRebuildsKeepMemory rebuilds a session 40 times and compares the live objects; with UCAN_LONG
// 1,000 times, and the resident memory as well, which only then would show a leak of one set of
// weights.
func TestRebuildsKeepMemory(t *testing.T) {
	rt := runtimetest.Open(t)
	x := smallExecutor(t, rt, smallNet(t), autodiff.WeightsAsConstants, false)
	n := 40
	if os.Getenv("UCAN_LONG") != "" {
		n = 1000
	}
	step := func() {
		x.Weight("b3")[0] += 1e-3
		x.Changed()
		if err := x.Step(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	for range n / 10 {
		step() // let allocators reach their size
	}
	before, live := residentKB(t), runtime.Live()
	for range n {
		step()
	}
	if got := runtime.Live(); got != live {
		t.Errorf("live objects went from %+v to %+v", live, got)
	}
	// A leak of one set of weights a rebuild would be over 10 KB each.
	if grown := residentKB(t) - before; grown > 4096+int64(n)*2 {
		t.Errorf("%d rebuilds grew the process by %d KB", n, grown)
	}
}

// residentKB returns the resident memory of the process.
func residentKB(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc here to read the memory from")
	}
	for _, line := range strings.Split(string(b), "\n") {
		var kb int64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kb); err == nil {
			return kb
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

func TestExecutorFaults(t *testing.T) {
	rt := runtimetest.Open(t)
	m := smallNet(t)
	for name, o := range subtest.Rows(map[string]autodiff.ExecutorOptions{
		"open batch": {Mode: autodiff.WeightsAsInputs, Options: autodiff.Options{Losses: []autodiff.Loss{autodiff.DefaultCrossEntropy()}}, Session: runtime.SessionOptions{IntraOp: 1}},
		"mode":       {Mode: "other"},
		"no loss":    {Mode: autodiff.WeightsAsInputs},
	}) {
		t.Run(name, func(t *testing.T) {
			if x, err := autodiff.NewExecutor(context.Background(), rt, m, o); err == nil {
				t.Errorf("%s: no error", name)
				_ = x.Close()
			} else if strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %q has several lines", name, err)
			}
		})
	}
}

// TestSeveralLosses differentiates two losses at once and each alone.
func TestSeveralLosses(t *testing.T) {
	rt := runtimetest.Open(t)
	eng := autodiff.OnRuntime(rt)
	m := smallNet(t)
	r := rng(4)
	in := map[string]value{"x": {dims: []int64{3, 2, 6, 6}, data: normals(r, 3*2*36)}, "labels": {dims: []int64{3}, data: []float64{2, 0, 1}}}
	grads := func(losses ...autodiff.Loss) [][]float64 {
		g, err := autodiff.Differentiate(context.Background(), eng, m, autodiff.Options{Losses: losses, Wrt: []string{"x", "w2"}})
		if err != nil {
			t.Fatal(err)
		}
		var outs []string
		shapes := make(map[string][]int64)
		for _, l := range losses {
			outs = append(outs, g.Output(l.Name(), "x"), g.Output(l.Name(), "w2"))
			shapes[outs[len(outs)-2]] = []int64{3, 2, 6, 6}
			shapes[outs[len(outs)-1]] = []int64{16, 16, 3, 3}
		}
		return newRunner(t, rt, g.Model, in, outs, shapes).run(t)
	}
	ce, logit := autodiff.DefaultCrossEntropy(), autodiff.Logit{Class: 2}
	both := grads(ce, logit)
	apart := append(grads(ce), grads(logit)...)
	for i := range both {
		for j := range both[i] {
			if math.Abs(both[i][j]-apart[i][j]) > 1e-5*(1+math.Abs(apart[i][j])) {
				t.Fatalf("gradient %d[%d] is %g together and %g alone", i, j, both[i][j], apart[i][j])
			}
		}
	}
}

// TestUserRules brings a rule for an operator that has none, and replaces one.
func TestUserRules(t *testing.T) {
	rt := runtimetest.Open(t)
	eng := autodiff.OnRuntime(rt)
	b := onnx.NewBuilder("user", 18)
	x := b.Input("x", onnx.Float, onnx.Fixed(3))
	b.Output("y", b.Op("Mish", []onnx.Value{x}), onnx.Float, onnx.Fixed(3))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	opts := autodiff.Options{Losses: []autodiff.Loss{autodiff.DefaultLinear()}}
	var missing *autodiff.MissingRulesError
	if _, err = autodiff.Differentiate(context.Background(), eng, m, opts); !errors.As(err, &missing) || missing.Nodes[0].Operator != "Mish" {
		t.Fatalf("error %v, want a missing rule for Mish", err)
	}
	// A straight-through estimator: ∂x = g.
	opts.Rules = map[string]autodiff.Rule{"Mish": func(c *autodiff.Context) ([]onnx.Value, error) {
		return []onnx.Value{c.Grad(0)}, nil
	}}
	g, err := autodiff.Differentiate(context.Background(), eng, m, opts)
	if err != nil {
		t.Fatal(err)
	}
	in := map[string]value{"x": {dims: []int64{3}, data: []float64{1, 2, 3}}, "weights": {dims: []int64{3}, data: []float64{4, 5, 6}}}
	out := newRunner(t, rt, g.Model, in, []string{"x.grad"}, map[string][]int64{"x.grad": {3}}).run(t)[0]
	if fmt.Sprint(out) != "[4 5 6]" {
		t.Errorf("gradient %v", out)
	}
}

// TestScoreFunction estimates the gradient of a quadratic, whose smoothed gradient is its own.
func TestScoreFunction(t *testing.T) {
	v := []float32{1, -2, 0.5}
	s, err := autodiff.NewScoreFunction([]string{"loss"}, map[string][]float32{"v": v}, func(context.Context) ([]float64, error) {
		sum := 0.0
		for i, x := range v {
			sum += float64(i+1) * float64(x) * float64(x)
		}
		return []float64{sum}, nil
	}, autodiff.ScoreOptions{Sigma: 0.1, Pairs: 20000, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Step(context.Background()); err != nil {
		t.Fatal(err)
	}
	want := []float64{2, -8, 3}
	for i, g := range s.Grad("loss", "v") {
		// The estimate's deviation is about ‖∇‖/√pairs = 0.06.
		if math.Abs(float64(g)-want[i]) > 0.25 {
			t.Errorf("gradient[%d] is %g, want %g", i, g, want[i])
		}
	}
	if s.Loss("loss") != 1+8+0.75 || v[1] != -2 {
		t.Errorf("loss %g, values %v: not restored", s.Loss("loss"), v)
	}
	if _, err := autodiff.NewScoreFunction([]string{"l"}, map[string][]float32{"v": v}, nil, autodiff.ScoreOptions{}); err == nil {
		t.Error("no error for sigma 0")
	}
}

// weightsOf are the present weights of an executor.
func weightsOf(x *autodiff.Executor) map[string][]float32 {
	out := make(map[string][]float32)
	for _, name := range x.Weights() {
		out[name] = x.Weight(name)
	}
	return out
}
