package models_test

import (
	"fmt"
	"slices"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/models"
	"ucan/models/declare"
	"ucan/runtime/onnx"
)

// TestLabelsOfTheGraphsOwn: where a graph chooses the label itself, a NaN or a tie among what it
// chooses from gives no vote, whatever stands between the choice and the output.
func TestLabelsOfTheGraphsOwn(t *testing.T) {
	rows := [][]float64{{3, 1, 2, 0}, {0, 1, 2, 3}, {5, 5, 1, 0}, {1, 0, 7, 7}, {2, 2, 2, 2}, {nan, 1, 2, 3}, {4, 3, nan, 1}, {0, inf, 1, 2}, {-inf, 1, 0.5, 0}}
	largest := []int32{0, 3, -1, -1, -1, -1, -1, 1, 1}
	smallest := []int32{3, 0, 3, 1, -1, -1, -1, 0, 0}
	start := func(opset int64, dt onnx.DType) *graph {
		return newGraph(t, opset).in("x", dt, "N", 4).node("Identity", "x", "s")
	}
	end := func(g *graph) *graph { return g.out("y", onnx.Int64, "N") }
	axis1, flat := aInt("axis", 1), aInt("keepdims", 0)
	swapped := map[int32]int32{-1: -1, 0: 2, 1: 0, 2: 3, 3: 1}
	var mapped []int32
	for _, l := range largest {
		mapped = append(mapped, swapped[l])
	}
	type variant struct {
		name    string
		g       *graph
		want    []int32
		classes int
	}
	variants := []variant{
		{"last index of a tie", end(start(13, onnx.Float).node("ArgMax", "s", "y", axis1, flat, aInt("select_last_index", 1))), largest, 0},
		{"arg-min", end(start(13, onnx.Float).node("ArgMin", "s", "y", axis1, flat)), smallest, 0},
		{"from the end, kept dimension", start(13, onnx.Float).node("ArgMax", "s", "y", aInt("axis", -1)).out("y", onnx.Int64, "N", 1), largest, 0},
		{"squeezed and cast", start(13, onnx.Float).i64("one", 1).node("ArgMax", "s", "a", axis1).node("Squeeze", "a one", "b").
			node("Cast", "b", "c", aInt("to", 6)).node("Identity", "c", "y").out("y", onnx.Int32, "N"), largest, 0},
		{"classes first", end(start(13, onnx.Float).node("Transpose", "s", "t", aInts("perm", 1, 0)).node("ArgMax", "t", "y", aInt("axis", 0), flat)), largest, 0},
		{"classes in the middle", end(start(13, onnx.Float).i64("three", 0, 4, 1).i64("minus", -1).node("Reshape", "s three", "t").
			node("ArgMax", "t", "a", axis1, flat).node("Reshape", "a minus", "y")), largest, 0},
		{"top one", end(start(13, onnx.Float).i64("k", 1).i64("minus", -1).node("TopK", "s k", "v i").node("Reshape", "i minus", "y")), largest, 0},
		{"bottom one", end(start(13, onnx.Float).i64("k", 1).i64("minus", -1).node("TopK", "s k", "v i", aInt("largest", 0), axis1).node("Reshape", "i minus", "y")), smallest, 0},
		{"top one of opset 9", start(9, onnx.Float).node("TopK", "s", "v y", aInt("k", 1)).out("y", onnx.Int64, "N", 1), largest, 0},
		{"a table of labels", end(start(13, onnx.Float).i64("table", 2, 0, 3, 1).node("ArgMax", "s", "a", axis1, flat).node("Gather", "table a", "y")), mapped, 4},
		{"encoded labels", end(encoded(start(13, onnx.Float).opset("ai.onnx.ml", 2).node("ArgMax", "s", "a", axis1, flat))), mapped, 4},
		{"double", end(start(13, onnx.Double).node("ArgMax", "s", "y", axis1, flat)), largest, 0},
		{"half", end(start(13, onnx.Float16).node("ArgMax", "s", "y", axis1, flat)), largest, 0},
	}
	for _, opset := range []int64{7, 11, 18, 21} {
		variants = append(variants, variant{fmt.Sprintf("opset %d", opset), end(start(opset, onnx.Float).node("ArgMax", "s", "y", axis1, flat)), largest, 0})
	}
	for _, tt := range variants {
		t.Run(tt.name, func(t *testing.T) {
			m, err := tt.g.open(models.Options{Declared: models.Declaration{Output: models.OutputDeclaration{Decision: "label", Classes: tt.classes}}})
			if err != nil {
				t.Fatal(err)
			}
			if got := classify(t, m, rows); !slices.Equal(got, tt.want) {
				t.Errorf("labels %v, want %v", got, tt.want)
			}
			if m.Classes() != 4 || m.Decision().Kind != declare.Label || m.ScoreWidth() != 0 {
				t.Errorf("%d classes, decision %s, %d scores", m.Classes(), m.Decision(), m.ScoreWidth())
			}
			if r := m.Report(); !finding(r, "found", `finds in "`) || finding(r, "warning", "do vote") {
				t.Errorf("findings %v", r.Findings)
			}
		})
	}
}

// encoded maps the label a to y by a LabelEncoder: 0→2, 1→0, 2→3, 3→1.
func encoded(g *graph) *graph {
	g.node("LabelEncoder", "a", "y", aInts("keys_int64s", 0, 1, 2, 3), aInts("values_int64s", 2, 0, 3, 1))
	domain := "ai.onnx.ml"
	g.p.Graph.Node[len(g.p.Graph.Node)-1].Domain = &domain
	return g
}

// TestLabelsOfUnknownOrigin: arithmetic behind the choice, or two indices a row, and it is said
// that rows with NaN or ties vote; a value of that name in a domain of its own is no ArgMax.
func TestLabelsOfUnknownOrigin(t *testing.T) {
	start := func() *graph { return newGraph(t, 13).in("x", onnx.Float, "N", 4).node("Identity", "x", "s") }
	for name, g := range subtest.Rows(map[string]*graph{
		"a shifted index": start().i64("none", 0).node("ArgMax", "s", "a", aInt("axis", 1), aInt("keepdims", 0)).node("Add", "a none", "y").out("y", onnx.Int64, "N"),
		"a count": start().f32("zero", nil, 0).i64("axes", 1).node("Greater", "s zero", "g").node("Cast", "g", "c", aInt("to", 7)).
			node("ReduceSum", "c axes", "y", aInt("keepdims", 0)).out("y", onnx.Int64, "N"),
	}) {
		t.Run(name, func(t *testing.T) {
			m, err := g.open(models.Options{Declared: models.Declaration{Output: models.OutputDeclaration{Decision: "label", Classes: 5}}})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !finding(m.Report(), "warning", "NaN or tie do vote") {
				t.Errorf("%s: findings %v", name, m.Report().Findings)
			}
		})
	}
}
