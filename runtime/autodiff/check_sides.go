package autodiff

import (
	"fmt"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// withSides returns m with further outputs that say on which side of a kink each element is that
// reaches an operator with one: booleans, or indices for MaxPool. Only what depends on the input
// wrt is looked at.
func withSides(m *onnx.Model, wrt string) (*onnx.Model, []string, error) {
	b := onnx.Extend(m)
	s := &sider{b: b.Scope("side"), reach: map[string]bool{wrt: true}}
	for _, n := range m.Nodes() {
		if !onnx.UsesAny(n, s.reach) {
			continue
		}
		for _, o := range n.GetOutput() {
			s.reach[o] = o != ""
		}
		if onnx.NormalDomain(n.GetDomain()) == "" {
			s.node(n)
		}
	}
	var names []string
	for i, v := range s.values {
		names = append(names, m.FreshName(fmt.Sprintf("side.%d", i)))
		b.OutputUntyped(names[i], b.Identity(v))
	}
	out, err := b.Build()
	return out, names, err
}

// sider collects the sides of a graph.
type sider struct {
	b      *onnx.Builder
	reach  map[string]bool
	values []onnx.Value
}

// add keeps a side.
func (s *sider) add(v onnx.Value) { s.values = append(s.values, v) }

// above keeps the comparison of a node's first input with a number.
func (s *sider) above(n *onnxpb.NodeProto, bounds ...float64) {
	x := s.b.Value(n.GetInput()[0])
	for _, v := range bounds {
		s.add(s.b.Greater(x, s.b.Op("CastLike", []onnx.Value{s.b.Scalar(onnx.Float, v), x})))
	}
}

// node adds the sides of one node.
func (s *sider) node(n *onnxpb.NodeProto) {
	b := s.b
	in := n.GetInput()
	switch n.GetOpType() {
	case "Relu", "LeakyRelu", "PRelu", "Abs", "Selu", "Sign":
		s.above(n, 0)
	case "Elu":
		if onnx.AttrFloat(n, "alpha", 1) != 1 {
			s.above(n, 0)
		}
	case "ThresholdedRelu":
		s.above(n, float64(onnx.AttrFloat(n, "alpha", 1)))
	case "HardSwish":
		s.above(n, -3, 3)
	case "HardSigmoid":
		alpha, beta := float64(onnx.AttrFloat(n, "alpha", 0.2)), float64(onnx.AttrFloat(n, "beta", 0.5))
		s.above(n, -beta/alpha, (1-beta)/alpha)
	case "Clip":
		for _, bound := range in[1:] {
			if bound != "" {
				s.add(b.Greater(b.Value(in[0]), b.Value(bound)))
			}
		}
	case "Max", "Min":
		for _, v := range in {
			s.add(b.Equal(b.Value(v), b.Value(n.GetOutput()[0])))
		}
	case "GlobalMaxPool":
		s.add(b.Equal(b.Value(in[0]), b.Value(n.GetOutput()[0])))
	case "ReduceMax", "ReduceMin":
		kept := b.Op(n.GetOpType(), s.inputs(n), append(onnx.AttrsOf(n, "keepdims"), onnx.Int("keepdims", 1))...)
		s.add(b.Equal(b.Value(in[0]), kept))
	case "MaxPool":
		// A copy: with its second output the provider leaves its fast layout.
		s.add(b.OpN(n.GetOpType(), 2, s.inputs(n), onnx.AttrsOf(n)...)[1])
	case "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal":
		s.add(b.Value(n.GetOutput()[0]))
	}
}

// inputs returns the values that n reads.
func (s *sider) inputs(n *onnxpb.NodeProto) []onnx.Value {
	out := make([]onnx.Value, len(n.GetInput()))
	for i, name := range n.GetInput() {
		if name != "" {
			out[i] = s.b.Value(name)
		}
	}
	return out
}
