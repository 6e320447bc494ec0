package autodiff_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
	"ucan/runtime/runtimetest"
)

// functionNode is a node of a function.
func functionNode(domain, op, attrs string, inputs []string, outputs ...string) *onnxpb.NodeProto {
	n := &onnxpb.NodeProto{OpType: proto.String(op), Input: inputs, Output: outputs, Domain: proto.String(domain)}
	if attrs != "" {
		n.Attribute = []*onnxpb.AttributeProto{{Name: proto.String(attrs), RefAttrName: proto.String("slope"), Type: onnxpb.AttributeProto_FLOAT.Enum()}}
	}
	return n
}

func floats(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}

// withFunctions is smallNet with its Relus written as calls of a function that calls another, with
// an attribute by reference, a default, an omitted input and an output that is an input.
func withFunctions(t *testing.T, opset int64) *onnx.Model {
	t.Helper()
	m, err := smallNet(t).Edit(func(p *onnxpb.ModelProto) error {
		imports := []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(opset)}, {Domain: proto.String("my"), Version: proto.Int64(1)}}
		p.OpsetImport = append(p.OpsetImport, imports[1])
		p.Functions = []*onnxpb.FunctionProto{
			{Name: proto.String("outer"), Domain: proto.String("my"), Input: []string{"x", "none"}, Output: []string{"y", "same"}, OpsetImport: imports,
				AttributeProto: []*onnxpb.AttributeProto{{Name: proto.String("slope"), Type: onnxpb.AttributeProto_FLOAT.Enum(), F: proto.Float32(0.25)}},
				Node:           []*onnxpb.NodeProto{functionNode("my", "inner", "slope", []string{"x"}, "Conv"), functionNode("", "Tanh", "", []string{"Conv"}, "y"), functionNode("", "Identity", "", []string{"x"}, "same")}},
			{Name: proto.String("inner"), Domain: proto.String("my"), Input: []string{"x"}, Output: []string{"y"}, Attribute: []string{"slope"}, OpsetImport: imports,
				Node: []*onnxpb.NodeProto{functionNode("", "LeakyRelu", "alpha", []string{"x"}, "y")}},
		}
		for i, n := range p.Graph.Node {
			if n.GetOpType() == "Relu" {
				n.OpType, n.Domain = proto.String("outer"), proto.String("my")
				n.Output = append(n.Output, fmt.Sprint("same", i))
				if i < 2 {
					n.Input = append(n.Input, "")
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// logitsOf evaluates m on x.
func logitsOf(t *testing.T, rt *runtime.Runtime, m *onnx.Model, x *onnxpb.TensorProto) []float32 {
	t.Helper()
	out, err := autodiff.OnRuntime(rt).Eval(t.Context(), m, []*onnxpb.TensorProto{x})
	if err != nil {
		t.Fatal(err)
	}
	y, err := onnx.Float32s(out["logits"])
	if err != nil {
		t.Fatal(err)
	}
	return y
}

// TestFunctions differentiates through local functions.
func TestFunctions(t *testing.T) {
	rt := runtimetest.Open(t)
	for _, opset := range []int64{17, 18, 13} {
		m := withFunctions(t, opset)
		r, err := autodiff.Check(context.Background(), rt, m, autodiff.DefaultCheckOptions())
		if err != nil || r.WrongDirections+r.UndecidedDirections > 0 || r.GradientNorm == 0 {
			t.Errorf("opset %d: %+v, %v", opset, r, err)
		}
		in, err := m.Inlined()
		if err != nil {
			t.Fatal(err)
		}
		if s := fmt.Sprint(in.Operators()); s != "map[Conv:2 Flatten:1 Gemm:1 Identity:2 LeakyRelu:2 Tanh:2]" {
			t.Errorf("inlined: %s", s)
		}
	}
	// What is inlined computes the same.
	x, err := onnx.NewTensor("x", []int64{1, 2, 6, 6}, floats(normals(rng(3), 72)))
	if err != nil {
		t.Fatal(err)
	}
	m := withFunctions(t, 17)
	in, err := m.Inlined()
	if err != nil {
		t.Fatal(err)
	}
	var results [2]string
	for i, g := range []*onnx.Model{m, in} {
		results[i] = fmt.Sprint(logitsOf(t, rt, g, x))
	}
	if results[0] != results[1] {
		t.Errorf("the model returns %s, inlined %s", results[0], results[1])
	}
	loop, err := withFunctions(t, 17).Edit(func(p *onnxpb.ModelProto) error {
		p.Functions[1].Node[0].OpType, p.Functions[1].Node[0].Domain = proto.String("outer"), proto.String("my")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := loop.Inlined(); !errors.Is(err, onnx.ErrUnresolved) {
		t.Errorf("a function that calls itself: %v", err)
	}
}
