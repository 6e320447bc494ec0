package main

import (
	"path/filepath"
	"strings"
	"testing"

	"ucan/runtime/onnx"
)

// openModel writes a classifier of images of any size.
func openModel(t *testing.T) string {
	t.Helper()
	b := onnx.NewBuilder("open", 18)
	x := b.Input("pixels", onnx.Float, onnx.Sym("N"), onnx.Fixed(3), onnx.Sym("H"), onnx.Sym("W"))
	w, err := onnx.NewTensor("w", []int64{3, 4}, []float32{1, 2, 3, 4, -1, 0, 1, 2, 0.5, -0.5, 2, 1})
	if err != nil {
		t.Fatal(err)
	}
	pooled := b.Op("GlobalAveragePool", []onnx.Value{x})
	b.Output("logits", b.Gemm(b.Flatten(pooled, 1), b.Initializer(w), onnx.Value{}, false), onnx.Float, onnx.Sym("N"), onnx.Fixed(4))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "open.onnx")
	if err := m.Write(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestShape fixes the sizes that a model leaves open, for gradients and for a trial without data.
func TestShape(t *testing.T) {
	t.Parallel()
	model := openModel(t)
	if got := want(t, exitDone, "inspect", model); !strings.Contains(got.stdout, "--shape") {
		t.Errorf("inspect does not name the flag: %s", got.stdout)
	}
	got := want(t, exitDone, "inspect", model, "--shape", "3,8,6", "--gradients", "--check")
	if !strings.Contains(got.stdout, "[3,8,6]") || !strings.Contains(got.stdout, "made-up rows") || !strings.Contains(got.stdout, "checked along") {
		t.Errorf("inspect with a shape ran nothing: %s", got.stdout)
	}
	out := filepath.Join(t.TempDir(), "grad.onnx")
	if got = want(t, exitDone, "grad", model, "--out", out, "--shape", "3,8,6"); !strings.Contains(got.stdout, "float[N,3,8,6]") {
		t.Errorf("the gradient graph has other sizes: %s", got.stdout)
	}
	for _, shape := range []string{"1,8,6", "3,8", "3,0,6", "three", "3,,6"} {
		want(t, exitUsage, "grad", model, "--out", out+"2", "--shape", shape)
	}
}
