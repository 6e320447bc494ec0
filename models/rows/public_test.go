package rows_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"ucan/fixtures/shared"
	"ucan/fixtures/subtest"
	"ucan/models"
	"ucan/models/arch"
	"ucan/models/rows"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
	"ucan/smooth"
	"ucan/smooth/family"
)

// provedFile proves a file as inspect does, and one that is no classifier by its graph.
func provedFile(t *testing.T, path string) {
	t.Helper()
	r, err := models.Inspect(context.Background(), path, models.Options{})
	var refusal *models.Refusal
	switch {
	case err == nil && r.Rows != nil:
		t.Logf("%s: %v (batch %s)", filepath.Base(path), r.Rows, r.Batching)
		if !r.Rows.Proved {
			t.Errorf("%s: %s", path, r.Rows)
		}
		return
	case err != nil && !errors.As(err, &refusal):
		t.Errorf("%s: %v", path, err)
		return
	}
	m, err := onnx.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	in, out := m.Inputs()[0], m.Outputs()[0]
	if m, err = m.WithDim(in.Name, 0, onnx.Sym("N")); err != nil {
		t.Fatal(err)
	}
	proof := rows.Prove(m, in.Name, out.Name, 0)
	t.Logf("%s, no classifier: proved %v", filepath.Base(path), proof.Proved)
	if !proof.Proved {
		t.Errorf("%s: %v", path, proof.Break)
	}
}

// TestDocumentedModelsAreProved: the demonstration's model, the documentation's, and what
// training exports.
func TestDocumentedModelsAreProved(t *testing.T) {
	files := []string{"../demo/digits_cnn.onnx"}
	more, err := filepath.Glob("../../docs/examples/*/*.onnx")
	if err != nil || len(more) == 0 {
		t.Fatalf("no models in the documentation: %v", err)
	}
	for _, f := range append(files, more...) {
		provedFile(t, f)
	}
	for _, name := range arch.Names() {
		input := []int{3, 32, 32}
		if name == "mnist-cnn" {
			input = []int{1, 28, 28}
		}
		n, err := arch.New(arch.Config{Name: name, Input: input, Classes: 10, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		weights := map[string][]float32{}
		for _, w := range n.Weights() {
			weights[w.Name] = w.Values
		}
		m, err := n.Export(weights, n.NewRunning())
		if err != nil {
			t.Fatal(err)
		}
		if proof := rows.Prove(m, m.Inputs()[0].Name, m.Outputs()[0].Name, 0); !proof.Proved {
			t.Errorf("%s: %v", name, proof.Break)
		}
	}
}

// TestPublicModelsAreProved: all files of the shared collection.
func TestPublicModelsAreProved(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(shared.Path(t), "models", "*.onnx"))
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, error %v", len(files), err)
	}
	for _, f := range files {
		provedFile(t, f)
	}
}

// TestMixingModelsCertifyAlike: models that mix rows run one row a call, so that runs with
// different seeds never certify different classes, and no flag makes them share a batch.
func TestMixingModelsCertifyAlike(t *testing.T) {
	subtest.Long(t)
	ctx := context.Background()
	rt := runtimetest.Open(t)
	certified, i := 0, 0
	rows.Mixing(t, 500, func(name string, m *onnx.Model) {
		if i++; i%5 != 0 {
			return
		}
		b, err := m.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		model, err := models.OpenBytes(ctx, rt, "mixing", b, models.Options{SkipLoadTrial: true})
		if err != nil {
			t.Logf("%s: refused: %v", name, err) // labels that only some batches have, one row among them
			return
		}
		defer func() { _ = model.Close() }()
		if model.FixedBatch() != 1 || model.Report().Rows.Proved {
			t.Errorf("%s: runs at batch %d, rows %v", name, model.FixedBatch(), model.Report().Rows)
			return
		}
		if _, err = model.Classifier(ctx, 64, 1); err == nil {
			t.Errorf("%s: a batch of 64 is accepted", name)
		}
		classes := map[int]bool{}
		for seed := range uint64(2) {
			if c, ok := certify(ctx, t, model, seed+1); ok {
				classes[c] = true
				certified++
			}
		}
		if len(classes) > 1 {
			t.Errorf("%s: certified for the classes %v under two seeds", name, classes)
		}
	})
	t.Logf("%d certificates", certified)
	if certified < 100 {
		t.Errorf("only %d certificates: the test shows too little", certified)
	}
}

// certify certifies one input at the model's own batch.
func certify(ctx context.Context, t *testing.T, m *models.Model, seed uint64) (class int, ok bool) {
	worker, err := m.Classifier(ctx, m.FixedBatch(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = worker.Close() }()
	noise, err := smooth.Noise{Family: family.Gaussian{}, Norm: family.L2, Lambda: 0.5}.Seal(m.Dim())
	if err != nil {
		t.Fatal(err)
	}
	s, err := smooth.New([]smooth.Classifier{worker}, smooth.Config{Dim: m.Dim(), Classes: m.Classes(), Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, m.Dim())
	for i := range x {
		x[i] = float32(i%3) / 2
	}
	c, err := s.Certify(ctx, x, smooth.InputID(x), noise, smooth.FixedN{N0: 50, N: 300, Alpha: 0.001})
	if err != nil {
		t.Fatal(err)
	}
	return c.Class, !c.Abstained
}
