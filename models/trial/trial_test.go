package trial_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"ucan/models/trial"
	"ucan/runtime/onnx/soundness"
)

const dim, classes = 3, 2

// graph is a trial of a function of a batch: it gives the scores of every row.
func graph(scores func(batch [][]float32) [][classes]float32) trial.Graph {
	return trial.Graph{Dim: dim, Provider: "cpu", Limit: 1e-3, Exact: true, Run: func(_ context.Context, rows []float32) (trial.Answer, error) {
		a := trial.Answer{Width: classes}
		for _, s := range scores(slices.Collect(slices.Chunk(rows, dim))) {
			a.Scores = append(a.Scores, s[:]...)
			label := int32(0)
			if s[1] > s[0] {
				label = 1
			}
			a.Labels = append(a.Labels, label)
		}
		return a, nil
	}}
}

// linear is a sound classifier.
func linear(row []float32) [classes]float32 {
	return [classes]float32{row[0] + 2*row[1], 3*row[2] - row[1]}
}

// TestBatches tries functions that depend on more than the row.
func TestBatches(t *testing.T) {
	each := func(f func(batch [][]float32, i int, s [classes]float32) [classes]float32) func([][]float32) [][classes]float32 {
		return func(batch [][]float32) [][classes]float32 {
			out := make([][classes]float32, len(batch))
			for i, row := range batch {
				out[i] = f(batch, i, linear(row))
			}
			return out
		}
	}
	runs := 0
	for _, tt := range []struct {
		name  string
		sound bool
		f     func(batch [][]float32, i int, s [classes]float32) [classes]float32
	}{
		{"sound", true, func(_ [][]float32, _ int, s [classes]float32) [classes]float32 { return s }},
		{"the sum of the batch", false, func(batch [][]float32, _ int, s [classes]float32) [classes]float32 {
			for _, row := range batch {
				s[0] += row[0]
			}
			return s
		}},
		{"the place", false, func(_ [][]float32, i int, s [classes]float32) [classes]float32 { s[1] += float32(i); return s }},
		{"the batch size", false, func(batch [][]float32, _ int, s [classes]float32) [classes]float32 {
			s[1] += float32(len(batch) / 9)
			return s
		}},
		{"the next row", false, func(batch [][]float32, i int, s [classes]float32) [classes]float32 {
			s[0] += 1e-7 * batch[(i+1)%len(batch)][0]
			return s
		}},
		{"chance", false, func(_ [][]float32, _ int, s [classes]float32) [classes]float32 {
			runs++
			s[0] += float32(runs)
			return s
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res, err := graph(each(tt.f)).AnyBatch(context.Background())
			var refusal *soundness.Refusal
			if sound := err == nil; sound != tt.sound || !sound && !errors.As(err, &refusal) || res.SameDecisions != tt.sound {
				t.Errorf("sound: %v, want %v; %+v, %v", sound, tt.sound, res, err)
			}
			rows := trial.SampleRows(24, dim)
			_, err = graph(each(tt.f)).CheckRows(context.Background(), [][]float32{rows[:12*dim], rows[12*dim:]}, true, nil)
			if sound := err == nil; sound != tt.sound || !sound && !errors.As(err, &refusal) {
				t.Errorf("check of rows: sound: %v, want %v; %v", sound, tt.sound, err)
			}
		})
	}
}

// TestFixedBatch tries a batch of four rows, whose second half sees the first.
func TestFixedBatch(t *testing.T) {
	for _, sees := range []bool{false, true} {
		g := graph(func(batch [][]float32) [][classes]float32 {
			out := make([][classes]float32, len(batch))
			for i, row := range batch {
				if out[i] = linear(row); sees && i >= 2 {
					out[i][0] += batch[0][0]
				}
			}
			return out
		})
		if _, err := g.FixedBatch(context.Background(), 4); (err != nil) != sees {
			t.Errorf("rows see others: %v, error %v", sees, err)
		}
	}
}

// TestSlowRows tries a model whose rows take long on few of them, and finds what mixes them all
// the same.
func TestSlowRows(t *testing.T) {
	for name, mixes := range map[string]bool{"sound": false, "mixes rows": true} {
		t.Run(name, func(t *testing.T) {
			rows := 0
			g := graph(func(batch [][]float32) [][classes]float32 {
				time.Sleep(time.Duration(len(batch)) * 61 * time.Millisecond)
				rows += len(batch)
				out := make([][classes]float32, len(batch))
				for i, row := range batch {
					out[i] = linear(row)
					if mixes {
						out[i][0] += batch[0][0]
					}
				}
				return out
			})
			res, err := g.AnyBatch(t.Context())
			var refusal *soundness.Refusal
			if mixes != errors.As(err, &refusal) {
				t.Errorf("error %v", err)
			}
			if !res.Slow || rows > 25 {
				t.Errorf("slow: %v; %d rows were run", res.Slow, rows)
			}
			// Another machine may find the model fast, and that all batches agree: the batch is
			// then chosen otherwise, and must not be on the strength of three rows.
			if res.BatchIndependent {
				t.Error("few rows are said to have shown that any batch gives the same scores")
			}
		})
	}
}
