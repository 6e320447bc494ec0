package models_test

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"ucan/models"
	"ucan/models/declare"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
	"ucan/runtime/runtimetest"
)

// linear is a classifier of k scores over rows of the dimensions, whose first two classes have
// equal weights where there are more than two.
func linear(k int64, dims ...int64) func(b *onnx.Builder) {
	return func(b *onnx.Builder) {
		all, size := []onnx.Dim{onnx.Sym("N")}, int64(1)
		for _, d := range dims {
			all, size = append(all, onnx.Fixed(d)), size*d
		}
		x := b.Reshape(b.Input("in", onnx.Float, all...), -1, size)
		w := make([]float32, size*k)
		for i := range w {
			w[i] = float32(i*7%11)/11 - 0.4
		}
		for i := range size {
			if k > 2 {
				w[i*k+1] = w[i*k]
			}
		}
		b.Output("out", b.MatMul(x, onnx.Tensor(b, "w", []int64{size, k}, w)), onnx.Float, onnx.Sym("N"), onnx.Fixed(k))
	}
}

// TestPipelineDecidesAsTheModel runs exported pipelines as plain graphs beside the classifiers that
// they came from, on rows of chance, with NaN, with infinities and with ties, and opens them again.
func TestPipelineDecidesAsTheModel(t *testing.T) {
	rt := runtimetest.Open(t)
	engine := autodiff.OnRuntime(rt)
	scale := 255.0
	for name, c := range map[string]struct {
		declared models.Declaration
		build    func(b *onnx.Builder)
		shape    []int
	}{
		"argmax":    {models.Declaration{Input: models.InputDeclaration{Mean: []float64{0.5}, Std: []float64{0.25}}}, linear(2, 1, 4, 4), []int{1, 4, 4}},
		"argmin":    {models.Declaration{Input: models.InputDeclaration{Scale: &scale}, Output: models.OutputDeclaration{Decision: "argmin"}}, linear(4, 1, 4, 4), []int{1, 4, 4}},
		"ties":      {models.Declaration{Labels: []string{"a", "b", "c", "d", "e", "f", "g"}}, linear(7, 1, 4, 4), []int{1, 4, 4}},
		"threshold": {models.Declaration{Output: models.OutputDeclaration{Decision: "threshold:0.25"}}, linear(1, 1, 4, 4), []int{1, 4, 4}},
		"nhwc, bgr": {models.Declaration{Input: models.InputDeclaration{
			Layout: declare.NHWC, Channels: declare.BGR, Mean: []float64{0.1, 0.2, 0.3}, Std: []float64{1, 2, 3},
		}}, linear(5, 4, 4, 3), []int{3, 4, 4}},
		"label": {models.Declaration{Output: models.OutputDeclaration{Decision: "label", Classes: 6}}, func(b *onnx.Builder) {
			x := b.Input("in", onnx.Float, onnx.Sym("N"), onnx.Fixed(6))
			b.Output("out", b.Op("ArgMax", []onnx.Value{x}, onnx.Int("axis", 1), onnx.Int("keepdims", 0)), onnx.Int64, onnx.Sym("N"))
		}, []int{6}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b := onnx.NewBuilder("f", 17)
			c.build(b)
			graph, err := b.Build()
			path := filepath.Join(dir, "f.onnx")
			if err == nil {
				err = graph.Write(path)
			}
			if err != nil {
				t.Fatal(err)
			}
			m := openFile(t, rt, path, models.Options{Declared: c.declared, SourceShape: c.shape})
			pipeline, err := m.Pipeline("test")
			if err != nil {
				t.Fatal(err)
			}
			again, err := m.Pipeline("test")
			if err != nil {
				t.Fatal(err)
			}
			one, _ := pipeline.Marshal()
			two, _ := again.Marshal()
			if !slices.Equal(one, two) {
				t.Error("the same model gave other bytes")
			}
			const rows = 24
			batch := make([]float32, rows*m.Dim())
			for i := range batch {
				batch[i] = float32(i*31%97) / 97
			}
			for i := range m.Dim() {
				batch[i] = 0.5 // all equal
				batch[m.Dim()+i] = float32(math.NaN())
				batch[2*m.Dim()+i] = float32(math.Inf(1))
			}
			labels := decisionsOf(t, m, batch, rows)
			dims := []int64{rows}
			for _, n := range c.shape {
				dims = append(dims, int64(n))
			}
			x, err := onnx.NewTensor(models.PipelineInput, dims, batch)
			if err != nil {
				t.Fatal(err)
			}
			out, err := engine.Eval(t.Context(), pipeline, []*onnxpb.TensorProto{x})
			if err != nil {
				t.Fatal(err)
			}
			got, err := onnx.Int64s(out[models.PipelineLabel])
			if err != nil || len(got) != rows {
				t.Fatalf("%d labels, %v", len(got), err)
			}
			seen := map[int64]bool{}
			for i, l := range got {
				seen[l] = true
				if int32(l) != labels[i] {
					t.Errorf("row %d: the model says %d and the pipeline %d", i, labels[i], l)
				}
			}
			if len(seen) < 2 {
				t.Errorf("all rows have one label, %v: the test sees nothing", seen)
			}
			if _, scored := out[models.PipelineScores]; scored == (name == "label") {
				t.Errorf("scores: %v", scored)
			}
			file := filepath.Join(dir, "pipeline.onnx")
			if err = pipeline.Write(file); err != nil {
				t.Fatal(err)
			}
			reopened := openFile(t, rt, file, models.Options{Declared: m.PipelineDeclaration(), SourceShape: c.shape})
			if reopened.Classes() != m.Classes() || !slices.Equal(reopened.Labels(), m.Labels()) {
				t.Errorf("%d classes %q; want %d, %q", reopened.Classes(), reopened.Labels(), m.Classes(), m.Labels())
			}
			if got := decisionsOf(t, reopened, batch, rows); !slices.Equal(got, labels) {
				t.Errorf("opened again it decides %v; want %v", got, labels)
			}
			if reopened.FixedBatch() != m.FixedBatch() {
				t.Errorf("batch %d; want %d", reopened.FixedBatch(), m.FixedBatch())
			}
		})
	}
}

func decisionsOf(t *testing.T, m *models.Model, batch []float32, rows int) []int32 {
	t.Helper()
	c, err := m.Classifier(t.Context(), rows, 1)
	if err != nil {
		t.Fatal(err)
	}
	copy(c.Input(), batch)
	labels, err := c.Classify(t.Context(), rows)
	if err != nil {
		t.Fatal(err)
	}
	labels = slices.Clone(labels)
	if err = c.Close(); err != nil {
		t.Fatal(err)
	}
	return labels
}

func openFile(t *testing.T, rt *runtime.Runtime, path string, o models.Options) *models.Model {
	t.Helper()
	m, err := models.Open(t.Context(), rt, path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}
