package models_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"ucan/models"
	"ucan/runtime/onnx"
)

var (
	inf = math.Inf(1)
	nan = math.NaN()
)

// TestVotes passes scores through the decision as they are: which rows vote, and for
// what, in every opset and element type.
func TestVotes(t *testing.T) {
	for _, tt := range []struct {
		decision string
		rows     [][]float64
		want     []int32
	}{
		{"argmax", [][]float64{
			{1, 2, 3}, {3, 2, 1}, {3, 2, 3}, {2, 2, 1}, {1, 1, 1}, // maxima and ties
			{nan, 1, 2}, {1, nan, 2}, {5, nan, 1}, {1, 2, nan}, {nan, nan, 3}, {nan, nan, nan}, // NaN anywhere
			{inf, 1, 2}, {inf, inf, 2}, {-inf, 1, -inf}, {-inf, -inf, -inf}, {inf, nan, 1}, {-inf, -3e4, -inf},
			{0, math.Copysign(0, -1), -1}, // −0 equals 0
		}, []int32{2, 0, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, -1, 1, -1, -1, 1, -1}},
		{"argmin", [][]float64{
			{1, 2, 3}, {3, 2, 1}, {1, 2, 1}, {nan, 1, 2}, {1, nan, 2}, {1, 2, nan}, {-inf, 1, 2}, {-inf, -inf, 2}, {inf, 1, inf}, {inf, inf, inf},
		}, []int32{0, 2, -1, -1, -1, -1, 0, -1, 1, -1}},
	} {
		for _, opset := range []int64{7, 8, 10, 11, 12, 13, 17, 18, 22} {
			for _, dt := range []onnx.DType{onnx.Float, onnx.Double, onnx.Float16} {
				t.Run(fmt.Sprintf("%s/opset=%d/%v", tt.decision, opset, dt), func(t *testing.T) {
					m, err := newGraph(t, opset).in("x", dt, "N", 3).node("Identity", "x", "y").out("y", dt, "N", 3).
						open(models.Options{Declared: outputs("", tt.decision)})
					if err != nil {
						t.Fatal(err)
					}
					if got := classify(t, m, tt.rows); !slices.Equal(got, tt.want) {
						t.Errorf("labels %v, want %v", got, tt.want)
					}
				})
			}
		}
	}
}

// TestNaNPositions puts a NaN at every place of a wide row, where kernels reduce in
// vectors: it must never vote.
func TestNaNPositions(t *testing.T) {
	const k = 37
	m, err := newGraph(t, 13).in("x", onnx.Float, "N", k).node("Identity", "x", "y").out("y", onnx.Float, "N", k).open(models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]float64
	for at := range k {
		row := make([]float64, k)
		for i := range row {
			row[i] = float64((i*7 + at) % k)
		}
		row[at] = nan
		rows = append(rows, row)
	}
	for i, l := range classify(t, m, rows) {
		if l != -1 {
			t.Errorf("NaN at %d: label %d", i, l)
		}
	}
}

// TestThreshold: above, below, equal, NaN; with and without a threshold of one's own.
func TestThreshold(t *testing.T) {
	rows := [][]float64{{0.2}, {0.7}, {0.5}, {0}, {-1}, {nan}, {inf}, {-inf}}
	build := func(opset int64, dt onnx.DType, op string) *graph {
		return newGraph(t, opset).in("x", dt, "N", 1).node(op, "x", "y").out("y", dt, "N", 1)
	}
	for _, opset := range []int64{7, 9, 13, 18} {
		for _, tt := range []struct {
			op, decision string
			dt           onnx.DType
			want         []int32
			text         string
		}{
			{"Identity", "threshold", onnx.Float, []int32{1, 1, 1, -1, 0, -1, 1, 0}, "threshold:0"},
			{"Identity", "threshold:0.5", onnx.Float, []int32{0, 1, -1, 0, 0, -1, 1, 0}, "threshold:0.5"},
			{"Identity", "threshold:0.5", onnx.Double, []int32{0, 1, -1, 0, 0, -1, 1, 0}, "threshold:0.5"},
			{"Sigmoid", "", onnx.Float, []int32{1, 1, 1, -1, 0, -1, 1, 0}, "threshold:0.5"},
		} {
			t.Run(fmt.Sprintf("%s/%s/opset=%d/%v", tt.op, tt.decision, opset, tt.dt), func(t *testing.T) {
				m, err := build(opset, tt.dt, tt.op).open(models.Options{Declared: outputs("", tt.decision)})
				if err != nil {
					t.Fatal(err)
				}
				if m.Classes() != 2 || m.ScoreWidth() != 1 || m.Decision().String() != tt.text {
					t.Errorf("%d classes, %d scores, decision %s", m.Classes(), m.ScoreWidth(), m.Decision())
				}
				if got := classify(t, m, rows); !slices.Equal(got, tt.want) {
					t.Errorf("labels %v, want %v", got, tt.want)
				}
			})
		}
	}
}

// TestLabelRange: a label outside the classes is no vote.
func TestLabelRange(t *testing.T) {
	for _, opset := range []int64{7, 13, 18} {
		m, err := newGraph(t, opset).in("x", onnx.Float, "N").node("Cast", "x", "y", aInt("to", 7)).out("y", onnx.Int64, "N").
			open(models.Options{Declared: models.Declaration{
				Output: models.OutputDeclaration{Decision: "label"}, Labels: []string{"a", "b", "c"},
			}})
		if err != nil {
			t.Fatal(err)
		}
		got := classify(t, m, [][]float64{{0}, {1}, {2}, {3}, {-1}, {-7}, {1e9}})
		if want := []int32{0, 1, 2, -1, -1, -1, -1}; !slices.Equal(got, want) {
			t.Errorf("opset %d: labels %v, want %v", opset, got, want)
		}
		if _, err := m.Scores(context.Background(), []float32{1}); err == nil {
			t.Error("scores of a model that gives labels only")
		}
	}
}

// TestManyClasses checks labels beyond 2^10, where a matrix product in a reduced
// precision would round them.
func TestManyClasses(t *testing.T) {
	const k = 5003
	m, err := newGraph(t, 13).in("x", onnx.Float, "N", k).node("Identity", "x", "y").out("y", onnx.Float, "N", k).open(models.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]float64
	var want []int32
	for _, at := range []int{0, 1, 1023, 1025, 2049, 4097, k - 1} {
		row := make([]float64, k)
		row[at] = 1
		rows, want = append(rows, row), append(want, int32(at))
	}
	if got := classify(t, m, rows); !slices.Equal(got, want) {
		t.Errorf("labels %v, want %v", got, want)
	}
}
