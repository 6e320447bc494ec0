package autodiff_test

import (
	"fmt"
	"testing"

	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// TestKernelBlocks takes ∂w by gradients held in blocks: of convolutions from few channels, between
// full blocks and to few channels with a bias, with strides, dilations and uneven padding, one
// sample and several (17 fill no blocks), and of values put side by side along the channels. All of
// it, ∂x included, stays in blocks where the provider takes such groups.
func TestKernelBlocks(t *testing.T) {
	rt := runtimetest.Open(t)
	groups, err := autodiff.TakesGroups(t.Context(), autodiff.OnRuntime(rt))
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range []onnx.Window{
		{Kernel: []int64{3, 3}, Pads: []int64{1, 1, 1, 1}},
		{Kernel: []int64{3, 2}, Pads: []int64{0, 1, 2, 0}},
		{Kernel: []int64{3, 3}, Pads: []int64{1, 0, 1, 2}, Strides: []int64{2, 2}},
		{Kernel: []int64{2, 3}, Pads: []int64{2, 2, 1, 3}, Dilations: []int64{2, 3}},
		{Kernel: []int64{2, 2}, Pads: []int64{3, 3, 3, 3}}, // beyond the kernel's extent
	} {
		for _, batch := range []int64{1, 3, 16, 17} {
			t.Run(fmt.Sprint(w, batch), func(t *testing.T) {
				t.Parallel()
				b := onnx.NewBuilder("kernels", 17)
				k := &maker{b: b, t: t, r: rng(uint64(90 + i))}
				x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(3), onnx.Fixed(9), onnx.Fixed(10))
				kh, kw := w.Kernel[0], w.Kernel[1]
				y := b.Tanh(b.Conv(x, k.weight(0.4, 16, 3, kh, kw), k.weight(0.1, 16), w))
				z := b.Tanh(b.Conv(y, k.weight(0.2, 32, 16, 3, 3), onnx.Value{}, onnx.Window{Kernel: []int64{3, 3}, Pads: []int64{1, 1, 1, 1}}))
				z = b.Tanh(b.Conv(b.Concat(1, y, z), k.weight(0.1, 16, 48, kh, kw), k.weight(0.1, 16), w))
				z = b.Tanh(b.Conv(z, k.weight(0.3, 5, 16, kh, kw), k.weight(0.1, 5), w))
				b.OutputUntyped("y", b.Mean(z, false, 2, 3))
				m, err := b.Build()
				if err != nil {
					t.Fatal(err)
				}
				in := map[string]value{"x": {dims: []int64{batch, 3, 9, 10}, data: normals(rng(4), batch*3*9*10)},
					"weights": {dims: []int64{batch, 5}, data: normals(rng(5), batch*5)}}
				wrt := append([]string{"x"}, autodiff.Trainable(m)...)
				sameInputGradients(t, rt, m, in, wrt, autodiff.DefaultLinear(), batch)
				_, g := inputGradients(t, rt, m, in, wrt, autodiff.DefaultLinear(), batch, true)
				// What stays plain: ∂x of the first convolution, to three channels, and phases of
				// strides.
				if n := g.Operators()["Conv"]; groups && n > 1 && len(w.Strides) == 0 && batch != 17 {
					t.Errorf("%d convolutions are not in blocks", n)
				}
			})
		}
	}
}

// TestSmallPictures takes ∂w of convolutions of small pictures with many channels, from an input
// whose channels fill blocks, which both a convolution in blocks and a product of plain values
// read.
func TestSmallPictures(t *testing.T) {
	rt := runtimetest.Open(t)
	b := onnx.NewBuilder("small", 17)
	k := &maker{b: b, t: t, r: rng(31)}
	x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(32), onnx.Fixed(2), onnx.Fixed(3))
	three := onnx.Window{Kernel: []int64{3, 3}, Pads: []int64{1, 1, 1, 1}}
	y := b.Tanh(b.Conv(x, k.weight(0.1, 64, 32, 3, 3), k.weight(0.1, 64), three))
	y = b.Tanh(b.Conv(y, k.weight(0.1, 64, 64, 3, 3), onnx.Value{}, onnx.Window{Kernel: []int64{3, 3}, Pads: []int64{1, 1, 1, 1}, Strides: []int64{2, 2}}))
	y = b.Tanh(b.Conv(y, k.weight(0.1, 48, 64, 1, 1), onnx.Value{}, onnx.Window{Kernel: []int64{1, 1}}))
	b.OutputUntyped("y", b.Mean(y, false, 2, 3))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range []int64{1, 5, 16} {
		in := map[string]value{"x": {dims: []int64{batch, 32, 2, 3}, data: normals(rng(4), batch*32*6)},
			"weights": {dims: []int64{batch, 48}, data: normals(rng(5), batch*48)}}
		wrt := append([]string{"x"}, autodiff.Trainable(m)...)
		sameInputGradients(t, rt, m, in, wrt, autodiff.DefaultLinear(), batch)
	}
}
