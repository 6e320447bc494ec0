package autodiff_test

import (
	"context"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// TestComputedArguments has operators whose arguments are computed from constants and sizes, as
// exporters write them.
func TestComputedArguments(t *testing.T) {
	rt := runtimetest.Open(t)
	size := func(b *onnx.Builder, x onnx.Value, axis int64) onnx.Value {
		return b.Unsqueeze(b.Gather(b.Shape(x), b.Int64(axis), 0), 0)
	}
	for name, layer := range subtest.Rows(map[string]func(b *onnx.Builder, x onnx.Value) onnx.Value{
		"Slice to half of a size": func(b *onnx.Builder, x onnx.Value) onnx.Value {
			half := b.Div(size(b, x, 2), b.Ints(2))
			return b.Op("Slice", []onnx.Value{x, b.Ints(0), half, b.Ints(2), b.Ints(1)})
		},
		"Slice to a size by Cast": func(b *onnx.Builder, x onnx.Value) onnx.Value {
			end := b.Cast(b.Op("Floor", []onnx.Value{b.Mul(b.Cast(size(b, x, 3), onnx.Float), b.Scalar(onnx.Float, 0.5))}), onnx.Int64)
			return b.Op("Slice", []onnx.Value{x, b.Ints(1), end, b.Ints(3)})
		},
		"Pad by Concat and Cast": func(b *onnx.Builder, x onnx.Value) onnx.Value {
			some := b.Cast(b.Ints(0, 0, 1, 2), onnx.Int32)
			none := b.Cast(b.Op("ConstantOfShape", []onnx.Value{b.Ints(4)}), onnx.Int32)
			return b.Op("Pad", []onnx.Value{x, b.Cast(b.Concat(0, some, none), onnx.Int64)})
		},
		"Pad to a size": func(b *onnx.Builder, x onnx.Value) onnx.Value {
			more := b.Sub(b.Ints(10), size(b, x, 2))
			return b.Op("Pad", []onnx.Value{x, b.Concat(0, b.Ints(0, 0), more, b.Ints(0, 0, 0, 0, 0))})
		},
		"Reshape by the batch": func(b *onnx.Builder, x onnx.Value) onnx.Value {
			y := b.ReshapeTo(x, b.Concat(0, size(b, x, 0), b.Ints(-1)))
			return b.ReshapeTo(y, b.Concat(0, size(b, x, 0), size(b, x, 1), b.Ints(-1, 1)))
		},
		"Expand and Tile": func(b *onnx.Builder, x onnx.Value) onnx.Value {
			y := b.Mean(x, true, 2)
			return b.Expand(y, b.Concat(0, b.Ints(1, 1), size(b, x, 2), b.Ints(1)))
		},
		"Tile by a size": func(b *onnx.Builder, x onnx.Value) onnx.Value {
			return b.Op("Tile", []onnx.Value{b.Mean(x, true, 2), b.Concat(0, b.Ints(1, 1), size(b, x, 2), b.Ints(1))})
		},
		"Resize by scales": func(b *onnx.Builder, x onnx.Value) onnx.Value {
			two := b.Cast(b.Concat(0, b.Ints(1), b.Ints(1), b.Ints(2), b.Ints(2)), onnx.Float)
			return b.Op("Resize", []onnx.Value{x, {}, two}, onnx.Str("mode", "nearest"))
		},
		"Resize to sizes": func(b *onnx.Builder, x onnx.Value) onnx.Value {
			sizes := b.Concat(0, size(b, x, 0), size(b, x, 1), b.Ints(12, 12))
			return b.Op("Resize", []onnx.Value{x, {}, {}, sizes}, onnx.Str("mode", "linear"))
		},
	}) {
		t.Run(name, func(t *testing.T) {
			b := onnx.NewBuilder("arguments", 17)
			k := &maker{b: b, t: t, r: rng(3)}
			y := layer(b, b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(3), onnx.Fixed(8), onnx.Fixed(6)))
			y = b.Flatten(b.GlobalAveragePool(b.Tanh(y)), 1)
			m := k.build(b.MatMul(y, k.weight(1, 3, 4)), 4)
			for _, plain := range []bool{false, true} {
				o := autodiff.DefaultCheckOptions()
				o.Plain, o.Batch = plain, 2
				r, err := autodiff.Check(context.Background(), rt, m, o)
				if err != nil || r.WrongDirections > 0 || r.UndecidedDirections > r.Directions/2 || r.GradientNorm == 0 {
					t.Errorf("plain %v: %+v, %v", plain, r, err)
				}
			}
		})
	}
}
