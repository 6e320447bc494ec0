package onnx_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

func nodeOf(op, in, out string, attrs ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	return &onnxpb.NodeProto{OpType: &op, Input: strings.Fields(in), Output: strings.Fields(out), Attribute: attrs}
}

func graphAttr(name string, outputs string, nodes ...*onnxpb.NodeProto) *onnxpb.AttributeProto {
	g := &onnxpb.GraphProto{Name: &name, Node: nodes}
	for _, o := range strings.Fields(outputs) {
		g.Output = append(g.Output, &onnxpb.ValueInfoProto{Name: proto.String(o)})
	}
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_GRAPH.Enum(), G: g}
}

// TestStructure gives demo (y = relu(x·w + b)) faults that no output depends on, and sound parts
// that look like faults.
func TestStructure(t *testing.T) {
	add := func(nodes ...*onnxpb.NodeProto) func(*onnxpb.ModelProto) {
		return func(p *onnxpb.ModelProto) { p.Graph.Node = append(p.Graph.Node, nodes...) }
	}
	function := func(name, in, out string, nodes ...*onnxpb.NodeProto) *onnxpb.FunctionProto {
		return &onnxpb.FunctionProto{Name: &name, Domain: proto.String("own"), Input: strings.Fields(in), Output: strings.Fields(out), Node: nodes}
	}
	functions := func(list ...*onnxpb.FunctionProto) func(*onnxpb.ModelProto) {
		return func(p *onnxpb.ModelProto) { p.Functions = list }
	}
	call := func(name, in, out string) *onnxpb.NodeProto {
		n := nodeOf(name, in, out)
		n.Domain = proto.String("own")
		return n
	}
	for _, tt := range []struct {
		name string
		edit func(*onnxpb.ModelProto)
		want string // "" for a sound model
	}{
		{"a dead node makes the output again", add(nodeOf("Neg", "x", "y")), "Duplicate definition of name (y)"},
		{"one node makes a value twice", add(nodeOf("TopK", "x k", "a a")), "Duplicate definition of name (a)"},
		{"a node makes the input", add(nodeOf("Neg", "y", "x")), "Duplicate definition of name (x)"},
		{"a node makes a weight", add(nodeOf("Neg", "y", "w")), "Duplicate definition of name (w)"},
		{"a weight twice", func(p *onnxpb.ModelProto) {
			p.Graph.Initializer = append(p.Graph.Initializer, proto.Clone(p.Graph.Initializer[0]).(*onnxpb.TensorProto))
		}, "Duplicate definition of name (w)"},
		{"an input twice", func(p *onnxpb.ModelProto) { p.Graph.Input = append(p.Graph.Input, p.Graph.Input[0]) }, "Duplicate definition of name (x)"},
		{"a dead node reads nothing known", add(nodeOf("Neg", "nowhere", "z")), `reads "nowhere"`},
		{"an output without a node", func(p *onnxpb.ModelProto) {
			p.Graph.Output = append(p.Graph.Output, &onnxpb.ValueInfoProto{Name: proto.String("lost")})
		}, `output "lost" is made by no node`},
		{"a cycle beside the model", add(nodeOf("Neg", "a", "d"), nodeOf("Neg", "d", "c"), nodeOf("Add", "c x", "a")), "cycle"},
		{"a node that needs itself", add(nodeOf("Add", "a x", "a")), "cycle"},
		{"a cycle through a subgraph", add(nodeOf("If", "x", "a", graphAttr("then_branch", "t", nodeOf("Neg", "d", "t"))), nodeOf("Neg", "a", "d")), "cycle"},
		{"an attribute twice", add(nodeOf("Softmax", "y", "z", intAttr("axis", 0), intAttr("axis", 1))), `two attributes "axis"`},
		{"twice inside a branch", add(nodeOf("If", "x", "a", graphAttr("then_branch", "t", nodeOf("Neg", "x", "t"), nodeOf("Abs", "x", "t")))), "Duplicate definition of name (t)"},
		{"unknown inside two branches", add(nodeOf("If", "x", "a", graphAttr("then_branch", "t",
			nodeOf("If", "x", "t", graphAttr("else_branch", "e", nodeOf("Neg", "nowhere", "e")))))), `reads "nowhere"`},
		{"a branch without its output", add(nodeOf("If", "x", "a", graphAttr("then_branch", "lost"))), `output "lost"`},
		{"a value of another branch", add(nodeOf("If", "x", "a", graphAttr("then_branch", "t", nodeOf("Neg", "x", "t")),
			graphAttr("else_branch", "e", nodeOf("Neg", "t", "e")))), `reads "t"`},
		{"a function that reads from outside", functions(function("F", "u", "v", nodeOf("Add", "u w", "v"))), `reads "w"`},
		{"a function without its output", functions(function("F", "u", "v", nodeOf("Neg", "u", "z"))), `output "v"`},
		{"a function twice", functions(function("F", "u", "u"), function("F", "u", "u")), "Duplicate definition of function (F)"},
		{"functions that call each other", functions(function("F", "u", "v", call("G", "u", "v")),
			function("G", "u", "v", nodeOf("If", "u", "v", graphAttr("then_branch", "t", call("F", "u", "t"))))), "calls itself"},
		{"twice inside a function", functions(function("F", "u", "v", nodeOf("Neg", "u", "v"), nodeOf("Abs", "u", "v"))), "Duplicate definition of name (v)"},

		{"nodes in reverse order", func(p *onnxpb.ModelProto) { p.Graph.Node[0], p.Graph.Node[1] = p.Graph.Node[1], p.Graph.Node[0] }, ""},
		{"a weight listed as input", func(p *onnxpb.ModelProto) {
			p.Graph.Input = append(p.Graph.Input, &onnxpb.ValueInfoProto{Name: proto.String("w")})
		}, ""},
		{"both branches use one name", add(nodeOf("If", "x", "a", graphAttr("then_branch", "t", nodeOf("Neg", "x", "t")),
			graphAttr("else_branch", "t", nodeOf("Abs", "w", "t")))), ""},
		{"a branch that hides an outer name", add(nodeOf("If", "x", "a", graphAttr("then_branch", "w", nodeOf("Neg", "x", "w")))), ""},
		{"left-out inputs and outputs", func(p *onnxpb.ModelProto) {
			p.Graph.Node = append(p.Graph.Node, &onnxpb.NodeProto{OpType: proto.String("LSTM"), Input: []string{"x", "w", "b", "", ""}, Output: []string{"", "h", ""}})
		}, ""},
		{"a function that calls another twice", functions(function("F", "u", "v", call("G", "u", "t"), call("G", "t", "v")), function("G", "u", "v", nodeOf("Neg", "u", "v"))), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := demo(t).Edit(func(p *onnxpb.ModelProto) error { tt.edit(p); return nil })
			if err != nil {
				t.Fatal(err)
			}
			b, err := m.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			_, err = onnx.Parse(b)
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("a sound model: %v", err)
			case tt.want != "" && (!errors.Is(err, onnx.ErrMalformed) || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v; want ErrMalformed with %q", err, tt.want)
			}
		})
	}
}

func intAttr(name string, v int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_INT.Enum(), I: &v}
}

// TestStructureOfLongChains takes a chain written backwards, whose depth no stack of calls could
// hold twice over.
func TestStructureOfLongChains(t *testing.T) {
	const length = 100_000
	m, err := demo(t).Edit(func(p *onnxpb.ModelProto) error {
		for i := length; i > 0; i-- {
			p.Graph.Node = append(p.Graph.Node, nodeOf("Neg", fmt.Sprintf("v%d", i-1), fmt.Sprintf("v%d", i)))
		}
		p.Graph.Node = append(p.Graph.Node, nodeOf("Neg", "x", "v0"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := onnx.Parse(b); err != nil {
		t.Error(err)
	}
}
