package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ucan/runtime/onnx"
)

// tableOfTwo writes a table of three columns and two classes.
func tableOfTwo(t *testing.T) string {
	t.Helper()
	var s strings.Builder
	s.WriteString("a,b,c,label\n")
	for i := range 96 {
		a, b := float64(i*37%96)/96, float64(i*53%96)/96
		label := 0
		if a+b > 1 {
			label = 1
		}
		fmt.Fprintf(&s, "%.4f,%.4f,%.4f,%d\n", a, b, float64(i*11%96)/96, label)
	}
	path := filepath.Join(t.TempDir(), "table.csv")
	if err := os.WriteFile(path, []byte(s.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// tableModel writes a perceptron for tableOfTwo with the given number of scores and ending.
func tableModel(t *testing.T, scores int64, ending func(b *onnx.Builder, z onnx.Value) onnx.Value) string {
	t.Helper()
	b := onnx.NewBuilder("table", 17)
	x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(3))
	w := make([]float32, 3*scores)
	for i := range w {
		w[i] = float32(i%3) - 0.8
	}
	z := b.Gemm(x, onnx.Tensor(b, "w", []int64{3, scores}, w), onnx.Tensor(b, "bias", []int64{scores}, make([]float32, scores)), false)
	b.Output("y", ending(b, z), onnx.Float, onnx.Sym("N"), onnx.Fixed(scores))
	m, err := b.Build()
	path := filepath.Join(t.TempDir(), "table.onnx")
	if err == nil {
		err = m.Write(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTrainOnTables(t *testing.T) {
	t.Parallel()
	data := "csv:" + tableOfTwo(t)
	train := []string{"train", "base", "--data", data, "--sigma", "0.05", "--epochs", "20", "--batch", "16", "--seed", "3", "--hold-out", "16", "--quiet"}
	sigmoid := tableModel(t, 1, func(b *onnx.Builder, z onnx.Value) onnx.Value { return b.Sigmoid(z) })
	composed := tableModel(t, 2, func(b *onnx.Builder, z onnx.Value) onnx.Value {
		e := b.Exp(z)
		return b.Div(e, b.Sum(e, true, 1))
	})
	for name, c := range map[string]struct {
		args   []string
		ending string
	}{
		"mlp":              {[]string{"--arch", "mlp"}, "Gemm"},
		"sigmoid":          {[]string{"--init", sigmoid, "--lr", "0.05"}, "Sigmoid"},
		"composed softmax": {[]string{"--init", composed, "--lr", "0.05"}, "Div"},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "bundle")
			want(t, exitDone, append(append(train[:len(train):len(train)], "--out", out), c.args...)...)
			m, err := onnx.Read(filepath.Join(out, "model.onnx"))
			if err != nil {
				t.Fatal(err)
			}
			nodes := m.Nodes()
			if op := nodes[len(nodes)-1].GetOpType(); op != c.ending {
				t.Errorf("the exported model ends in %s", op)
			}
			got := want(t, exitDone, "predict", "--model", out, "--data", data, "--n", "0", "--quiet", "--format", "json")
			if i := strings.Index(got.stdout, "\"accuracy\":"); i >= 0 {
				var share float64
				if _, err := fmt.Sscanf(got.stdout[i:], "\"accuracy\": %g", &share); err == nil && share < 0.8 {
					t.Errorf("accuracy %v after training", share)
				}
			}
		})
	}
	opaque := tableModel(t, 2, func(b *onnx.Builder, z onnx.Value) onnx.Value {
		q := b.Add(b.Mul(z, z), b.Scalar(onnx.Float, 0.1))
		return b.Div(q, b.Sum(q, true, 1))
	})
	got := want(t, exitRefused, append(append(train[:len(train):len(train)], "--out", filepath.Join(t.TempDir(), "none")), "--init", opaque)...)
	if !strings.Contains(got.stderr, "probabilities") {
		t.Errorf("%q does not say why", got.stderr)
	}
}

// TestGradientsByIntegers expects a refusal with the reason.
func TestGradientsByIntegers(t *testing.T) {
	t.Parallel()
	b := onnx.NewBuilder("bytes", 17)
	x := b.Input("x", onnx.Uint8, onnx.Sym("N"), onnx.Fixed(3))
	b.Output("y", b.MatMul(b.Cast(x, onnx.Float), onnx.Tensor(b, "w", []int64{3, 2}, []float32{1, 2, 3, 4, 5, 7})), onnx.Float, onnx.Sym("N"), onnx.Fixed(2))
	m, err := b.Build()
	path := filepath.Join(t.TempDir(), "bytes.onnx")
	if err == nil {
		err = m.Write(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"inspect", path, "--gradients"}, {"inspect", path, "--gradients", "--check"},
		{"grad", path, "--out", path + ".grad"}, {"grad", path, "--out", path + ".grad", "--wrt", "x"},
	} {
		if got := want(t, exitRefused, args...); !strings.Contains(got.stderr, "uint8") || strings.Contains(got.stderr, "Options") {
			t.Errorf("%v: %q", args, got.stderr)
		}
	}
}
