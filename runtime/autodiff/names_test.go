package autodiff_test

import (
	"context"
	"testing"

	"google.golang.org/protobuf/proto"

	"ucan/fixtures/subtest"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
	"ucan/runtime/runtimetest"
)

// ownNames are names that this package gives to values.
var ownNames = []string{
	"loss", "labels", "linear", "weights", "logit1", "x.grad", "w2.grad", "ucan.shapes", "side.0",
	"Conv", "Add", "Identity", "loss/Mul", "grad/Where", "scalar", "ints", "Relu/blocks", "x/blocks", "Conv/shape",
}

// nameTo gives the value from of smallNet the name to.
func nameTo(t *testing.T, m *onnx.Model, from, to string) *onnx.Model {
	t.Helper()
	names := map[string]string{from: to}
	for _, v := range m.Values() {
		if v == to {
			names[v] = m.FreshName("other")
		}
	}
	m, err := m.Renamed(names)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// within adds to smallNet a constant that a subgraph makes, whose inner value has the given name.
func within(t *testing.T, m *onnx.Model, name string) *onnx.Model {
	t.Helper()
	if m.FreshName(name) != name {
		m = nameTo(t, m, name, m.FreshName("other"))
	}
	m, err := m.Edit(func(p *onnxpb.ModelProto) error {
		branch := func(tag string) *onnxpb.AttributeProto {
			g := &onnxpb.GraphProto{Name: proto.String(tag)}
			g.Node = []*onnxpb.NodeProto{
				{OpType: proto.String("Neg"), Input: []string{"b3"}, Output: []string{name}},
				{OpType: proto.String("Abs"), Input: []string{name}, Output: []string{tag}},
			}
			g.Output = []*onnxpb.ValueInfoProto{{Name: proto.String(tag)}}
			return &onnxpb.AttributeProto{Name: proto.String(tag), Type: onnxpb.AttributeProto_GRAPH.Enum(), G: g}
		}
		yes, err := onnx.NewTensor("yes", nil, []bool{true})
		if err != nil {
			return err
		}
		p.Graph.Initializer = append(p.Graph.Initializer, yes)
		nodes := p.Graph.Node
		last := nodes[len(nodes)-1]
		last.Output[0] = "before"
		p.Graph.Node = append(nodes,
			&onnxpb.NodeProto{OpType: proto.String("If"), Input: []string{"yes"}, Output: []string{"chosen"},
				Attribute: []*onnxpb.AttributeProto{branch("then_branch"), branch("else_branch")}},
			&onnxpb.NodeProto{OpType: proto.String("Add"), Input: []string{"before", "chosen"}, Output: []string{"logits"}})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestNamesOfTheModel gives values of the model the names that this package gives to its own.
func TestNamesOfTheModel(t *testing.T) {
	rt := runtimetest.Open(t)
	small := smallNet(t)
	inner := small.Nodes()[0].GetOutput()[0]
	for place, named := range subtest.Rows(map[string]func(name string) (m *onnx.Model, input, output, weight string){
		"input": func(n string) (*onnx.Model, string, string, string) {
			return nameTo(t, small, "x", n), n, "logits", "w2"
		},
		"output": func(n string) (*onnx.Model, string, string, string) {
			return nameTo(t, small, "logits", n), "x", n, "w2"
		},
		"initialiser": func(n string) (*onnx.Model, string, string, string) {
			return nameTo(t, small, "w2", n), "x", "logits", n
		},
		"inside": func(n string) (*onnx.Model, string, string, string) {
			return nameTo(t, small, inner, n), "x", "logits", "w2"
		},
		"subgraph": func(n string) (*onnx.Model, string, string, string) { return within(t, small, n), "x", "logits", "w2" },
	}) {
		t.Run(place, func(t *testing.T) {
			for i, name := range ownNames {
				if testing.Short() && i >= 9 {
					break
				}
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					m, input, _, weight := named(name)
					checkNamed(t, rt, m, name, input, weight)
				})
			}
		})
	}
}

// checkNamed differentiates and runs a model in which name is taken.
func checkNamed(t *testing.T, rt *rtType, m *onnx.Model, name, input, weight string) {
	t.Helper()
	o := autodiff.DefaultCheckOptions()
	o.Directions = 2
	losses := []autodiff.Loss{autodiff.DefaultLinear()}
	switch name {
	case "loss", "labels":
		losses[0] = autodiff.DefaultCrossEntropy()
	case "logit1":
		losses[0] = autodiff.Logit{Class: 1}
	}
	results, err := autodiff.CheckLosses(context.Background(), rt, m, o, losses...)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if !(r.MaxRelativeError <= 1e-5) || r.Loss != losses[i].Name() || r.Reference != "float64" {
			t.Errorf("%+v", r)
		}
	}
	for _, loss := range losses {
		options := autodiff.Options{Wrt: []string{input, weight}, Losses: []autodiff.Loss{loss}, Sizes: map[string]int64{"N": 2}}
		x, err := autodiff.NewExecutor(context.Background(), rt, m, autodiff.ExecutorOptions{Options: options, Mode: autodiff.WeightsAsInputs, Session: runtime.SessionOptions{IntraOp: 1}})
		if err != nil {
			t.Fatal(err)
		}
		g := x.Gradient()
		for wanted, got := range g.Renamed {
			if wanted != name || m.FreshName(got) != got {
				t.Errorf("%s is called %s", wanted, got)
			}
		}
		if taken := g.Renamed[loss.Name()] != ""; taken != (loss.Name() == name) {
			t.Errorf("loss %s is called %s", loss.Name(), g.Loss(loss.Name()))
		}
		for i := range x.Floats(input) {
			x.Floats(input)[i] = float32(i%7) / 7
		}
		for i := range x.Floats(g.Input("linear", "weights")) {
			x.Floats(g.Input("linear", "weights"))[i] = 1
		}
		if err := x.Step(context.Background()); err != nil {
			t.Fatal(err)
		}
		if x.Loss(loss.Name()) == 0 || norm2(wide(x.Grad(loss.Name(), weight))) == 0 {
			t.Errorf("%s: loss %v, gradient %v", loss.Name(), x.Loss(loss.Name()), x.Grad(loss.Name(), weight)[:3])
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func wide(v []float32) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = float64(x)
	}
	return out
}
