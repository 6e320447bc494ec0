package models_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"ucan/models"
	"ucan/runtime/onnx"
	"ucan/runtime/runtimetest"
)

// mixed adds to the scores "l" a multiple of their mean over the batch; rows is the
// size of the constant, which pins the batch where it is above 1.
func (g *graph) mixed(factor float32, rows int64) *graph {
	c := slices.Repeat([]float32{factor}, int(rows)*refClasses)
	return g.node("ReduceMean", "l", "m", aInts("axes", 0), aInt("keepdims", 1)).
		f32("c", []int64{rows, refClasses}, c...).node("Mul", "m c", "mm").node("Add", "l mm", "y")
}

// TestRowsAreIndependent: mixing that treats all rows of a batch alike, that is far
// below rounding between batch sizes, or that only rare rows set off. A file with an open
// batch runs one row a call, whatever is asked for; one with a fixed batch is refused.
func TestRowsAreIndependent(t *testing.T) {
	for _, tt := range []struct {
		name  string
		build func() *graph
		fixed bool
	}{
		{"minus the mean of a fixed batch of 4", func() *graph { return plain(t, 17, 4).mixed(-1, 4).scores(4) }, true},
		{"minus the mean of a fixed batch of 2", func() *graph { return plain(t, 17, 2).mixed(-1, 2).scores(2) }, true},
		{"a little of the mean of a fixed batch of 5", func() *graph { return plain(t, 17, 5).mixed(1e-6, 5).scores(5) }, true},
		{"a little of the mean of an open batch", func() *graph { return plain(t, 17, "N").mixed(5e-4, 1).scores("N") }, false},
		{"very little of the mean of an open batch", func() *graph { return plain(t, 17, "N").mixed(1e-6, 1).scores("N") }, false},
		{"only large values are seen by others", func() *graph {
			return plain(t, 17, "N").node("ReduceMax", "f", "max", aInts("axes", 0, 1), aInt("keepdims", 1)).f32("six", []int64{1, 1}, 6).
				node("Greater", "max six", "g").node("Cast", "g", "gf", aInt("to", 1)).f32("bump", []int64{1, 3}, 100, 0, 0).
				node("Mul", "gf bump", "b").node("Add", "l b", "y").scores("N")
		}, false},
		{"the label alone, by a mean", func() *graph {
			return plain(t, 17, "N").node("ReduceMean", "l", "m", aInts("axes", 0), aInt("keepdims", 1)).node("Sub", "l m", "s").
				node("ArgMax", "s", "y", aInt("axis", 1), aInt("keepdims", 0)).out("y", onnx.Int64, "N")
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := tt.build().open(models.Options{SourceShape: refShape})
			var refusal *models.Refusal
			if tt.fixed {
				if !errors.As(err, &refusal) || !strings.Contains(err.Error(), "not proved independent") || !strings.Contains(err.Error(), "ReduceMean") {
					t.Fatalf("error %v; want a refusal that names the node", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			rows := m.Report().Rows
			if m.FixedBatch() != 1 || rows.Proved || !strings.HasPrefix(rows.Operator, "Reduce") {
				t.Errorf("fixed batch %d, rows %v; want one row a call and the reducing node", m.FixedBatch(), rows)
			}
			if _, err = m.Classifier(context.Background(), 8, 1); err == nil || !strings.Contains(err.Error(), "one a call") {
				t.Errorf("a classifier of batch 8: %v; want an error", err)
			}
			if _, err = m.Calibrate(context.Background(), models.Wanted{Threads: 1, Batch: 8}); err == nil || !strings.Contains(err.Error(), "one a call") {
				t.Errorf("calibration at batch 8: %v; want an error", err)
			}
		})
	}
}

// TestFixedBatchProved: a constant that pins the batch and is the same for every row.
func TestFixedBatchProved(t *testing.T) {
	for _, same := range []bool{true, false} {
		bias := slices.Repeat([]float32{1, 2, 3}, 4)
		if !same {
			bias[4] = 2.5
		}
		m, err := plain(t, 17, 4).f32("c", []int64{4, refClasses}, bias...).node("Add", "l c", "y").scores(4).
			open(models.Options{SourceShape: refShape})
		if !same {
			var refusal *models.Refusal
			if !errors.As(err, &refusal) {
				t.Errorf("a constant that differs from row to row: %v; want a refusal", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if m.FixedBatch() != 4 || !m.Report().Rows.Proved {
			t.Errorf("fixed batch %d, rows %v; want 4, proved", m.FixedBatch(), m.Report().Rows)
		}
	}
}

// quantised writes a denoiser x → x that quantises dynamically.
func quantised(t testing.TB, batch any) string {
	return newGraph(t, 13).in("x", onnx.Float, batch, 3, 2, 2).node("DynamicQuantizeLinear", "x", "q s z").
		node("DequantizeLinear", "q s z", "y").out("y", onnx.Float, batch, 3, 2, 2).write()
}

// TestQuantisedDenoiser: one scale for several rows makes votes depend on each other,
// whichever of the two files fixes the batch.
func TestQuantisedDenoiser(t *testing.T) {
	dynamic := func(batch any) *graph {
		return plain(t, 13, batch).node("DynamicQuantizeLinear", "l", "q s z").node("DequantizeLinear", "q s z", "y").scores(batch)
	}
	float := func(batch any) *graph { return plain(t, 13, batch).node("Identity", "l", "y").scores(batch) }
	for _, tt := range []struct {
		name     string
		g        *graph
		denoiser string
		refused  bool
	}{
		{"denoiser of batch 4", float("N"), quantised(t, 4), true},
		{"denoiser of batch 4, classifier of batch 1", float(1), quantised(t, 4), true},
		{"classifier of batch 4", float(4), quantised(t, "N"), true},
		{"classifier of batch 4, denoiser of batch 1", float(4), quantised(t, 1), true},
		{"quantised classifier behind a denoiser of batch 4", dynamic("N"), denoiserFile(t, 13, 4, 3, 2, 2), true},
		{"both open", float("N"), quantised(t, "N"), false},
		{"both of batch 1", float(1), quantised(t, 1), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := tt.g.open(models.Options{SourceShape: refShape, Declared: models.Declaration{Denoiser: tt.denoiser}})
			if !tt.refused {
				if err != nil || m.FixedBatch() != 1 {
					t.Fatalf("%v, %v; want a model of batch 1", m, err)
				}
				return
			}
			var refusal *models.Refusal
			if !errors.As(err, &refusal) {
				t.Fatalf("opened at batch %d, error %v; want a refusal", m.FixedBatch(), err)
			}
			for _, w := range []string{"DynamicQuantizeLinear", "4 rows"} {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
		})
	}
}

// TestHalfInAndOut opens a model of float16 input and output through the trial in a
// process of its own.
func TestHalfInAndOut(t *testing.T) {
	g := newGraph(t, 17).in("x", onnx.Float16, "N", 3, 2, 2).node("Flatten", "x", "f", aInt("axis", 1)).
		node("Cast", "f", "c", aInt("to", 1)).dense("c", "l").node("Cast", "l", "y", aInt("to", 10)).out("y", onnx.Float16, "N", refClasses)
	m, err := models.Open(context.Background(), runtimetest.Open(t), g.write(), models.Options{SourceShape: refShape})
	if err != nil {
		t.Fatal(err)
	}
	rows := refRows(9)
	for i, got := range classify(t, m, rows) {
		if want := argmax(refScores(rows[i])); got != want {
			t.Errorf("row %d: label %d, want %d", i, got, want)
		}
	}
}
