// Package examples tests what the documentation shows.
package examples

import (
	"context"
	"testing"

	"ucan/internal/dataset"
	"ucan/models"
	"ucan/runtime"
	"ucan/runtime/runtimetest"
	"ucan/smooth"
	"ucan/smooth/family"
)

// The exported classifier of examples/scans must open as it lies there, with its
// model.yaml, and be right on 496 of its 500 scans; without the declared
// normalisation it would not be.
func TestScansClassifier(t *testing.T) {
	ctx := context.Background()
	source, err := dataset.Open(ctx, "npy:scans/scans-x.npy,scans/scans-y.npy", dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, source.Close)
	model, err := models.Open(ctx, runtimetest.Open(t), "scans/scans_cnn.onnx", models.Options{
		SourceShape: source.Info().Shape, Session: runtime.SessionOptions{IntraOp: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, model.Close)
	classifier, err := model.Classifier(ctx, 50, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, classifier.Close)

	right := 0
	d := model.Dim()
	for first := 0; first < source.Len(); first += classifier.Batch() {
		labels := make([]int, classifier.Batch())
		for k := range labels {
			scan, readErr := source.At(ctx, first+k)
			if readErr != nil {
				t.Fatal(readErr)
			}
			copy(classifier.Input()[k*d:], scan.X)
			labels[k] = scan.Label
		}
		votes, runErr := classifier.Classify(ctx, len(labels))
		if runErr != nil {
			t.Fatal(runErr)
		}
		for k, label := range labels {
			if int(votes[k]) == label {
				right++
			}
		}
	}
	if source.Len() != 500 || right < 495 || right > 497 { // ± 1 for other processors' rounding
		t.Errorf("%d of %d scans are classified right, documented are 496 of 500", right, source.Len())
	}

	// One certificate, from the library.
	item, err := source.At(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	noise, err := smooth.Noise{Family: family.Gaussian{}, Norm: family.L2, Lambda: 0.25}.Seal(d)
	if err != nil {
		t.Fatal(err)
	}
	smoother, err := smooth.New([]smooth.Classifier{classifier}, smooth.Config{Dim: d, Classes: model.Classes(), Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	c, err := smoother.Certify(ctx, item.X, item.SHA256, noise, smooth.FixedN{N0: 100, N: 2000, Alpha: 0.001})
	if err != nil {
		t.Fatal(err)
	}
	if c.Abstained || c.Class != item.Label || c.Radius < 0.1 {
		t.Errorf("scan 0 with label %d: class %d, abstained %v, radius %v; want it certified beyond 0.1", item.Label, c.Class, c.Abstained, c.Radius)
	}
}

func closing(t *testing.T, f func() error) {
	t.Helper()
	if err := f(); err != nil {
		t.Error(err)
	}
}
