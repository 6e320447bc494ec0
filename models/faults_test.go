package models_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"ucan/models"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
	"ucan/runtime/runtimetest"
)

// forest is a classifier of two trees over two features: tree 0 asks x₀ ≤ 0.5, tree 1
// x₁ ≤ −1. Every leaf gives each class a share of ½. Of two classes, converters write
// the second one's share alone, as class 0.
func forest(t *testing.T, labels ...int64) *onnx.Model {
	t.Helper()
	ints := func(name string, v ...int64) onnx.Attr { return onnx.Ints(name, v...) }
	b := onnx.NewBuilder("forest", 17)
	x := b.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(2))
	k := int64(len(labels))
	var tree, nodeID, class []int64
	var share []float32
	shares := [4][2]float32{{0.45, 0.05}, {0.1, 0.4}, {0.3, 0.2}, {0, 0.5}} // left and right leaf of each tree
	for leaf := range int64(4) {
		if k == 2 {
			tree, nodeID, class = append(tree, leaf/2), append(nodeID, 1+leaf%2), append(class, 0)
			share = append(share, shares[leaf][1])
			continue
		}
		for c := range k {
			tree, nodeID, class = append(tree, leaf/2), append(nodeID, 1+leaf%2), append(class, c)
			w := float32(0)
			if c < 2 {
				w = shares[leaf][c]
			}
			share = append(share, w)
		}
	}
	out := b.Custom("ai.onnx.ml", "TreeEnsembleClassifier", 2, []onnx.Value{x},
		ints("nodes_treeids", 0, 0, 0, 1, 1, 1), ints("nodes_nodeids", 0, 1, 2, 0, 1, 2),
		ints("nodes_featureids", 0, 0, 0, 1, 0, 0), onnx.Floats("nodes_values", 0.5, 0, 0, -1, 0, 0),
		aStrings("nodes_modes", "BRANCH_LEQ", "LEAF", "LEAF", "BRANCH_LEQ", "LEAF", "LEAF"),
		ints("nodes_truenodeids", 1, 0, 0, 1, 0, 0), ints("nodes_falsenodeids", 2, 0, 0, 2, 0, 0),
		ints("class_treeids", tree...), ints("class_nodeids", nodeID...), ints("class_ids", class...), onnx.Floats("class_weights", share...),
		ints("classlabels_int64s", labels...), onnx.Str("post_transform", "NONE"))
	b.Output("label", out[0], onnx.Int64, onnx.Sym("N"))
	b.Output("probabilities", out[1], onnx.Float, onnx.Sym("N"), onnx.Fixed(k))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestForestOfTwoClasses decides by hand what the library computes: versions 1.26.0
// and 1.27.0 gave scores that sum to 0.
func TestForestOfTwoClasses(t *testing.T) {
	rows := [][]float64{{0, -2}, {0, 0}, {1, -2}, {1, 0}, {0.5, -1}, {0.51, -0.99}}
	want := []int32{0, 1, 1, 1, 0, 1} // of (0.75, 0.25), (0.45, 0.55), (0.4, 0.6), (0.1, 0.9)
	for _, decision := range []string{"argmax", "label"} {
		b, err := forest(t, 0, 1).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		declared := outputs("probabilities", decision)
		if decision == "label" {
			declared = outputs("label", decision)
		}
		m, err := models.OpenBytes(t.Context(), runtimetest.Open(t), "forest", b, models.Options{Declared: declared})
		if err != nil {
			t.Fatal(err)
		}
		if got := classify(t, m, rows); !slices.Equal(got, want) {
			t.Errorf("%s: %v instead of %v", decision, got, want)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestKnownFaults puts versions of onnxruntime and operators together.
func TestKnownFaults(t *testing.T) {
	blocked := onnx.NewBuilder("blocked", 17)
	x := blocked.Input("x", onnx.Float, onnx.Dims(1, 16, 2, 2)...)
	blocked.OutputUntyped("y", blocked.Custom("com.microsoft.nchwc", "ReorderInput", 1, []onnx.Value{x})[0])
	internal, err := blocked.Build()
	if err != nil {
		t.Fatal(err)
	}
	plain := onnx.NewBuilder("plain", 17)
	plain.OutputUntyped("y", plain.Relu(plain.Input("x", onnx.Float, onnx.Sym("N"), onnx.Fixed(2))))
	relu, err := plain.Build()
	if err != nil {
		t.Fatal(err)
	}
	two, three := forest(t, 0, 1), forest(t, 0, 1, 2)
	for _, tt := range []struct {
		name    string
		m       *onnx.Model
		version string
		remedy  string // "" for a pair without a fault
	}{
		{"two classes", two, "1.25.1", ""}, {"two classes", two, "1.26.0", "1.28.0"}, {"two classes", two, "1.27.0", "1.28.0"},
		{"two classes", two, "1.27.9", "1.28.0"}, {"two classes", two, "1.28.0", ""}, {"two classes", two, "1.32.0", ""},
		{"three classes", three, "1.27.0", ""}, {"relu", relu, "1.27.0", ""},
		{"internal", internal, "1.30.0", "1.31.0"}, {"internal", internal, "1.31.0", ""}, {"internal", internal, "1.32.0", ""},
	} {
		err := models.CheckFaults(tt.version, tt.m)
		var refusal *models.Refusal
		switch {
		case tt.remedy == "" && err != nil:
			t.Errorf("%s × %s: %v", tt.name, tt.version, err)
		case tt.remedy != "" && (!errors.As(err, &refusal) || !strings.Contains(refusal.Reason, tt.version) ||
			!strings.Contains(refusal.Remedy, tt.remedy) || len(refusal.Nodes) != 1):
			t.Errorf("%s × %s: %v", tt.name, tt.version, err)
		}
	}
}

// aStrings is an attribute of a list of strings.
func aStrings(name string, values ...string) onnx.Attr {
	a := &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_STRINGS.Enum()}
	for _, v := range values {
		a.Strings = append(a.Strings, []byte(v))
	}
	return onnx.AttrsOf(&onnxpb.NodeProto{Attribute: []*onnxpb.AttributeProto{a}})[0]
}
