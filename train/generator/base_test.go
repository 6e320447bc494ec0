package generator_test

import (
	"context"
	"testing"

	"ucan/models"
	"ucan/models/demo"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
	"ucan/runtime/runtimetest"
	"ucan/train/generator"
)

// inConstants moves the weights of a model into Constant nodes, as some exporters write them.
func inConstants(t *testing.T, b []byte) []byte {
	t.Helper()
	m, err := onnx.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if m, err = m.Edit(func(p *onnxpb.ModelProto) error {
		var nodes []*onnxpb.NodeProto
		for _, w := range p.Graph.Initializer {
			op, name, value := "Constant", w.GetName(), "value"
			kind := onnxpb.AttributeProto_TENSOR
			nodes = append(nodes, &onnxpb.NodeProto{OpType: &op, Output: []string{name}, Attribute: []*onnxpb.AttributeProto{{Name: &value, Type: &kind, T: w}}})
		}
		p.Graph.Initializer, p.Graph.Node = nil, append(nodes, p.Graph.Node...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if b, err = m.Marshal(); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestWeightsInConstantNodes: joint training moves the same weights wherever the file keeps them.
func TestWeightsInConstantNodes(t *testing.T) {
	ctx := context.Background()
	rt := runtimetest.Open(t)
	counts := map[string]int{}
	for name, b := range map[string][]byte{"initialisers": demo.Model(), "nodes": inConstants(t, demo.Model())} {
		m, err := models.OpenBytes(ctx, rt, name, b, models.Options{SourceShape: []int{1, 28, 28}, SkipLoadTrial: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		base, err := generator.JointBaseOf(ctx, autodiff.OnRuntime(rt), m, 1)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		counts[name] = len(base.Weights)
		for _, w := range base.Weights {
			if base.Graph.Initializer(w.Name) == nil {
				t.Errorf("%s: the weight %q is no initialiser", name, w.Name)
			}
		}
	}
	if counts["nodes"] != counts["initialisers"] || counts["nodes"] < 4 {
		t.Errorf("weights found: %v", counts)
	}
}
