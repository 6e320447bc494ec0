package models_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"ucan/models"
	"ucan/runtime"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// TestFilesThatNoRuntimeLoads: parts that no score depends on are removed before a run, but a file
// that onnxruntime refuses as it stands is not opened for all that, be it the classifier or its
// denoiser, with a child process for the trial or without one.
func TestFilesThatNoRuntimeLoads(t *testing.T) {
	sound := func() *graph { return plain(t, 17, "N").node("Identity", "l", "y").scores("N") }
	for _, tt := range []struct {
		name string
		g    *graph
		want string
		kind error
	}{
		{"a dead node makes the scores again", sound().node("Neg", "l", "y"), "Duplicate definition of name (y)", onnx.ErrMalformed},
		{"a dead node makes a hidden value again", sound().node("Neg", "x", "f"), "Duplicate definition of name (f)", onnx.ErrMalformed},
		{"a dead node reads nothing known", sound().node("Neg", "nowhere", "z"), "nowhere", onnx.ErrMalformed},
		{"a dead operator that does not exist", sound().node("Sofmax", "l", "z"), "Sofmax", runtime.ErrModel},
		{"a dead sum of numbers and truths", sound().node("Not", "l", "z"), "Not", runtime.ErrModel},
		{"a dead product of shapes that do not fit", sound().f32("v", []int64{7, 2}, make([]float32, 14)...).node("MatMul", "l v", "z"), "MatMul", runtime.ErrModel},
		{"an unused output of an operator without attributes", sound().node("Cast", "l", "z").out("z", onnx.Int64, "N", 3), "Cast", runtime.ErrModel},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := tt.g.write()
			for _, skip := range []bool{true, false} {
				m, err := models.Open(context.Background(), runtimetest.Open(t), path, models.Options{
					SourceShape: refShape, SkipLoadTrial: skip, Declared: models.Declaration{Output: models.OutputDeclaration{Name: "y"}},
				})
				if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("skip %v: opened as %v, error %v; want %v with %q", skip, m, err, tt.kind, tt.want)
				}
			}
		})
	}
	denoiser := newGraph(t, 17).in("x", onnx.Float, "N", 3, 2, 2).node("Identity", "x", "y").node("Sofmax", "x", "z").out("y", onnx.Float, "N", 3, 2, 2).write()
	if _, err := sound().open(models.Options{SourceShape: refShape, Declared: models.Declaration{Denoiser: denoiser}}); !errors.Is(err, runtime.ErrModel) || !strings.Contains(err.Error(), "denoiser") {
		t.Errorf("a denoiser that does not load: %v", err)
	}
}

// TestPrunedPartsThatLoad: what onnxruntime takes and no score depends on is no obstacle.
func TestPrunedPartsThatLoad(t *testing.T) {
	g := plain(t, 17, "N").node("Identity", "l", "y").scores("N").node("RandomNormalLike", "l", "noise").
		node("SequenceConstruct", "l l", "both").node("Neg", "other", "z").out("z", onnx.Float, 2).in("other", onnx.Float, 2)
	m, err := g.open(models.Options{SourceShape: refShape, Declared: models.Declaration{Output: models.OutputDeclaration{Name: "y"}}})
	if err != nil {
		t.Fatal(err)
	}
	if m.Classes() != refClasses {
		t.Errorf("%d classes", m.Classes())
	}
}
