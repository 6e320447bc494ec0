package models_test

import (
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"ucan/models"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// tree adds a decision tree of two leaves to f [N,refDim]: each gives its classes their weights,
// label l and scores s.
func (g *graph) tree(left, right [3]float32) *graph {
	strs := func(name string, v ...string) *onnxpb.AttributeProto {
		a := &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_STRINGS.Enum()}
		for _, s := range v {
			a.Strings = append(a.Strings, []byte(s))
		}
		return a
	}
	floats := func(name string, v ...float32) *onnxpb.AttributeProto {
		return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_FLOATS.Enum(), Floats: v}
	}
	g.opset("ai.onnx.ml", 1).node("TreeEnsembleClassifier", "f", "label probabilities",
		aInts("nodes_treeids", 0, 0, 0), aInts("nodes_nodeids", 0, 1, 2), aInts("nodes_featureids", 0, 0, 0),
		strs("nodes_modes", "BRANCH_LEQ", "LEAF", "LEAF"), floats("nodes_values", 0.5, 0, 0),
		aInts("nodes_truenodeids", 1, 0, 0), aInts("nodes_falsenodeids", 2, 0, 0),
		aInts("class_treeids", 0, 0, 0, 0, 0, 0), aInts("class_nodeids", 1, 1, 1, 2, 2, 2), aInts("class_ids", 0, 1, 2, 0, 1, 2),
		floats("class_weights", left[0], left[1], left[2], right[0], right[1], right[2]), aInts("classlabels_int64s", 0, 1, 2))
	g.p.Graph.Node[len(g.p.Graph.Node)-1].Domain = proto.String("ai.onnx.ml")
	return g.out("label", onnx.Int64, "N").out("probabilities", onnx.Float, "N", 3)
}

// TestExamine finds outputs that are not what they are said to be, and is silent about sound ones.
func TestExamine(t *testing.T) {
	direct := func(k int) *graph {
		return newGraph(t, 13).in("x", onnx.Float, "N", k).node("Identity", "x", "y").out("y", onnx.Float, "N", k)
	}
	declared := models.Declaration{Output: models.OutputDeclaration{Kind: "probabilities"}}
	flat := func() *graph { return newGraph(t, 13).in("f", onnx.Float, "N", 2) }
	scores := func() *graph {
		return newGraph(t, 13).in("x", onnx.Float, "N", 4).node("Identity", "x", "y").out("y", onnx.Float, "N", 4)
	}
	labelled := func(from string) *graph {
		return scores().node("Neg", "y", "n").node("Identity", "y", "p").node("ArgMax", from, "named", aInt("axis", 1), aInt("keepdims", 0)).out("named", onnx.Int64, "N")
	}
	four := []float32{1, 2, 3, 4, 4, 3, 2, 1, 0, 9, 0, 0, 0, 0, 9, 0}
	halves := func(n int) (rows []float32) { // every other row ties
		for i := range n {
			rows = append(rows, 1, float32(i%2), 0, 0)
		}
		return rows
	}
	for _, tt := range []struct {
		name  string
		g     *graph
		d     models.Declaration
		rows  []float32
		fault string
		warn  string
	}{
		{"rows that sum to 0", direct(3), declared, []float32{0.5, 0.2, 0.3, 0, 0, 0}, "do not add up to 1 but for instance to 0 (declared", "1 of 2 clean inputs give no vote"},
		{"rows that sum to 2", direct(4), declared, []float32{0.5, 0.5, 0.6, 0.4, 0.1, 0.2, 0.3, 0.4}, "probabilities of 1 of 2 clean inputs do not add up to 1 but for instance to 2", ""},
		{"negative rows", direct(3), declared, []float32{1.2, -0.3, 0.1}, "1 of 1 clean inputs get negative", ""},
		{"percentages", direct(3), declared, []float32{50, 20, 30}, "for instance to 100", ""},
		{"a probability above 1", direct(1), models.Declaration{Output: models.OutputDeclaration{Kind: "probabilities", Decision: "threshold:0.5"}}, []float32{0.4, 1.5}, "for instance to 1.5", ""},
		{"sound rows", direct(3), declared, []float32{0.5, 0.2, 0.3, 0.999, 0.001, 0}, "", ""},
		{"logits are asked nothing", direct(3), models.Declaration{}, []float32{5, 2, -3}, "", ""},
		{"a softmax", newGraph(t, 13).in("x", onnx.Float, "N", 3).node("Softmax", "x", "y", aInt("axis", 1)).out("y", onnx.Float, "N", 3), models.Declaration{}, []float32{5, 2, -3, 1, 2, 3}, "", ""},
		{"a softmax along another axis", newGraph(t, 13).in("x", onnx.Float, "N", 2, 3).node("Softmax", "x", "s", aInt("axis", 1)).i64("six", 0, 6).node("Reshape", "s six", "y").out("y", onnx.Float, "N", 6),
			models.Declaration{}, []float32{5, 2, -3, 1, 2, 3}, "for instance to 3 (they are made by Softmax)", ""},
		{"trees whose weights sum to 1", flat().tree([3]float32{0.9, 0.1, 0}, [3]float32{0.2, 0.7, 0.1}), models.Declaration{}, []float32{0, 0, 1, 1}, "", ""},
		{"trees whose weights sum to 2", flat().tree([3]float32{1.5, 0.5, 0}, [3]float32{0.2, 0.7, 0.1}), models.Declaration{}, []float32{0, 0, 1, 1}, "for instance to 2 (the output of TreeEnsembleClassifier", ""},
		{"trees whose weights are negative", flat().tree([3]float32{1.5, -0.5, 0}, [3]float32{0.2, 0.7, 0.1}), models.Declaration{}, []float32{0, 0, 1, 1}, "1 of 2 clean inputs get negative", ""},
		{"ties", scores(), models.Declaration{}, halves(20), "", "10 of 20 clean inputs give no vote"},
		{"one tie in two hundred", scores(), models.Declaration{}, append(halves(2), append(repeat([]float32{1, 2, 3, 4}, 198), 1, 2, 3, 4)...), "", ""},
		{"NaN", scores(), models.Declaration{}, []float32{1, 2, 3, 4, float32(math.NaN()), 1, 2, 3}, "", "1 with NaN"},
		{"the file's own label agrees", labelled("p"), models.Declaration{}, four, "", ""},
		{"the file's own label disagrees", labelled("n"), models.Declaration{}, four, `on 4 of 4 clean inputs argmax over "y" and the file's own label output "named" name different classes`, ""},
		{"now and then", labelled("n"), models.Declaration{}, append(repeat([]float32{5, 5, 5, 5}, 3), four[:4]...), "", `on 1 of 4 clean inputs argmax over "y" and the file's own label output "named"`},
		{"a label beside other scores", newGraph(t, 13).in("x", onnx.Float, "N", 4).node("Neg", "x", "s").node("Identity", "x", "u").node("ArgMax", "u", "l", aInt("axis", 1), aInt("keepdims", 0)).
			out("l", onnx.Int64, "N").out("s", onnx.Float, "N", 4), models.Declaration{Output: models.OutputDeclaration{Decision: "label"}}, four,
			"", `label over "l" and the file's own argmax over output "s"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := tt.g.open(models.Options{Declared: tt.d})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = m.Close() }()
			x, err := m.Examine(t.Context(), tt.rows, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := x.Fault(); (got == "") != (tt.fault == "") || !strings.Contains(got, tt.fault) {
				t.Errorf("fault %q, want %q (%+v)", got, tt.fault, x)
			}
			if got := strings.Join(x.Warnings(), "; "); (got == "") != (tt.warn == "") || !strings.Contains(got, tt.warn) {
				t.Errorf("warnings %q, want %q", got, tt.warn)
			}
		})
	}
}

func repeat(v []float32, n int) (out []float32) {
	for range n {
		out = append(out, v...)
	}
	return out
}

// TestExamineSamples puts what made-up rows show into the report.
func TestExamineSamples(t *testing.T) {
	m, err := newGraph(t, 13).in("x", onnx.Float, "N", 3).node("Identity", "x", "y").out("y", onnx.Float, "N", 3).
		open(models.Options{Declared: models.Declaration{Output: models.OutputDeclaration{Kind: "probabilities"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	r, err := m.ExamineSamples(t.Context())
	if err != nil || r.Examination == nil || !finding(r, "warning", "synthetic rows") {
		t.Errorf("%v, findings %v", err, r.Findings)
	}
}
