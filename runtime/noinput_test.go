package runtime_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// A graph of constants has no inputs, which the binding's ordinary way of
// running does not take.
func TestRunWithoutInputs(t *testing.T) {
	rt := runtimetest.Open(t)
	b := onnx.NewBuilder("constants", 17)
	x := onnx.Tensor(b, "c", []int64{3}, []float32{1, 2, 3})
	b.Output("sum", b.Add(x, b.Scalar(onnx.Float, 10)), onnx.Float, onnx.Fixed(3))
	b.Output("product", b.Mul(x, x), onnx.Float, onnx.Fixed(3))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	data, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s := newSession(t, rt, data, one())
	sum, product := make([]float32, 3), make([]float32, 3)
	outs := list(newTensor(t, rt, []int64{3}, sum), newTensor(t, rt, []int64{3}, product))
	for range 2 {
		clear(sum)
		if err := s.Run(t.Context(), nil, outs); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(sum, []float32{11, 12, 13}) || !slices.Equal(product, []float32{1, 4, 9}) {
			t.Fatalf("the constants are %v and %v", sum, product)
		}
	}
	if err := s.Run(t.Context(), nil, outs[:1]); !errors.Is(err, runtime.ErrTensor) {
		t.Errorf("a missing output gives %v", err)
	}
	bad := newTensor(t, rt, []int64{2}, make([]float32, 2))
	if err := s.Run(t.Context(), nil, list(outs[0], bad)); err == nil {
		t.Error("an output of the wrong size is accepted")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx, nil, outs); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled context gives %v", err)
	}
}
