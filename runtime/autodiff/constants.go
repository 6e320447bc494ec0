package autodiff

import (
	"context"
	"fmt"
	"slices"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// maxWeight bounds the elements of a weight that a node makes.
const maxWeight = 1 << 28

// WithWeights returns m in which the weights that [Trainable] looks for are initialisers wherever
// they are constants: in Constant nodes, made by ConstantOfShape, or by Identity, Cast or
// DequantizeLinear of constants.
func WithWeights(ctx context.Context, eng Engine, m *onnx.Model) (*onnx.Model, error) {
	s := newSources(m)
	var names []string
	for _, name := range s.weights() {
		if m.Initializer(name) == nil && s.made(name) {
			names = append(names, name)
		}
	}
	return initialised(ctx, eng, m, s, names)
}

// Initialised returns m in which those of the named values that nodes make of constants are
// initialisers, so that gradients can be taken by them.
func Initialised(ctx context.Context, eng Engine, m *onnx.Model, names ...string) (*onnx.Model, error) {
	s := newSources(m)
	var some []string
	for _, name := range names {
		if s.maker[name] != nil && s.constant[name] {
			some = append(some, name)
		}
	}
	return initialised(ctx, eng, m, s, some)
}

func initialised(ctx context.Context, eng Engine, m *onnx.Model, s sources, names []string) (*onnx.Model, error) {
	if len(names) == 0 {
		return m, nil
	}
	for _, name := range names {
		if n := s.maker[name]; n.GetOpType() == "ConstantOfShape" {
			if t := s.value(onnx.InputOf(n, 0)); t != nil {
				dims, err := onnx.Int64s(t)
				if err != nil {
					return nil, err
				}
				if e, err := onnx.Elements(dims); err != nil || e > maxWeight {
					return nil, fmt.Errorf("%w: %s makes a constant of dimensions %v; at most %d numbers are taken", ErrNotDifferentiable, onnx.Describe(n), dims, maxWeight)
				}
			}
		}
	}
	cm, err := m.WithoutInitializerInputs()
	if err == nil {
		cm, err = cm.WithOutputs(names...)
	}
	if err == nil {
		cm, err = cm.WithOpset(max(cm.Opset(""), 13))
	}
	if err == nil {
		cm, err = cm.Edit(func(p *onnxpb.ModelProto) error { p.Graph.Input = nil; return nil })
	}
	if err == nil {
		cm, err = cm.WithoutDead()
	}
	if err != nil {
		return nil, err
	}
	values, err := eng.Eval(ctx, cm, nil)
	if err != nil {
		return nil, fmt.Errorf("autodiff: compute constant weights: %w", err)
	}
	m, err = m.Edit(func(p *onnxpb.ModelProto) error {
		for _, n := range p.Graph.Node {
			for i, o := range n.Output {
				if t := values[o]; t != nil && onnx.TensorType(t).IsFloat() {
					n.Output[i] = "" // dead now
					p.Graph.Initializer = append(p.Graph.Initializer, t)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m.WithoutDead()
}

// sources tells where the values of a graph come from.
type sources struct {
	m        *onnx.Model
	fixed    map[string]bool // initialisers
	maker    map[string]*onnxpb.NodeProto
	constant map[string]bool // what depends on constants alone
}

func newSources(m *onnx.Model) sources {
	s := sources{m: m, fixed: make(map[string]bool), maker: make(map[string]*onnxpb.NodeProto), constant: make(map[string]bool)}
	for _, t := range m.Initializers() {
		s.fixed[t.GetName()], s.constant[t.GetName()] = true, true
	}
	for _, n := range m.Nodes() {
		varies := random(n.GetOpType()) || slices.ContainsFunc(onnx.Uses(n), func(u string) bool { return !s.constant[u] })
		for _, o := range n.GetOutput() {
			if o != "" {
				s.maker[o], s.constant[o] = n, !varies
			}
		}
	}
	return s
}

// weights lists what the weight inputs of nodes read, behind operators that only move elements, in
// the order in which the graph reads them.
func (s sources) weights() []string {
	seen := make(map[string]bool)
	var out []string
	for _, n := range s.m.Nodes() {
		for _, i := range weightInputs(n) {
			if name := s.unmoved(onnx.InputOf(n, i)); name != "" && !seen[name] {
				seen[name] = true
				out = append(out, name)
			}
		}
	}
	return out
}

// unmoved follows a value back through operators that only move its elements, to where it is a
// constant of its own; a value that is none is returned as it is.
func (s sources) unmoved(name string) string {
	at := name
	for range len(s.maker) {
		if s.fixed[at] {
			return at
		}
		switch n := s.maker[at]; n.GetOpType() {
		case "Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten":
			at = onnx.InputOf(n, 0)
		default:
			if s.made(at) {
				return at
			}
			return name
		}
	}
	return name
}

// made reports whether a node makes the value of constants, in one of the ways in which files write
// weights down.
func (s sources) made(name string) bool {
	switch s.maker[name].GetOpType() {
	case "Constant", "ConstantOfShape", "Cast", "DequantizeLinear":
		return s.constant[name]
	}
	return false
}

// value returns a tensor that stands in the file, or nil.
func (s sources) value(name string) *onnxpb.TensorProto {
	if t := s.m.Initializer(name); t != nil {
		return t
	}
	if n := s.maker[name]; n != nil {
		if t, err := onnx.ConstantValue(n); err == nil {
			return t
		}
	}
	return nil
}
