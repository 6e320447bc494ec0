package models_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"ucan/models"
	"ucan/models/declare"
	"ucan/runtime/onnx"
)

// TestChannels gives models channels in the order blue, green, red: with the constants of
// Caffe, which are in that order too, and in every layout.
func TestChannels(t *testing.T) {
	mean := []float64{104, 117, 123}
	bytes := func(v float64, c int) float64 { return v*255 - mean[c] }
	nhwc := func() *graph {
		return newGraph(t, 13).in("x", onnx.Float, "N", 2, 2, 3).node("Transpose", "x", "c", aInts("perm", 0, 3, 1, 2)).
			node("Flatten", "c", "f", aInt("axis", 1)).dense("f", "y").scores("N")
	}
	rows := refRows(20)
	for _, tt := range []struct {
		name  string
		build func() *graph
		decl  models.InputDeclaration
		see   func(v float64, channel int) float64
	}{
		{"nothing else", func() *graph { return plain(t, 13, "N").node("Identity", "l", "y").scores("N") },
			models.InputDeclaration{}, func(v float64, _ int) float64 { return v }},
		{"caffe", func() *graph { return plain(t, 13, "N").node("Identity", "l", "y").scores("N") },
			models.InputDeclaration{Scale: ptr(255.0), Mean: mean}, bytes},
		{"opset 7, fixed batch", func() *graph { return plain(t, 7, 1).node("Identity", "l", "y").scores(1) },
			models.InputDeclaration{Scale: ptr(255.0), Mean: mean}, bytes},
		{"nhwc", nhwc, models.InputDeclaration{Scale: ptr(255.0), Mean: mean}, bytes},
		{"flat", func() *graph { return newGraph(t, 13).in("x", onnx.Float, "N", refDim).dense("x", "y").scores("N") },
			models.InputDeclaration{Scale: ptr(255.0), Mean: mean}, bytes},
		{"int16", func() *graph {
			return newGraph(t, 13).in("x", onnx.Int16, "N", 3, 2, 2).node("Cast", "x", "d", aInt("to", 1)).
				node("Flatten", "d", "f", aInt("axis", 1)).dense("f", "y").scores("N")
		}, models.InputDeclaration{Scale: ptr(256.0), Mean: []float64{8, 16, 32}}, func(v float64, c int) float64 { return v*256 - []float64{8, 16, 32}[c] }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.decl.Channels = "BGR" // names are read in any case
			m, err := tt.build().open(models.Options{Declared: models.Declaration{Input: tt.decl}, SourceShape: refShape})
			if err != nil {
				t.Fatal(err)
			}
			if m.FixedBatch() != 0 || m.Preprocessing().Channels != declare.BGR || m.Preprocessing().Inferred {
				t.Errorf("fixed batch %d, record %+v", m.FixedBatch(), m.Preprocessing())
			}
			for i, got := range scoresOf(t, m, rows) {
				seen := make([]float64, refDim)
				for j := range seen {
					c := j / 4
					seen[j] = tt.see(rows[i][(2-c)*4+j%4], c)
				}
				if want := refScores(seen); !near(got, want, 1e-4) {
					t.Errorf("row %d: scores %v, want %v", i, got, want)
				}
			}
		})
	}
}

// TestChannelsOfOtherData refuses to reorder channels that data do not have.
func TestChannelsOfOtherData(t *testing.T) {
	for _, shape := range [][]int{{refDim}, {1, 3, 4}, {4, 3, 1}} {
		g := newGraph(t, 13).in("x", onnx.Float, "N", refDim).dense("x", "y").scores("N")
		_, err := g.open(models.Options{Declared: models.Declaration{Input: models.InputDeclaration{Channels: declare.BGR}}, SourceShape: shape})
		if !errors.Is(err, declare.Err) || !strings.Contains(err.Error(), "three channels") {
			t.Errorf("shape %v: %v", shape, err)
		}
	}
}

// TestChannelsRGB: the order of the data leaves no trace in certificates, and a flag wins over a
// model.yaml.
func TestChannelsRGB(t *testing.T) {
	bgr := models.Declaration{Input: models.InputDeclaration{Channels: declare.BGR}}
	rgb := bgr.Merge(models.Declaration{Input: models.InputDeclaration{Channels: declare.RGB}})
	m, err := plain(t, 13, "N").node("Identity", "l", "y").scores("N").open(models.Options{Declared: rgb, SourceShape: refShape})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	record, err := json.Marshal(m.Preprocessing())
	if err != nil || strings.Contains(string(record), "channels") {
		t.Errorf("record %s, %v", record, err)
	}
	if err := (models.Declaration{Input: models.InputDeclaration{Channels: "grb"}}).Validate(); err == nil {
		t.Error("an unknown order was accepted")
	}
}
