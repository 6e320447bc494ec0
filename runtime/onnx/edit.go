package onnx

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"ucan/runtime/onnx/onnxpb"
)

// Values returns every name that the main graph defines: inputs, initialisers and node outputs,
// sorted.
func (m *Model) Values() []string {
	return slices.Sorted(maps.Keys(definedNames(m.p.Graph)))
}

func definedNames(g *onnxpb.GraphProto) map[string]bool {
	seen := initializerNames(g)
	for _, v := range g.Input {
		seen[v.GetName()] = true
	}
	for _, n := range g.Node {
		for _, o := range n.GetOutput() {
			if o != "" {
				seen[o] = true
			}
		}
	}
	return seen
}

// WithOutputs returns a copy whose outputs are exactly the named values, in that order; any value
// of the main graph may be named. Declared types are kept where there are any, otherwise the reader
// infers them.
func (m *Model) WithOutputs(names ...string) (*Model, error) {
	return m.Edit(func(p *onnxpb.ModelProto) error {
		g := p.Graph
		defined := definedNames(g)
		known := make(map[string]*onnxpb.ValueInfoProto)
		for _, v := range slices.Concat(g.ValueInfo, g.Input, g.Output) {
			known[v.GetName()] = v
		}
		var outs []*onnxpb.ValueInfoProto
		seen := make(map[string]bool)
		for _, name := range names {
			if !defined[name] {
				return fmt.Errorf("onnx: the graph has no value %q", name)
			}
			if seen[name] {
				return fmt.Errorf("onnx: value %q is named twice as an output", name)
			}
			seen[name] = true
			if v := known[name]; v != nil {
				outs = append(outs, v)
			} else {
				outs = append(outs, &onnxpb.ValueInfoProto{Name: proto.String(name)})
			}
		}
		g.Output = outs
		// A value is declared as an output or inside, not both.
		g.ValueInfo = filter(g.ValueInfo, func(v *onnxpb.ValueInfoProto) bool { return !seen[v.GetName()] })
		return nil
	})
}

// WithDim returns a copy in which dimension axis of the input or output of the given name is
// declared as d. Declarations of inner values are dropped, since they may contradict it.
func (m *Model) WithDim(name string, axis int, d Dim) (*Model, error) {
	return m.Edit(func(p *onnxpb.ModelProto) error {
		p.Graph.ValueInfo = nil
		return declared(p.Graph, name, func(v *onnxpb.ValueInfoProto) error {
			dims := DimProtos(v)
			if axis < 0 || axis >= len(dims) {
				return fmt.Errorf("onnx: %v has no dimension %d", infoOf(v), axis)
			}
			dims[axis].Value = dimProto(d).Value
			return nil
		})
	})
}

// WithBatch returns a copy in which the first dimension of every input and every tensor output that
// has a declared shape of at least one dimension is d. Declarations of inner values are dropped. It
// changes declarations only: a graph that has its batch baked into a Reshape needs more.
func (m *Model) WithBatch(d Dim) (*Model, error) {
	return m.Edit(func(p *onnxpb.ModelProto) error {
		ini := initializerNames(p.Graph)
		for _, v := range slices.Concat(p.Graph.Input, p.Graph.Output) {
			if dims := DimProtos(v); len(dims) > 0 && !ini[v.GetName()] {
				dims[0].Value = dimProto(d).Value
			}
		}
		p.Graph.ValueInfo = nil
		return nil
	})
}

// Promote returns a copy in which the named initialisers have become inputs of the same type and
// shape, behind the existing inputs: trainable weights, for instance.
func (m *Model) Promote(names ...string) (*Model, error) {
	return m.Edit(func(p *onnxpb.ModelProto) error {
		g := p.Graph
		for _, name := range names {
			at := slices.IndexFunc(g.Initializer, func(t *onnxpb.TensorProto) bool { return t.GetName() == name })
			if at < 0 {
				return fmt.Errorf("onnx: the graph has no initialiser %q", name)
			}
			t := g.Initializer[at]
			g.Initializer = append(g.Initializer[:at:at], g.Initializer[at+1:]...)
			g.Input = filter(g.Input, func(v *onnxpb.ValueInfoProto) bool { return v.GetName() != name })
			g.Input = append(g.Input, Declare(name, TensorType(t), Dims(t.Dims...)...))
		}
		return nil
	})
}

// Demote returns a copy in which the input named as the tensor t has become a constant of its
// value: the reverse of [Model.Promote]. Where the input declares a type or a shape, t must have
// it. The tensor must not be changed afterwards.
func (m *Model) Demote(t *onnxpb.TensorProto) (*Model, error) {
	name := t.GetName()
	in, ok := m.Input(name)
	if !ok {
		return nil, fmt.Errorf("onnx: the model has no input %q", name)
	}
	if err := fits(in, t); err != nil {
		return nil, err
	}
	return m.Edit(func(p *onnxpb.ModelProto) error {
		g := p.Graph
		g.Input = filter(g.Input, func(v *onnxpb.ValueInfoProto) bool { return v.GetName() != name })
		g.Initializer = append(g.Initializer, t)
		return nil
	})
}

func fits(in ValueInfo, t *onnxpb.TensorProto) error {
	if in.Type != Undefined && in.Type != TensorType(t) {
		return fmt.Errorf("onnx: %v cannot take a tensor of %v", in, TensorType(t))
	}
	if in.HasShape && !slices.EqualFunc(in.Shape, Dims(t.Dims...), Dim.mayEqual) {
		return fmt.Errorf("onnx: %v cannot take a tensor of dimensions %v", in, t.Dims)
	}
	return nil
}

// WithInitializers returns a copy with the initialisers of the same names replaced by the given
// tensors: new weights, for instance. The tensors must have the same element types and dimensions
// as before and must not be changed afterwards.
func (m *Model) WithInitializers(ts ...*onnxpb.TensorProto) (*Model, error) {
	return m.Edit(func(p *onnxpb.ModelProto) error {
		at := make(map[string]int, len(p.Graph.Initializer))
		for i, t := range p.Graph.Initializer {
			at[t.GetName()] = i
		}
		for _, t := range ts {
			i, ok := at[t.GetName()]
			if !ok {
				return fmt.Errorf("onnx: the graph has no initialiser %q", t.GetName())
			}
			old := p.Graph.Initializer[i]
			if old.GetDataType() != t.GetDataType() || !slices.Equal(old.Dims, t.Dims) {
				return fmt.Errorf("onnx: initialiser %q is %v%v, not %v%v", t.GetName(), TensorType(old), old.Dims, TensorType(t), t.Dims)
			}
			p.Graph.Initializer[i] = t
		}
		return nil
	})
}

// WithFloats returns a copy in which float32 initialisers, by name, have the given values. It fails
// for names of none, and for another number of values.
func (m *Model) WithFloats(values map[string][]float32) (*Model, error) {
	ts := make([]*onnxpb.TensorProto, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		old := m.Initializer(name)
		if old == nil {
			return nil, fmt.Errorf("onnx: the graph has no initialiser %q", name)
		}
		t, err := NewTensor(name, old.GetDims(), values[name])
		if err != nil {
			return nil, err
		}
		ts = append(ts, t)
	}
	return m.WithInitializers(ts...)
}

// Renamed returns a copy in which values are called as the map says; names that are not in it stay.
// It fails when two values would get one name.
func (m *Model) Renamed(names map[string]string) (*Model, error) {
	defined := definedNames(m.p.Graph)
	all := make(map[string]bool)
	allNames(m.p.Graph, all)
	target := make(map[string]string, len(names))
	for from, to := range names {
		if !defined[from] {
			return nil, fmt.Errorf("onnx: the graph has no value %q", from)
		}
		if to == "" || target[to] != "" || (all[to] && names[to] == "") {
			return nil, fmt.Errorf("onnx: cannot call value %q %q: that name is taken", from, to)
		}
		target[to] = from
	}
	return m.Edit(func(p *onnxpb.ModelProto) error {
		renameGraph(p.Graph, byTable(names), nil)
		return nil
	})
}

// Prefixed returns a copy in which the names of all values and nodes, those in subgraphs included,
// begin with the given prefix.
func (m *Model) Prefixed(prefix string) *Model {
	p := cloneSharing(m.p)
	renameGraph(p.Graph, func(s string) string { return prefix + s }, func(n *onnxpb.NodeProto) {
		if n.GetName() != "" {
			n.Name = proto.String(prefix + n.GetName())
		}
	})
	return &Model{p: p}
}

// byTable replaces the names that a table has.
func byTable(names map[string]string) func(string) string {
	return func(s string) string {
		if to, ok := names[s]; ok {
			return to
		}
		return s
	}
}

// renameGraph applies f to every non-empty value name in g and its subgraphs, and node to every
// node when it is given.
func renameGraph(g *onnxpb.GraphProto, f func(string) string, node func(*onnxpb.NodeProto)) {
	apply := func(s string) string {
		if s == "" {
			return s
		}
		return f(s)
	}
	for i, t := range g.Initializer {
		if to := apply(t.GetName()); to != t.GetName() {
			u := shallow(t, "name").(*onnxpb.TensorProto)
			u.Name = proto.String(to)
			g.Initializer[i] = u
		}
	}
	for _, t := range g.SparseInitializer {
		if t.GetValues() != nil {
			t.Values.Name = proto.String(apply(t.Values.GetName()))
		}
	}
	for _, v := range slices.Concat(g.Input, g.Output, g.ValueInfo) {
		v.Name = proto.String(apply(v.GetName()))
	}
	for _, a := range g.QuantizationAnnotation {
		a.TensorName = proto.String(apply(a.GetTensorName()))
		for _, e := range a.QuantParameterTensorNames {
			e.Value = proto.String(apply(e.GetValue()))
		}
	}
	for _, n := range g.Node {
		for i, s := range n.Input {
			n.Input[i] = apply(s)
		}
		for i, s := range n.Output {
			n.Output[i] = apply(s)
		}
		if node != nil {
			node(n)
		}
		for _, sub := range subgraphs(n) {
			renameGraph(sub, f, node)
		}
	}
}

// cleanName turns s into something fit for a part of a name.
func cleanName(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r == '/' {
			return '_'
		}
		return r
	}, s)
}

// WithoutInitializerInputs returns a copy whose initialisers are no longer listed among the inputs,
// as IR version 4 allows. Listed ones may be overridden by a run, so that a runtime cannot treat
// them as constants.
func (m *Model) WithoutInitializerInputs() (*Model, error) {
	return m.Edit(func(p *onnxpb.ModelProto) error {
		ini := initializerNames(p.Graph)
		p.Graph.Input = filter(p.Graph.Input, func(v *onnxpb.ValueInfoProto) bool { return !ini[v.GetName()] })
		p.IrVersion = proto.Int64(max(p.GetIrVersion(), 4))
		return nil
	})
}

// WithDeclared returns a copy in which the input or output of the given name is declared as a
// tensor of the given type and shape, whatever was declared before.
func (m *Model) WithDeclared(name string, dt DType, dims ...Dim) (*Model, error) {
	return m.Edit(func(p *onnxpb.ModelProto) error {
		return declared(p.Graph, name, func(v *onnxpb.ValueInfoProto) error {
			v.Type = Declare(name, dt, dims...).Type
			return nil
		})
	})
}

// declared calls f with every input and output of that name, at least one.
func declared(g *onnxpb.GraphProto, name string, f func(*onnxpb.ValueInfoProto) error) error {
	found := false
	for _, v := range slices.Concat(g.Input, g.Output) {
		if v.GetName() != name {
			continue
		}
		found = true
		if err := f(v); err != nil {
			return err
		}
	}
	if !found {
		return fmt.Errorf("onnx: the model has no input or output %q", name)
	}
	return nil
}
