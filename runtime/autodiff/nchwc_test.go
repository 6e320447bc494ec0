package autodiff_test

import (
	"context"
	"math"
	"testing"

	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// inputGradients returns the gradients of m by wrt, weights being inputs, and the graph that
// computes them.
func inputGradients(t *testing.T, rt *rtType, m *onnx.Model, in map[string]value, wrt []string, loss autodiff.Loss, batch int64, cpu bool) ([][]float64, *onnx.Model) {
	t.Helper()
	g, err := autodiff.Differentiate(context.Background(), autodiff.OnRuntime(rt), m, autodiff.Options{
		Losses: []autodiff.Loss{loss}, Wrt: wrt, CPU: cpu, Promote: true, Sizes: map[string]int64{"N": batch},
	})
	if err != nil {
		t.Fatal(err)
	}
	feeds := make(map[string]value)
	for name, v := range in {
		feeds[name] = v
	}
	for _, name := range g.Promoted {
		w, err := onnx.Float32s(m.Initializer(name))
		if err != nil {
			t.Fatal(err)
		}
		v := value{dims: m.Initializer(name).GetDims()}
		for _, x := range w {
			v.data = append(v.data, float64(x))
		}
		feeds[name] = v
	}
	outs, shapes := make([]string, len(wrt)), make(map[string][]int64)
	for j, w := range wrt {
		outs[j] = g.Output(loss.Name(), w)
		o, _ := g.Model.Output(outs[j])
		for _, d := range o.Shape {
			shapes[outs[j]] = append(shapes[outs[j]], d.Size)
		}
	}
	return newRunner(t, rt, g.Model, feeds, outs, shapes).run(t), g.Model
}

// sameInputGradients compares the graph in the provider's blocks with the plain one, both with
// weights as inputs.
func sameInputGradients(t *testing.T, rt *rtType, m *onnx.Model, in map[string]value, wrt []string, loss autodiff.Loss, batch int64) {
	t.Helper()
	plain, _ := inputGradients(t, rt, m, in, wrt, loss, batch, false)
	got, g := inputGradients(t, rt, m, in, wrt, loss, batch, true)
	if g.Operators()["com.microsoft.nchwc.Conv"] == 0 {
		t.Errorf("no convolution is in blocks: %v", g.Operators())
	}
	for j, w := range wrt {
		var d float64
		for e := range plain[j] {
			d += (plain[j][e] - got[j][e]) * (plain[j][e] - got[j][e])
		}
		if n := norm2(plain[j]); n == 0 || !(math.Sqrt(d) <= 5e-4*n) {
			t.Errorf("∂%s differs by %g of its norm %g", w, math.Sqrt(d)/n, n)
		}
	}
}

// TestInputBlocks runs convolutions of all geometries, activations, pooling, normalisation, sums
// and reductions in blocks with weights as inputs.
func TestInputBlocks(t *testing.T) {
	rt := runtimetest.Open(t)
	for i, s := range convShapes() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			b := onnx.NewBuilder("conv", 17)
			k := &maker{b: b, t: t, r: rng(uint64(60 + i))}
			in, out := 16*s.group, 32*s.group
			x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(2), onnx.Fixed(s.x[2]), onnx.Fixed(s.x[3]))
			y := b.Tanh(b.Conv(x, k.weight(0.5, in, 2, 3, 3), k.weight(0.1, in), onnx.Window{Pads: []int64{1, 1, 1, 1}}))
			y = b.LeakyRelu(b.Op("Conv", []onnx.Value{y, k.weight(0.1, out, in/s.group, s.w[2], s.w[3])}, s.attrs()...), 0.2)
			y = b.BatchNorm(y, k.around(out), k.weight(0.1, out), k.weight(0.1, out), k.around(out), 1e-5)
			// A residual sum, and reductions that keep to one layout.
			y = b.Add(b.Tanh(y), b.Conv(y, k.weight(0.1, out, out, 1, 1), k.weight(0.1, out), onnx.Window{Kernel: []int64{1, 1}}))
			v := b.Mean(b.Mul(y, y), true, 0, 2, 3)
			y = b.Mul(b.Sub(y, b.Mean(y, true, 0)), b.Sigmoid(v))
			b.OutputUntyped("y", b.Flatten(b.GlobalAveragePool(y), 1))
			m, err := b.Build()
			if err != nil {
				t.Fatal(err)
			}
			r := rng(uint64(i))
			n := 4 * 2 * s.x[2] * s.x[3]
			in4 := map[string]value{"x": {dims: []int64{4, 2, s.x[2], s.x[3]}, data: normals(r, n)}, "weights": {dims: []int64{4, out}, data: normals(r, 4*out)}}
			sameInputGradients(t, rt, m, in4, append([]string{"x"}, autodiff.Trainable(m)...), autodiff.DefaultLinear(), 4)
		})
	}
}

// TestInputBlocksNetwork covers pooling and a dense head.
func TestInputBlocksNetwork(t *testing.T) {
	rt := runtimetest.Open(t)
	m := mnistCNN(t)
	in := map[string]value{"x": {dims: []int64{2, 1, 28, 28}, data: normals(rng(9), 2*28*28)}, "labels": {dims: []int64{2}, data: []float64{3, 9}}}
	sameInputGradients(t, rt, m, in, append([]string{"x"}, autodiff.Trainable(m)...), autodiff.DefaultCrossEntropy(), 2)
}
