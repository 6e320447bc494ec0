package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ucan/runtime/onnx"
)

// gradModel writes a small classifier [N,3,4,4] → 5; with missing, operators that have no gradient
// rule stand in the way.
func gradModel(t *testing.T, missing bool) string {
	t.Helper()
	b := onnx.NewBuilder("small", 18)
	x := b.Input("pixels", onnx.Float, onnx.Sym("N"), onnx.Fixed(3), onnx.Fixed(4), onnx.Fixed(4))
	weights := func(name string, dims ...int64) onnx.Value {
		n := int64(1)
		for _, d := range dims {
			n *= d
		}
		w := make([]float32, n)
		for i := range w {
			w[i] = float32(i*37%19)/19 - 0.5
		}
		v, err := onnx.NewTensor(name, dims, w)
		if err != nil {
			t.Fatal(err)
		}
		return b.Initializer(v)
	}
	h := b.Relu(b.Conv(x, weights("kernel", 4, 3, 3, 3), onnx.Value{}, onnx.Window{Pads: []int64{1, 1, 1, 1}}))
	if missing {
		h = b.Op("Mish", []onnx.Value{b.Op("Hardmax", []onnx.Value{h})})
	}
	b.Output("logits", b.Gemm(b.Flatten(h, 1), weights("dense", 64, 5), onnx.Value{}, false), onnx.Float, onnx.Sym("N"), onnx.Fixed(5))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "small.onnx")
	if err := m.Write(path); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestGradWritesAModel(t *testing.T) {
	t.Parallel()
	model := gradModel(t, false)
	out := filepath.Join(t.TempDir(), "grad.onnx")
	got := want(t, exitDone, "grad", model, "--out", out, "--wrt", "input,kernel", "--format", "json")
	var rec gradRecord
	if err := json.Unmarshal([]byte(got.stdout), &rec); err != nil {
		t.Fatal(err)
	}
	if rec.Gradients["pixels"] != "pixels.grad" || rec.Gradients["kernel"] != "kernel.grad" || rec.Nodes <= rec.ForwardNodes {
		t.Errorf("record %+v", rec)
	}
	m, err := onnx.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprint(m.Inputs()); s != "[pixels: float[N,3,4,4] kernel: float[4,3,3,3] labels: int64[N]]" {
		t.Errorf("inputs %s", s)
	}
	if s := fmt.Sprint(m.Outputs()); s != "[logits: float[N,5] loss: float[] pixels.grad: float[N,3,4,4] kernel.grad: float[4,3,3,3]]" {
		t.Errorf("outputs %s", s)
	}
	for domain := range m.Opsets() {
		if domain != "" {
			t.Errorf("the graph needs operators of %q; it should be plain ONNX", domain)
		}
	}
	want(t, exitUsage, "grad", model, "--out", out) // it exists
}

// TestGradTellsNewNames has a model whose values are called what the command calls its own.
func TestGradTellsNewNames(t *testing.T) {
	t.Parallel()
	m, err := onnx.Read(gradModel(t, false))
	if err == nil {
		m, err = m.Renamed(map[string]string{"pixels": "labels", "kernel": "loss", "logits": "labels.grad"})
	}
	model := filepath.Join(t.TempDir(), "names.onnx")
	if err == nil {
		err = m.Write(model)
	}
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "grad.onnx")
	got := want(t, exitDone, "grad", model, "--out", out, "--format", "json")
	var rec gradRecord
	if err := json.Unmarshal([]byte(got.stdout), &rec); err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprint(rec.Renamed); s != "map[labels:labels_1 labels.grad:labels.grad_1 loss:loss_1]" {
		t.Errorf("renamed %s", s)
	}
	if rec.Gradients["labels"] != "labels.grad_1" || rec.Losses[0] != "loss_1" {
		t.Errorf("record %+v", rec)
	}
	got = want(t, exitDone, "grad", model, "--out", out+".onnx")
	if !strings.Contains(got.stdout, "labels is called labels_1") {
		t.Errorf("%q does not name the new input", got.stdout)
	}
}

func TestGradFaults(t *testing.T) {
	t.Parallel()
	model := gradModel(t, false)
	out := filepath.Join(t.TempDir(), "grad.onnx")
	want(t, exitUsage, "grad", model)
	want(t, exitUsage, "grad", "--out", out)
	want(t, exitUsage, "grad", model, "--out", out, "--loss", "mse")
	want(t, exitUsage, "grad", model, "--out", out, "--wrt", "none")
	want(t, exitFailed, "grad", filepath.Join(t.TempDir(), "missing.onnx"), "--out", out)
	torn := filepath.Join(t.TempDir(), "torn.onnx")
	if err := os.WriteFile(torn, []byte("no model at all"), 0o644); err != nil {
		t.Fatal(err)
	}
	want(t, exitFailed, "grad", torn, "--out", out)
	got := want(t, exitRefused, "grad", gradModel(t, true), "--out", out)
	for _, op := range []string{"Hardmax", "Mish"} {
		if !strings.Contains(got.stderr, op) {
			t.Errorf("%q does not name %s", got.stderr, op)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a failing command left a file")
	}
}

func TestInspectGradients(t *testing.T) {
	t.Parallel()
	got := want(t, exitDone, "inspect", gradModel(t, false), "--gradients", "--check", "--format", "json")
	var rep struct{ Gradients gradientReport }
	if err := json.Unmarshal([]byte(got.stdout), &rep); err != nil {
		t.Fatal(err)
	}
	g := rep.Gradients
	if !g.Differentiable || g.Check == nil || g.Check.MaxRelativeError > maxGradientError || g.Check.WrongDirections+g.Check.UndecidedDirections > 0 || g.Check.Zero || len(g.Missing) != 0 || g.Nodes == 0 {
		t.Errorf("report %+v", g)
	}
	got = want(t, exitRefused, "inspect", gradModel(t, true), "--gradients", "--format", "json")
	if err := json.Unmarshal([]byte(got.stdout), &rep); err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprint(rep.Gradients.Missing); rep.Gradients.Differentiable || s != "[Hardmax Mish]" {
		t.Errorf("missing %s", s)
	}
	want(t, exitUsage, "inspect", gradModel(t, false), "--check")
}
