package runtime_test

import (
	"context"
	"testing"

	ort "github.com/yalue/onnxruntime_go"

	"ucan/runtime"
	"ucan/runtime/runtimetest"
)

// BenchmarkRun compares a Run of the smallest graph with the binding's own
// call: the difference is what this package costs.
func BenchmarkRun(b *testing.B) {
	rt := runtimetest.Open(b)
	s, err := rt.NewSession(b.Context(), runtime.TinyModel(), one())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	x, y := newTensor(b, rt, []int64{2, 3}, runtime.TinyInput()), newTensor(b, rt, []int64{2, 2}, make([]float32, 4))
	in, out := list(x), list(y)
	b.Run("binding", func(b *testing.B) {
		bare, err := ort.NewDynamicAdvancedSessionWithONNXData(runtime.TinyModel(), []string{"x"}, []string{"y"}, nil)
		if err != nil {
			b.Fatal(err)
		}
		defer bare.Destroy()
		bx, err := ort.NewTensor(ort.NewShape(2, 3), runtime.TinyInput())
		if err != nil {
			b.Fatal(err)
		}
		defer bx.Destroy()
		by, err := ort.NewEmptyTensor[float32](ort.NewShape(2, 2))
		if err != nil {
			b.Fatal(err)
		}
		defer by.Destroy()
		b.ReportAllocs()
		for b.Loop() {
			if err := bare.Run([]ort.Value{bx}, []ort.Value{by}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("session", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := s.Run(context.Background(), in, out); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("session-cancellable", func(b *testing.B) {
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		b.ReportAllocs()
		for b.Loop() {
			if err := s.Run(ctx, in, out); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkNewSession is the price of a session of the smallest graph.
func BenchmarkNewSession(b *testing.B) {
	rt := runtimetest.Open(b)
	b.ReportAllocs()
	for b.Loop() {
		s, err := rt.NewSession(b.Context(), runtime.TinyModel(), one())
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
