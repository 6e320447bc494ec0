package models_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ucan/models"
	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// heavy writes a linear classifier whose weight takes 80 MB.
func heavy(t *testing.T) string {
	t.Helper()
	const dim, classes = 20_000, 1_000
	w := make([]float32, dim*classes)
	for i := range w {
		w[i] = float32(i%1009)/1009 - 0.5
	}
	weight, err := onnx.NewTensor("w", []int64{dim, classes}, w)
	if err != nil {
		t.Fatal(err)
	}
	b := onnx.NewBuilder("heavy", 17)
	x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(dim))
	b.Output("y", b.MatMul(x, b.Initializer(weight)), onnx.Float, onnx.Sym("N"), onnx.Fixed(classes))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "heavy.onnx")
	if err := m.Write(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestInspectLeavesLargeWeights: a large file is inspected without its weights in memory, through
// a link too, and one that changes meanwhile is not reported on.
func TestInspectLeavesLargeWeights(t *testing.T) {
	rt := runtimetest.Open(t)
	path := heavy(t)
	if n, err := models.MappedTensors(path); err != nil || n != 1 {
		t.Fatalf("%d tensors stay in the file (%v); the weight should", n, err)
	}
	want, err := models.Inspect(t.Context(), path, models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.onnx")
	if err = os.Symlink(path, link); err != nil {
		t.Skip("no links here:", err)
	}
	var got models.Report
	for _, p := range []string{path, link} {
		if got, err = models.InspectRun(t.Context(), p, models.Options{}, func() (*runtime.Runtime, error) { return rt, nil }); err != nil {
			t.Fatal(err)
		}
		if got.SHA256 != want.SHA256 || got.Classes != 1000 || !got.Rows.Proved || got.Probe == nil || got.Examination == nil {
			t.Errorf("%s: the report is %+v", filepath.Base(p), got)
		}
	}
	later := time.Now().Add(time.Hour)
	_, err = models.InspectRun(t.Context(), path, models.Options{}, func() (*runtime.Runtime, error) {
		return rt, os.Chtimes(path, later, later)
	})
	if err == nil || !strings.Contains(err.Error(), "changed while") {
		t.Errorf("the file was written to while it was looked at: %v", err)
	}
}

// TestSmallWeightsAreRead: what an edit or a proof may want to see is in memory.
func TestSmallWeightsAreRead(t *testing.T) {
	if n, err := models.MappedTensors(plain(t, 17, "N").node("Identity", "l", "y").scores("N").write()); err != nil || n != 0 {
		t.Errorf("%d tensors of a small model stay in the file (%v)", n, err)
	}
}
