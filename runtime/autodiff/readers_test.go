package autodiff_test

import (
	"testing"

	"ucan/fixtures/subtest"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// reader is a convolution of a picture of 16 channels, 12×12, to 16.
type reader struct{ kernel, stride, pad, dilation, group int64 }

// TestReadersOfOnePicture compares the gradients of a picture that several convolutions read, which
// are added between the nodes, with those of the plain graph.
func TestReadersOfOnePicture(t *testing.T) {
	rt := runtimetest.Open(t)
	point := reader{1, 2, 0, 1, 1}
	for name, readers := range subtest.Rows(map[string][]reader{
		"two strided 1x1":           {point, point},
		"three strided 1x1":         {point, point, point},
		"1x1 stride 3":              {{1, 3, 0, 1, 1}, {1, 3, 0, 1, 1}},
		"1x1 strides 2 and 3":       {point, {1, 3, 0, 1, 1}},
		"1x1 and 3x3, stride 2":     {point, {3, 2, 1, 1, 1}},
		"1x1 and 3x3, stride 3":     {{1, 3, 0, 1, 1}, {3, 3, 0, 1, 1}, {1, 3, 0, 1, 1}},
		"2x2 stride 4":              {{2, 4, 0, 1, 1}, {2, 4, 0, 1, 1}},
		"strided 1x1 and one whole": {point, point, {1, 1, 0, 1, 1}},
		"depthwise":                 {{3, 2, 1, 1, 16}, {1, 2, 0, 1, 16}, point},
		"grouped":                   {{1, 2, 0, 1, 2}, {1, 2, 0, 1, 4}, point, point},
		"dilated":                   {{2, 2, 0, 2, 1}, point, point},
	}) {
		t.Run(name, func(t *testing.T) {
			for _, after := range []string{"Relu", "input", "MaxPool"} {
				m := readersModel(t, readers, after)
				r := rng(5)
				in := map[string]value{"x": {dims: []int64{3, 16, 12, 12}, data: normals(r, 3*16*144)}, "weights": {dims: []int64{3, 16}, data: normals(r, 3*16)}}
				wrt := append([]string{"x"}, autodiff.Trainable(m)...)
				plain, cpu := layoutGradients(t, rt, m, in, wrt, autodiff.DefaultLinear(), 3)
				sameGradients(t, wrt, plain, cpu)
				plain, cpu = layoutGradients(t, rt, m, in, wrt[:1], autodiff.DefaultLinear(), 3)
				sameGradients(t, wrt[:1], plain, cpu)
			}
		})
	}
}

// readersModel has the convolutions read a picture that the named operator makes, and adds up what
// they return.
func readersModel(t *testing.T, readers []reader, after string) *onnx.Model {
	t.Helper()
	b := onnx.NewBuilder("readers", 17)
	k := &maker{b: b, t: t, r: rng(91)}
	h := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(16), onnx.Fixed(12), onnx.Fixed(12))
	switch after {
	case "Relu":
		h = b.Relu(b.Conv(h, k.weight(0.2, 16, 16, 3, 3), k.weight(0.3, 16), onnx.Window{Pads: []int64{1, 1, 1, 1}}))
	case "MaxPool":
		h = b.MaxPool(h, onnx.Window{Kernel: []int64{3, 3}, Pads: []int64{1, 1, 1, 1}})
	}
	var sum onnx.Value
	for _, r := range readers {
		w := k.weight(0.3, 16, 16/r.group, r.kernel, r.kernel)
		y := b.Op("Conv", []onnx.Value{h, w}, onnx.Ints("strides", r.stride, r.stride), onnx.Ints("pads", r.pad, r.pad, r.pad, r.pad),
			onnx.Ints("dilations", r.dilation, r.dilation), onnx.Int("group", r.group))
		y = b.Flatten(b.GlobalAveragePool(b.Tanh(y)), 1)
		if sum.IsZero() {
			sum = y
		} else {
			sum = b.Add(sum, y)
		}
	}
	b.OutputUntyped("y", sum)
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return m
}
