package models_test

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"ucan/fixtures/shared"
	"ucan/models"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// TestSubnormalWeights: the weights of linear operators lose them, all else keeps
// them, and the file's hash stays the file's.
func TestSubnormalWeights(t *testing.T) {
	w, b := refWeights()
	w = slices.Clone(w)
	w[4], w[20], w[30] = 1e-40, -math.SmallestNonzeroFloat32, 0x1p-126 // the last one is normal
	g := newGraph(t, 13).in("x", onnx.Float, "N", 3, 2, 2).node("Flatten", "x", "f", aInt("axis", 1)).
		f32("W", []int64{refDim, refClasses}, w...).f32("B", []int64{refClasses}, b...).f32("guard", nil, 1e-40).
		node("MatMul", "f W", "m").node("Add", "m B", "n").node("Add", "n guard", "y").scores("N")
	path := g.write()
	m, err := models.Open(t.Context(), runtimetest.Open(t), path, models.Options{SourceShape: refShape, SkipLoadTrial: true})
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(file); m.SHA256() != hex.EncodeToString(sum[:]) {
		t.Errorf("the model's hash %s is not the file's", m.SHA256())
	}
	data := func(name string) []float32 {
		v, err := onnx.TensorData[float32](m.Graph().Initializer(name))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	want := slices.Clone(w)
	want[4], want[20] = 0, 0
	if got := data("W"); !slices.Equal(got, want) {
		t.Errorf("weights %v, want %v", got, want)
	}
	if got := data("guard"); got[0] != 1e-40 {
		t.Errorf("a guard became %v", got)
	}
	if !willDo(m, "set 2 subnormal weights") {
		t.Errorf("not reported: %+v", m.Report().Findings)
	}
}

// willDo says whether a report announces something.
func willDo(m *models.Model, text string) bool {
	return slices.ContainsFunc(m.Report().Findings, func(f models.Finding) bool {
		return f.Kind == "will do" && strings.Contains(f.Text, text)
	})
}

// TestSubnormalWeightsOfARealModel: 6,989 weights of a network from a competition.
func TestSubnormalWeightsOfARealModel(t *testing.T) {
	path := shared.Path(t, "models", "cifar_biasfield_base.onnx")
	rt := runtimetest.Open(t)
	m, err := models.Open(t.Context(), rt, path, models.Options{SourceShape: []int{3, 32, 32}, SkipLoadTrial: true})
	if err != nil {
		t.Fatal(err)
	}
	if !willDo(m, "set 6989 subnormal weights (") {
		t.Errorf("not reported: %+v", m.Report().Findings)
	}
	im := cifar(t)
	d := m.Dim()
	got, err := m.Scores(t.Context(), im.x[:4*d])
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		if want := original(t, rt, path, im.x[i*d:(i+1)*d], 10); !near(got[i*10:(i+1)*10], want, 1e-5) {
			t.Errorf("row %d: scores %v, original %v", i, got[i*10:(i+1)*10], want)
		}
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}
