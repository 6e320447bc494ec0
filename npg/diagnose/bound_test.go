package diagnose

import (
	"math"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/runtime/onnx"
)

func TestOutputBound(t *testing.T) {
	for name, c := range subtest.Rows(map[string]struct {
		end  func(b *onnx.Builder, x onnx.Value) onnx.Value
		want float64
	}{
		"tanh":           {func(b *onnx.Builder, x onnx.Value) onnx.Value { return b.Tanh(x) }, 1},
		"abs of tanh":    {func(b *onnx.Builder, x onnx.Value) onnx.Value { return b.Abs(b.Tanh(x)) }, 1},
		"half of tanh":   {func(b *onnx.Builder, x onnx.Value) onnx.Value { return b.Mul(b.Scalar(onnx.Float, -0.5), b.Tanh(x)) }, 0.5},
		"tanh over four": {func(b *onnx.Builder, x onnx.Value) onnx.Value { return b.Div(b.Tanh(x), b.Scalar(onnx.Float, 4)) }, 0.25},
		"clip": {func(b *onnx.Builder, x onnx.Value) onnx.Value {
			return b.Clip(x, b.Scalar(onnx.Float, 0.1), b.Scalar(onnx.Float, 3))
		}, 3},
		"clip of tanh": {func(b *onnx.Builder, x onnx.Value) onnx.Value {
			return b.Clip(b.Tanh(x), b.Scalar(onnx.Float, 0.1), b.Scalar(onnx.Float, 3))
		}, 1},
		"clip on one side": {func(b *onnx.Builder, x onnx.Value) onnx.Value {
			return b.Clip(x, b.Scalar(onnx.Float, 0.1), onnx.Value{})
		}, math.Inf(1)},
		"nothing":           {func(b *onnx.Builder, x onnx.Value) onnx.Value { return b.Exp(x) }, math.Inf(1)},
		"product of values": {func(b *onnx.Builder, x onnx.Value) onnx.Value { return b.Mul(b.Tanh(x), x) }, math.Inf(1)},
		"the input":         {func(b *onnx.Builder, x onnx.Value) onnx.Value { return x }, math.Inf(1)},
	}) {
		t.Run(name, func(t *testing.T) {
			b := onnx.NewBuilder("test", 17)
			x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(4))
			b.Output("y", c.end(b, x), onnx.Float, onnx.Sym("N"), onnx.Fixed(4))
			m, err := b.Build()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got := OutputBound(m, ""); got != c.want {
				t.Errorf("%s: bound %v, want %v", name, got, c.want)
			}
		})
	}
}
