package models_test

import (
	"slices"
	"testing"

	"ucan/models"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// TestNamesOfTheOnlyClassifier: an SVC of three classes computes its scores from those of the node
// that holds the class numbers; of two such nodes neither names the classes.
func TestNamesOfTheOnlyClassifier(t *testing.T) {
	floats := func(name string, v ...float32) *onnxpb.AttributeProto {
		kind := onnxpb.AttributeProto_FLOATS
		return &onnxpb.AttributeProto{Name: &name, Type: &kind, Floats: v}
	}
	linear := func(g *graph, scores string, labels ...int64) *graph {
		g.node("LinearClassifier", "x", "label"+scores+" "+scores, aInts("classlabels_ints", labels...),
			floats("coefficients", 1, 0, 0, 0, 1, 0, 0, 0, 1), floats("intercepts", 0, 0, 0))
		domain := "ai.onnx.ml"
		g.p.Graph.Node[len(g.p.Graph.Node)-1].Domain = &domain
		return g
	}
	start := func() *graph { return newGraph(t, 17).opset("ai.onnx.ml", 2).in("x", onnx.Float, "N", 3) }
	one := linear(start(), "s", 3, 5, 9).f32("two", nil, 2).node("Mul", "s two", "y").out("y", onnx.Float, "N", 3)
	two := linear(linear(start(), "s", 3, 5, 9), "r", 1, 2, 7).node("Add", "s r", "y").out("y", onnx.Float, "N", 3)
	for _, tt := range []struct {
		g    *graph
		want []string
	}{{one, []string{"3", "5", "9"}}, {two, nil}} {
		m, err := tt.g.open(models.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(m.Labels(), tt.want) {
			t.Errorf("classes %q, want %q", m.Labels(), tt.want)
		}
	}
}
