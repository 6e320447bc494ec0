package main

import (
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"ucan/models/declare"
	"ucan/runtime/onnx"
)

// TestTies: inputs without a class because two share the best score are called ties.
func TestTies(t *testing.T) {
	t.Parallel()
	b := onnx.NewBuilder("ties", 18)
	x := b.Input("pixels", onnx.Float, onnx.Sym("N"), onnx.Fixed(1), onnx.Fixed(28), onnx.Fixed(28))
	w, err := onnx.NewTensor("w", []int64{784, 10}, make([]float32, 7840)) // all scores are 0
	if err != nil {
		t.Fatal(err)
	}
	b.Output("logits", b.Gemm(b.Flatten(x, 1), b.Initializer(w), onnx.Value{}, false), onnx.Float, onnx.Sym("N"), onnx.Fixed(10))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ties.onnx")
	if err := m.Write(path); err != nil {
		t.Fatal(err)
	}
	got := want(t, exitDone, "predict", "--n", "0", "--model", path, "--data", "digits?n=20", "--force", "--format", "json")
	var total prediction
	if err := json.Unmarshal([]byte(got.stdout), &total); err != nil {
		t.Fatal(err)
	}
	if total.Ties != 20 || total.Abstained != 20 || !strings.Contains(got.stderr, "20 of 20 inputs tie between classes") {
		t.Errorf("%+v, %s", total, got.stderr)
	}
}

func TestTied(t *testing.T) {
	t.Parallel()
	nan := float32(math.NaN())
	for _, c := range []struct {
		scores   []float32
		decision declare.DecisionKind
		want     bool
	}{
		{[]float32{1, 2, 2}, declare.Argmax, true},
		{[]float32{1, 1, 2}, declare.Argmax, false},
		{[]float32{1, 1, 2}, declare.Argmin, true},
		{[]float32{1, nan, 1}, declare.Argmax, false},
	} {
		if got := tied(c.scores, c.decision); got != c.want {
			t.Errorf("%v by %s: %v", c.scores, c.decision, got)
		}
	}
}
