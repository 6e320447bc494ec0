package onnx_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"ucan/fixtures/subtest"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

func scopeNode(op, in, out string, attrs ...*onnxpb.AttributeProto) *onnxpb.NodeProto {
	domain, name, ok := strings.Cut(op, ":")
	if !ok {
		domain, name = "", op
	}
	return &onnxpb.NodeProto{OpType: &name, Domain: &domain, Input: strings.Fields(in), Output: strings.Fields(out), Attribute: attrs}
}

func scopeInt(name string, v int64) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_INT.Enum(), I: &v}
}

func scopeRef(name, to string) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_INT.Enum(), RefAttrName: &to}
}

func subgraphAttr(name string, g *onnxpb.GraphProto) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: &name, Type: onnxpb.AttributeProto_GRAPH.Enum(), G: g}
}

func scopeConstant(name string, v int64) *onnxpb.TensorProto {
	t, err := onnx.NewTensor(name, nil, []int64{v})
	if err != nil {
		panic(err)
	}
	return t
}

func valueNames(names string) []*onnxpb.ValueInfoProto {
	var out []*onnxpb.ValueInfoProto
	for _, n := range strings.Fields(names) {
		out = append(out, &onnxpb.ValueInfoProto{Name: proto.String(n)})
	}
	return out
}

func localFunction(name, in, out string, nodes ...*onnxpb.NodeProto) *onnxpb.FunctionProto {
	return &onnxpb.FunctionProto{Domain: proto.String("local"), Name: &name, Input: strings.Fields(in), Output: strings.Fields(out), Node: nodes}
}

// sites walks a model and renders every site of operator op: its attribute "a" and the
// constant behind its first input.
func sites(t *testing.T, p *onnxpb.ModelProto, op string) ([]string, error) {
	t.Helper()
	m, err := modelOf(p)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	err = m.Walk(func(s onnx.Site) {
		if s.Node.GetOpType() != op || s.Function != nil {
			return
		}
		value := "open"
		if c := s.Constant(s.Node.GetInput()[0]); c != nil {
			v, readErr := onnx.Int64s(c)
			if readErr != nil {
				t.Fatal(readErr)
			}
			value = fmt.Sprint(v[0])
		}
		out = append(out, fmt.Sprintf("%s a=%d opset %d", value, onnx.AttrInt(s.Node, "a", -1), s.Opset("")))
	})
	return out, err
}

func scopeModel(g *onnxpb.GraphProto, functions ...*onnxpb.FunctionProto) *onnxpb.ModelProto {
	g.Name = proto.String("g")
	return &onnxpb.ModelProto{IrVersion: proto.Int64(10), Graph: g, Functions: functions,
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(18)}, {Domain: proto.String("local"), Version: proto.Int64(1)}}}
}

func TestWalk(t *testing.T) {
	use := scopeNode("Use", "c", "u")
	inner := func(in string, consts ...*onnxpb.TensorProto) *onnxpb.GraphProto {
		return &onnxpb.GraphProto{Input: valueNames(in), Initializer: consts, Node: []*onnxpb.NodeProto{use}, Output: valueNames("u")}
	}
	for _, tt := range []struct {
		name  string
		model *onnxpb.ModelProto
		want  string
	}{
		{"a subgraph sees outer constants", scopeModel(&onnxpb.GraphProto{
			Initializer: []*onnxpb.TensorProto{scopeConstant("c", 5)},
			Node:        []*onnxpb.NodeProto{scopeNode("If", "x", "y", subgraphAttr("then_branch", inner("")))},
		}), "5 a=-1 opset 18"},
		{"an input of a subgraph hides them", scopeModel(&onnxpb.GraphProto{
			Initializer: []*onnxpb.TensorProto{scopeConstant("c", 5)},
			Node:        []*onnxpb.NodeProto{scopeNode("Loop", "x x c", "y", subgraphAttr("body", inner("i go c")))},
		}), "open a=-1 opset 18"},
		{"a node of a subgraph hides them, wherever it stands", scopeModel(&onnxpb.GraphProto{
			Initializer: []*onnxpb.TensorProto{scopeConstant("c", 5)},
			Node: []*onnxpb.NodeProto{scopeNode("If", "x", "y", subgraphAttr("then_branch", &onnxpb.GraphProto{
				Node: []*onnxpb.NodeProto{use, scopeNode("Relu", "x", "c")}, Output: valueNames("u"),
			}))},
		}), "open a=-1 opset 18"},
		{"an initialiser of a subgraph hides them", scopeModel(&onnxpb.GraphProto{
			Initializer: []*onnxpb.TensorProto{scopeConstant("c", 5)},
			Node:        []*onnxpb.NodeProto{scopeNode("If", "x", "y", subgraphAttr("then_branch", inner("", scopeConstant("c", 7))))},
		}), "7 a=-1 opset 18"},
		{"an input of a subgraph that is an initialiser too is given", scopeModel(&onnxpb.GraphProto{
			Node: []*onnxpb.NodeProto{scopeNode("Loop", "x x c", "y", subgraphAttr("body", inner("i go c", scopeConstant("c", 7))))},
		}), "open a=-1 opset 18"},
		{"Identity and Constant nodes", scopeModel(&onnxpb.GraphProto{
			Node: []*onnxpb.NodeProto{scopeNode("Constant", "", "k", scopeInt("value_int", 3)), scopeNode("Identity", "k", "c"), use},
		}), "3 a=-1 opset 18"},
		{"a Constant of another domain is none", scopeModel(&onnxpb.GraphProto{
			Node: []*onnxpb.NodeProto{scopeNode("other:Constant", "", "c", scopeInt("value_int", 3)), use},
		}), "open a=-1 opset 18"},
		{"attributes and constants call by call", scopeModel(&onnxpb.GraphProto{
			Initializer: []*onnxpb.TensorProto{scopeConstant("one", 1), scopeConstant("two", 2)},
			Node:        []*onnxpb.NodeProto{scopeNode("local:F", "one", "p", scopeInt("k", 10)), scopeNode("local:F", "two", "q", scopeInt("k", 20)), scopeNode("local:F", "x", "r")},
		}, localFunction("F", "c", "u", scopeNode("Use", "c", "u", scopeRef("a", "k")))), "1 a=10 opset 18, 2 a=20 opset 18, open a=-1 opset 18"},
		{"a function sees nothing around its call", scopeModel(&onnxpb.GraphProto{
			Initializer: []*onnxpb.TensorProto{scopeConstant("c", 1)},
			Node:        []*onnxpb.NodeProto{scopeNode("local:F", "x", "p")},
		}, localFunction("F", "v", "u", use)), "open a=-1 opset 18"},
		{"references through nested functions", scopeModel(&onnxpb.GraphProto{
			Initializer: []*onnxpb.TensorProto{scopeConstant("one", 1)},
			Node:        []*onnxpb.NodeProto{scopeNode("local:Outer", "one", "p", scopeInt("outer", 4))},
		}, localFunction("Outer", "v", "u", scopeNode("If", "v", "u", subgraphAttr("then_branch", &onnxpb.GraphProto{
			Node: []*onnxpb.NodeProto{scopeNode("local:F", "v", "w", scopeRef("k", "outer"))}, Output: valueNames("w"),
		}))), localFunction("F", "c", "u", scopeNode("Use", "c", "u", scopeRef("a", "k")))), "1 a=4 opset 18"},
		{"a Constant by reference", scopeModel(&onnxpb.GraphProto{
			Node: []*onnxpb.NodeProto{scopeNode("local:F", "", "p", scopeInt("k", 8))},
		}, localFunction("F", "", "u", scopeNode("Constant", "", "c", scopeRef("value_int", "k")), use)), "8 a=-1 opset 18"},
		{"defaults of a function, and its own operator set", scopeModel(&onnxpb.GraphProto{
			Node: []*onnxpb.NodeProto{scopeNode("local:F", "x", "p")},
		}, func() *onnxpb.FunctionProto {
			f := localFunction("F", "c", "u", scopeNode("Use", "c", "u", scopeRef("a", "k")))
			f.AttributeProto = []*onnxpb.AttributeProto{scopeInt("k", 6)}
			f.OpsetImport = []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(13)}}
			return f
		}()), "open a=6 opset 13"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := sites(t, tt.model, "Use")
			if err != nil || strings.Join(got, ", ") != tt.want {
				t.Errorf("%v, error %v; want %s", got, err, tt.want)
			}
		})
	}
}

func TestWalkUnresolved(t *testing.T) {
	doubling := func(n int) []*onnxpb.FunctionProto { // each calls the next twice
		var out []*onnxpb.FunctionProto
		for i := range n {
			op := fmt.Sprintf("local:F%d", i+1)
			if i == n-1 {
				op = "Use"
			}
			out = append(out, localFunction(fmt.Sprintf("F%d", i), "c", "u", scopeNode(op, "c", "v"), scopeNode(op, "v", "u")))
		}
		return out
	}
	call := func(op string) *onnxpb.GraphProto {
		return &onnxpb.GraphProto{Node: []*onnxpb.NodeProto{scopeNode(op, "x", "y", scopeInt("k", 1))}}
	}
	for name, p := range subtest.Rows(map[string]*onnxpb.ModelProto{
		"a reference in the main graph":     scopeModel(&onnxpb.GraphProto{Node: []*onnxpb.NodeProto{scopeNode("Use", "x", "y", scopeRef("a", "k"))}}),
		"functions that call each other":    scopeModel(call("local:A"), localFunction("A", "c", "u", scopeNode("local:B", "c", "u")), localFunction("B", "c", "u", scopeNode("local:A", "c", "u"))),
		"a function given twice":            scopeModel(call("local:A"), localFunction("A", "c", "u"), localFunction("A", "c", "u")),
		"an expansion of 2^40 nodes":        scopeModel(call("local:F0"), doubling(40)...),
		"calls nested more than 64 deep":    scopeModel(call("local:F0"), callChain(80)...),
		"a reference to another type":       scopeModel(call("local:A"), localFunction("A", "c", "u", scopeNode("Use", "c", "u", &onnxpb.AttributeProto{Name: proto.String("a"), Type: onnxpb.AttributeProto_FLOAT.Enum(), RefAttrName: proto.String("k")}))),
		"a function of the standard domain": scopeModel(call("Relu"), &onnxpb.FunctionProto{Name: proto.String("Relu"), Domain: proto.String("ai.onnx"), Input: []string{"c"}, Output: []string{"u"}}),
	}) {
		t.Run(name, func(t *testing.T) {
			if got, err := sites(t, p, "Use"); !errors.Is(err, onnx.ErrUnresolved) {
				t.Errorf("%d sites, error %v; want ErrUnresolved", len(got), err)
			}
		})
	}
}

// chain makes functions each of which calls the next.
func callChain(n int) []*onnxpb.FunctionProto {
	var out []*onnxpb.FunctionProto
	for i := range n {
		out = append(out, localFunction(fmt.Sprintf("F%d", i), "c", "u", scopeNode(fmt.Sprintf("local:F%d", i+1), "c", "u")))
	}
	return out
}

// modelOf returns the model that p describes, unchecked: tests make faulty ones too.
func modelOf(p *onnxpb.ModelProto) (*onnx.Model, error) {
	b := onnx.NewBuilder("any", 13)
	b.Output("y", b.Input("x", onnx.Float), onnx.Float)
	m, err := b.Build()
	if err != nil {
		return nil, err
	}
	return m.Edit(func(q *onnxpb.ModelProto) error {
		proto.Reset(q)
		proto.Merge(q, p)
		return nil
	})
}
