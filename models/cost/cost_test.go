package cost

import (
	"testing"

	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// TestCountsByHand compares with counts made by hand.
func TestCountsByHand(t *testing.T) {
	engine := autodiff.OnRuntime(runtimetest.Open(t))
	n := onnx.Sym("N")
	image := []onnx.Dim{n, onnx.Fixed(2), onnx.Fixed(8), onnx.Fixed(8)}
	row := []onnx.Dim{n, onnx.Fixed(6)}
	weights := func(b *onnx.Builder, dims ...int64) onnx.Value {
		count, err := onnx.Elements(dims)
		if err != nil {
			return b.Fail(err)
		}
		return onnx.Tensor(b, "w", dims, make([]float32, count))
	}
	stride := onnx.Window{Kernel: []int64{3, 3}, Strides: []int64{2, 2}, Pads: []int64{1, 1, 1, 1}}
	for name, c := range map[string]struct {
		dims  []onnx.Dim
		build func(b *onnx.Builder, x onnx.Value) onnx.Value
		want  int64
	}{
		// 5 channels of 4×4, each of 2·3·3 terms, and a second one that halves them again.
		"strided convolutions": {image, func(b *onnx.Builder, x onnx.Value) onnx.Value {
			x = b.Conv(x, weights(b, 5, 2, 3, 3), weights(b, 5), stride)
			return b.Conv(x, weights(b, 4, 5, 3, 3), weights(b, 4), stride)
		}, 5*16*18 + 4*4*45},
		"grouped convolution": {image, func(b *onnx.Builder, x onnx.Value) onnx.Value {
			return b.Op("Conv", []onnx.Value{x, weights(b, 4, 1, 3, 3)}, onnx.Int("group", 2))
		}, 4 * 36 * 9},
		// Each of the 2·64 values goes to 3·2·2 others.
		"transposed convolution": {image, func(b *onnx.Builder, x onnx.Value) onnx.Value {
			return b.Op("ConvTranspose", []onnx.Value{x, weights(b, 2, 3, 2, 2)}, onnx.Ints("strides", 2, 2))
		}, 128 * 12},
		"products": {row, func(b *onnx.Builder, x onnx.Value) onnx.Value {
			return b.MatMul(b.Gemm(x, weights(b, 7, 6), weights(b, 7), true), weights(b, 7, 3))
		}, 42 + 21},
		"product from the left": {image, func(b *onnx.Builder, x onnx.Value) onnx.Value {
			return b.MatMul(weights(b, 3, 8), x)
		}, 2 * 3 * 8 * 8},
		"nothing to count": {row, func(b *onnx.Builder, x onnx.Value) onnx.Value { return b.Relu(x) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := onnx.NewBuilder("cost", 17)
			b.OutputUntyped("y", c.build(b, b.Input("x", onnx.Float, c.dims...)))
			m, err := b.Build()
			if err != nil {
				t.Fatal(err)
			}
			got, err := MultiplyAdds(t.Context(), engine, m)
			if err != nil || got != c.want {
				t.Errorf("%d multiply–adds, %v; want %d", got, err, c.want)
			}
		})
	}
	b := onnx.NewBuilder("open", 17)
	b.OutputUntyped("y", b.MatMul(b.Input("x", onnx.Float, n, onnx.Sym("L"), onnx.Fixed(3)), weights(b, 3, 2)))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if _, err = MultiplyAdds(t.Context(), engine, m); err == nil {
		t.Error("a graph whose rows are of open size was counted")
	}
}
