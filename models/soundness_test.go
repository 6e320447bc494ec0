package models_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"ucan/models"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
	"ucan/runtime/runtimetest"
)

func aRef(name, to string, kind onnxpb.AttributeProto_AttributeType) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: kind.Enum(), RefAttrName: &to}
}

func aTensor(name string, t *onnxpb.TensorProto) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_TENSOR.Enum(), T: t}
}

func truth(t testing.TB, name string, v bool) *onnxpb.TensorProto {
	tensor, err := onnx.NewTensor(name, nil, []bool{v})
	if err != nil {
		t.Fatal(err)
	}
	return tensor
}

// local marks a node as a call of a function in the domain "local".
func local(n *onnxpb.NodeProto) *onnxpb.NodeProto {
	n.Domain = proto.String("local")
	return n
}

// function adds a local function.
func (g *graph) function(name, inputs, outputs string, attrs []string, nodes ...*onnxpb.NodeProto) *graph {
	opset := g.p.OpsetImport[0].GetVersion()
	if len(g.p.Functions) == 0 {
		g.opset("local", 1)
	}
	g.p.Functions = append(g.p.Functions, &onnxpb.FunctionProto{
		Domain: proto.String("local"), Name: &name, Input: names(inputs), Output: names(outputs), Attribute: attrs, Node: nodes,
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: &opset}, {Domain: proto.String("local"), Version: proto.Int64(1)}},
	})
	return g
}

func (g *graph) call(op, inputs, outputs string, attrs ...*onnxpb.AttributeProto) *graph {
	g.p.Graph.Node = append(g.p.Graph.Node, local(node(op, names(inputs), names(outputs), attrs...)))
	return g
}

// TestHazardsInsideOut: what makes a model random or trains it is found in bodies and
// functions, with the constants and attributes that are in force there.
func TestHazardsInsideOut(t *testing.T) {
	const intKind, tensorKind = onnxpb.AttributeProto_INT, onnxpb.AttributeProto_TENSOR
	norm := func(g *graph) *graph {
		return g.f32("one", []int64{3}, 1, 1, 1).f32("zero", []int64{3}, 0, 0, 0)
	}
	normNode := node("BatchNormalization", names("v s b m w"), names("u"), aRef("training_mode", "train", intKind))
	dropNodes := []*onnxpb.NodeProto{
		node("Constant", nil, names("mode"), aRef("value", "train", tensorKind)), node("Dropout", names("v _ mode"), names("u")),
	}
	loop := func(g *graph, input, given string) *graph {
		b := &onnxpb.GraphProto{Name: proto.String("b"),
			Input:  []*onnxpb.ValueInfoProto{info("i", onnx.Int64), info("go", onnx.Bool), info(input, onnx.Bool), info("s", onnx.Float, "N", 3)},
			Node:   []*onnxpb.NodeProto{node("Identity", names("go"), names("stay")), node("Identity", names(input), names("same")), node("Dropout", names("s _ mode"), names("s2"))},
			Output: []*onnxpb.ValueInfoProto{info("stay", onnx.Bool), info("same", onnx.Bool), info("s2", onnx.Float, "N", 3)}}
		for i := range b.Input[:3] { // numbers without axes
			b.Input[i].Type.GetTensorType().Shape = &onnxpb.TensorShapeProto{}
		}
		for i := range b.Output[:2] {
			b.Output[i].Type.GetTensorType().Shape = &onnxpb.TensorShapeProto{}
		}
		g.p.Graph.Initializer = append(g.p.Graph.Initializer, truth(g.t, "mode", false), truth(g.t, "yes", true))
		return g.add(onnx.NewTensor("n", nil, []int64{1})).node("Loop", "n yes "+given+" l", "o y", aGraph("body", b))
	}
	for _, tt := range []struct {
		name  string
		build func(g *graph) *graph
		want  string // of the refusal; "" where the model is sound
	}{
		{"normalisation that a call trains", func(g *graph) *graph {
			return norm(g).function("F", "v s b m w", "u", []string{"train"}, normNode).call("F", "l one zero zero one", "y", aInt("train", 1))
		}, "training mode"},
		{"normalisation that a call does not train", func(g *graph) *graph {
			return norm(g).function("F", "v s b m w", "u", []string{"train"}, normNode).call("F", "l one zero zero one", "y", aInt("train", 0))
		}, ""},
		{"one call of two trains", func(g *graph) *graph {
			return norm(g).function("F", "v s b m w", "u", []string{"train"}, normNode).call("F", "l one zero zero one", "h", aInt("train", 0)).
				call("F", "h one zero zero one", "y", aInt("train", 1))
		}, "training mode"},
		{"dropout by a Constant that the call gives", func(g *graph) *graph {
			return g.function("F", "v", "u", []string{"train"}, dropNodes...).call("F", "l", "y", aTensor("train", truth(t, "", true)))
		}, "training mode"},
		{"the same call, off", func(g *graph) *graph {
			return g.function("F", "v", "u", []string{"train"}, dropNodes...).call("F", "l", "y", aTensor("train", truth(t, "", false)))
		}, ""},
		{"dropout by an input of a loop that hides a constant", func(g *graph) *graph { return loop(g, "mode", "yes") }, "dropout"},
		{"dropout by the constant around the loop", func(g *graph) *graph { return loop(g, "other", "yes") }, ""},
		{"chance in a function of a function", func(g *graph) *graph {
			return g.function("Inner", "v", "u", nil, node("RandomNormalLike", names("v"), names("r")), node("Add", names("v r"), names("u"))).
				function("Outer", "v", "u", nil, local(node("Inner", names("v"), names("u")))).call("Outer", "l", "y")
		}, "random numbers"},
		{"chance in a function that nothing calls", func(g *graph) *graph {
			return g.function("Unused", "v", "u", nil, node("RandomNormalLike", names("v"), names("u"))).node("Identity", "l", "y")
		}, ""},
		{"an attribute by reference outside functions", func(g *graph) *graph {
			return g.node("Softmax", "l", "y", aRef("axis", "axis", intKind))
		}, "cannot be told from the file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := tt.build(plain(t, 17, "N")).scores("N").write()
			r, err := models.Inspect(context.Background(), path, models.Options{SourceShape: refShape})
			var refusal *models.Refusal
			if tt.want != "" {
				if !errors.As(err, &refusal) || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("error %v; want a refusal that says %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !r.Rows.Proved {
				t.Errorf("rows %v", r.Rows)
			}
			m, err := models.Open(context.Background(), runtimetest.Open(t), path, models.Options{SourceShape: refShape, SkipLoadTrial: true})
			if err != nil {
				t.Fatal(err)
			}
			rows := refRows(9)
			for i, got := range classify(t, m, rows) {
				if want := argmax(refScores(rows[i])); got != want {
					t.Errorf("row %d: label %d, want %d", i, got, want)
				}
			}
		})
	}
}
