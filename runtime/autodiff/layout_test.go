package autodiff_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// layoutGradients returns the gradients of m by wrt, in its order, from the plain graph and from
// the one made for the CPU provider.
func layoutGradients(t *testing.T, rt *rtType, m *onnx.Model, in map[string]value, wrt []string, loss autodiff.Loss, batch int64) (plain, cpu [][]float64) {
	t.Helper()
	var grads [2][][]float64
	for i := range grads {
		g, err := autodiff.Differentiate(context.Background(), autodiff.OnRuntime(rt), m, autodiff.Options{
			Losses: []autodiff.Loss{loss}, Wrt: wrt, CPU: i == 1, Sizes: map[string]int64{"N": batch},
		})
		if err != nil {
			t.Fatal(err)
		}
		outs := make([]string, len(wrt))
		shapes := make(map[string][]int64)
		for j, w := range wrt {
			outs[j] = g.Output(loss.Name(), w)
			o, _ := g.Model.Output(outs[j])
			for _, d := range o.Shape {
				shapes[outs[j]] = append(shapes[outs[j]], d.Size)
			}
		}
		grads[i] = newRunner(t, rt, g.Model, in, outs, shapes).run(t)
	}
	return grads[0], grads[1]
}

// sameGradients compares gradients that are sums of many float32 in different orders.
func sameGradients(t *testing.T, wrt []string, plain, cpu [][]float64) {
	t.Helper()
	for j := range wrt {
		scale := norm2(plain[j]) / math.Sqrt(float64(len(plain[j])))
		if scale == 0 {
			t.Errorf("∂%s is 0: nothing is compared", wrt[j])
		}
		for e := range plain[j] {
			if a, b := plain[j][e], cpu[j][e]; !(math.Abs(a-b) <= 1e-4*(scale+math.Abs(a))) {
				t.Fatalf("∂%s[%d] is %g plain and %g for the CPU", wrt[j], e, a, b)
			}
		}
	}
}

// TestCPULayout compares the graph made for the CPU provider with the plain one, by the input and
// by all weights.
func TestCPULayout(t *testing.T) {
	rt := runtimetest.Open(t)
	m := resnet20(t)
	wrt := append([]string{"x"}, autodiff.Trainable(m)...)
	in := map[string]value{"x": {dims: []int64{2, 3, 32, 32}, data: normals(rng(8), 2*3*32*32)}, "labels": {dims: []int64{2}, data: []float64{3, 9}}}
	plain, cpu := layoutGradients(t, rt, m, in, wrt, autodiff.DefaultCrossEntropy(), 2)
	sameGradients(t, wrt, plain, cpu)
}

// TestCPUConvolutions compares the formulations for the CPU provider with the plain ones, which are
// compared with differences elsewhere, in all geometries of the convolution cases, between two
// convolutions and activations.
func TestCPUConvolutions(t *testing.T) {
	rt := runtimetest.Open(t)
	shapes := convShapes()
	one := win{3, 3, 1, 1, 1, 1, 0, 0, 0, 0}
	tight := one
	tight.sh, tight.sw = 3, 3
	shapes = append(shapes,
		convShape{name: "stride cuts off rows", x: []int64{2, 2, 10, 11}, w: []int64{3, 2, 3, 3}, win: tight, group: 1},
		convShape{name: "stride 2 odd", x: []int64{2, 2, 7, 9}, w: []int64{3, 2, 3, 3}, win: win{3, 3, 2, 2, 1, 1, 1, 1, 1, 1}, group: 1},
		convShape{name: "stride beyond the kernel", x: []int64{2, 2, 7, 8}, w: []int64{3, 2, 2, 1}, win: win{2, 1, 3, 3, 1, 1, 0, 0, 0, 0}, group: 1},
	)
	for i, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			leaky := i%2 == 1
			b := onnx.NewBuilder("conv", 17)
			k := &maker{b: b, t: t, r: rng(uint64(40 + i))}
			act := func(v onnx.Value) onnx.Value {
				if leaky {
					return b.LeakyRelu(v, 0.2)
				}
				return b.Relu(v)
			}
			h, w := s.x[2], s.x[3]
			in, out := 16*s.group, 32*s.group
			x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(2), onnx.Fixed(h), onnx.Fixed(w))
			// Of few channels, whose gradient is taken apart by rows.
			y := act(b.Conv(x, k.weight(0.5, in, 2, 3, 2), onnx.Value{}, onnx.Window{Kernel: []int64{3, 2}, Pads: []int64{1, 0, 1, 1}}))
			y = act(b.Op("Conv", []onnx.Value{y, k.weight(0.1, out, in/s.group, s.w[2], s.w[3])}, s.attrs()...))
			b.OutputUntyped("y", b.Conv(y, k.weight(0.3, 3, out, 1, 1), onnx.Value{}, onnx.Window{Kernel: []int64{1, 1}}))
			m, err := b.Build()
			if err != nil {
				t.Fatal(err)
			}
			wrt := []string{"x", "w1", "w2", "w3"}
			r := rng(uint64(i))
			feeds := map[string]value{"x": {dims: []int64{4, 2, h, w}, data: normals(r, 8*h*w)}}
			yd := outputDims(t, autodiff.OnRuntime(rt), m, feeds)
			feeds["weights"] = value{dims: yd, data: normals(r, elements(yd))}
			plain, cpu := layoutGradients(t, rt, m, feeds, wrt, autodiff.DefaultLinear(), 4)
			sameGradients(t, wrt, plain, cpu)
		})
	}
}

// TestCPUPooling compares pooling for the CPU provider with the plain rule, and checks that equal
// maxima share the gradient in both, and that nothing passes where a Relu is off.
func TestCPUPooling(t *testing.T) {
	rt := runtimetest.Open(t)
	for _, relu := range []bool{true, false} {
		b := onnx.NewBuilder("pool", 17)
		x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(16), onnx.Fixed(4), onnx.Fixed(6))
		eye := make([]float32, 16*16)
		for i := range 16 {
			eye[17*i] = 1
		}
		h := b.Conv(x, onnx.Tensor(b, "w", []int64{16, 16, 1, 1}, eye), onnx.Value{}, onnx.Window{Kernel: []int64{1, 1}})
		if relu {
			h = b.Relu(h)
		}
		h = b.MaxPool(h, onnx.Window{Kernel: []int64{2, 3}, Strides: []int64{2, 3}})
		b.Output("y", h, onnx.Float, onnx.Sym("N"), onnx.Fixed(16), onnx.Fixed(2), onnx.Fixed(2))
		m, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		// Small integers: equal maxima, and windows of negative numbers.
		r := rng(3)
		n := int64(2 * 16 * 4 * 6)
		in := make([]float64, n)
		for i := range in {
			in[i] = math.Floor(5*r.Float64()) - 3
		}
		weights := normals(r, 2*16*2*2)
		feeds := map[string]value{"x": {dims: []int64{2, 16, 4, 6}, data: in}, "weights": {dims: []int64{2, 16, 2, 2}, data: weights}}
		plain, cpu := layoutGradients(t, rt, m, feeds, []string{"x"}, autodiff.DefaultLinear(), 2)
		want := sharedMaxima(in, weights, relu)
		for e := range want {
			for name, g := range subtest.Rows(map[string][][]float64{"plain": plain, "for the CPU": cpu}) {
				t.Run(name, func(t *testing.T) {
					if math.Abs(g[0][e]-want[e]) > 1e-6 {
						t.Fatalf("relu %v: ∂x[%d] is %g %s, not %g", relu, e, g[0][e], name, want[e])
					}
				})
			}
		}
	}
}

// sharedMaxima is the gradient of windows 2×3 on planes 4×6.
func sharedMaxima(x, g []float64, relu bool) []float64 {
	out := make([]float64, len(x))
	for p := range len(x) / 24 {
		for w := range 4 {
			var at []int
			best := math.Inf(-1)
			for i := range 2 {
				for j := range 3 {
					e := p*24 + (2*(w/2)+i)*6 + 3*(w%2) + j
					if x[e] > best {
						best, at = x[e], nil
					}
					if x[e] == best {
						at = append(at, e)
					}
				}
			}
			for _, e := range at {
				if !relu || best > 0 {
					out[e] = g[p*4+w] / float64(len(at))
				}
			}
		}
	}
	return out
}

// TestCPUDenseBlock compares weight gradients of convolutions that share an input, which are
// computed together: by weights of their own, by a slice of larger weights, by weights made from
// the input, of another geometry, and with one that the loss does not depend on.
func TestCPUDenseBlock(t *testing.T) {
	rt := runtimetest.Open(t)
	b := onnx.NewBuilder("dense", 17)
	k := &maker{b: b, t: t, r: rng(77)}
	x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(2), onnx.Fixed(6), onnx.Fixed(7))
	pads := onnx.Window{Kernel: []int64{3, 3}, Pads: []int64{1, 1, 1, 1}}
	y := b.Relu(b.Conv(x, k.weight(0.5, 16, 2, 3, 3), onnx.Value{}, pads))
	first := b.Conv(y, k.weight(0.2, 16, 16, 3, 3), onnx.Value{}, pads)
	wide := k.weight(0.2, 16, 32, 3, 3)
	second := b.Conv(b.LeakyRelu(first, 0.2), b.Slice(wide, []int64{16}, []int64{32}, []int64{1}, nil), onnx.Value{}, pads)
	second = b.Add(second, b.Conv(y, b.Slice(wide, []int64{0}, []int64{16}, []int64{1}, nil), onnx.Value{}, pads))
	small := b.Conv(y, k.weight(0.2, 16, 16, 1, 1), onnx.Value{}, onnx.Window{Kernel: []int64{1, 1}})
	// Weights made from the input, which has to get its gradient before anything that waits.
	made := b.Mul(k.weight(0.2, 16, 16, 3, 3), b.Reduce("ReduceMean", x, false, 0, 1, 2, 3))
	small = b.Add(small, b.Conv(y, made, onnx.Value{}, pads))
	idle := b.Conv(y, k.weight(0.2, 16, 16, 3, 3), onnx.Value{}, pads)
	z := b.Sum(b.Relu(b.Add(b.Add(first, second), small)), false, 2, 3)
	b.OutputUntyped("y", b.MatMul(z, k.weight(0.3, 16, 5)))
	b.OutputUntyped("idle", idle)
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	wrt := []string{"x", "w1", "w2", "w3", "w4", "w5", "w7"}
	r := rng(5)
	feeds := map[string]value{"x": {dims: []int64{3, 2, 6, 7}, data: normals(r, 3*2*6*7)}, "weights": {dims: []int64{3, 5}, data: normals(r, 15)}}
	plain, cpu := layoutGradients(t, rt, m, feeds, wrt, autodiff.DefaultLinear(), 3)
	sameGradients(t, wrt, plain, cpu)
}

// TestLeakyReluInBlocks takes slopes on all sides of 0 and 1, whose masks are made in different
// ways, behind convolutions that are read once, so that the activation becomes part of them, or
// twice, and are padded alike or not.
func TestLeakyReluInBlocks(t *testing.T) {
	subtest.Long(t)
	rt := runtimetest.Open(t)
	for i, alpha := range []float32{-0.5, 0, 0.2, 1, 1.5} {
		for _, twice := range []bool{false, true} {
			for _, pads := range [][]int64{{1, 1, 1, 1}, {1, 2, 1, 0}, {0, 0, 2, 2}} {
				t.Run(fmt.Sprintf("%v %v %v", alpha, twice, pads), func(t *testing.T) {
					b := onnx.NewBuilder("conv", 17)
					k := &maker{b: b, t: t, r: rng(uint64(60 + i))}
					x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(2), onnx.Fixed(7), onnx.Fixed(6))
					h := b.Conv(x, k.weight(0.5, 16, 2, 3, 3), k.weight(0.3, 16), onnx.Window{Pads: []int64{1, 1, 1, 1}})
					z := b.Conv(b.LeakyRelu(h, alpha), k.weight(0.2, 16, 16, 3, 3), k.weight(0.3, 16), onnx.Window{Pads: pads})
					y := b.LeakyRelu(z, alpha)
					if twice {
						y = b.Add(y, b.Mul(z, z))
					}
					y = b.Conv(y, k.weight(0.2, 32, 16, 3, 3), onnx.Value{}, onnx.Window{Pads: pads})
					b.OutputUntyped("y", b.Flatten(b.GlobalAveragePool(b.Tanh(y)), 1))
					m, err := b.Build()
					if err != nil {
						t.Fatal(err)
					}
					r := rng(uint64(i))
					in := map[string]value{"x": {dims: []int64{4, 2, 7, 6}, data: normals(r, 4*2*42)}, "weights": {dims: []int64{4, 32}, data: normals(r, 4*32)}}
					sameInputGradients(t, rt, m, in, append([]string{"x"}, autodiff.Trainable(m)...), autodiff.DefaultLinear(), 4)
				})
			}
		}
	}
}

// TestFiltersByTaps has convolutions of so few filters that their taps fit into one block.
func TestFiltersByTaps(t *testing.T) {
	rt := runtimetest.Open(t)
	for i, c := range []struct {
		filters, kernel int64
		window          onnx.Window
		bias            bool
	}{
		{1, 3, onnx.Window{Pads: []int64{1, 1, 1, 1}}, true},
		{1, 3, onnx.Window{Pads: []int64{0, 2, 1, 1}}, false},
		{1, 3, onnx.Window{Pads: []int64{2, 2, 2, 2}, Dilations: []int64{2, 2}}, true},
		{1, 3, onnx.Window{Pads: []int64{1, 1, 1, 1}, Strides: []int64{2, 2}}, true},
		{1, 4, onnx.Window{}, true},
		{3, 2, onnx.Window{Pads: []int64{1, 0, 0, 1}}, false}, // too few
		{2, 3, onnx.Window{Pads: []int64{1, 1, 1, 1}}, true},  // too many
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			b := onnx.NewBuilder("conv", 17)
			k := &maker{b: b, t: t, r: rng(uint64(80 + i))}
			x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(2), onnx.Fixed(7), onnx.Fixed(6))
			h := b.LeakyRelu(b.Conv(x, k.weight(0.5, 32, 2, 3, 3), k.weight(0.3, 32), onnx.Window{Pads: []int64{1, 1, 1, 1}}), 0.2)
			var bias onnx.Value
			if c.bias {
				bias = k.weight(0.3, c.filters)
			}
			y := b.Tanh(b.Conv(h, k.weight(0.2, c.filters, 32, c.kernel, c.kernel), bias, c.window))
			b.OutputUntyped("y", b.Flatten(b.GlobalAveragePool(b.Mul(y, y)), 1))
			m, err := b.Build()
			if err != nil {
				t.Fatal(err)
			}
			r := rng(uint64(i))
			in := map[string]value{"x": {dims: []int64{4, 2, 7, 6}, data: normals(r, 4*2*42)}, "weights": {dims: []int64{4, c.filters}, data: normals(r, 4*c.filters)}}
			sameInputGradients(t, rt, m, in, append([]string{"x"}, autodiff.Trainable(m)...), autodiff.DefaultLinear(), 4)
		})
	}
}
