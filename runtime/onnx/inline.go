package onnx

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"ucan/runtime/onnx/onnxpb"
)

// Inlined returns a copy without local functions: every call is replaced by the nodes of the body,
// also within subgraphs and within other functions. The model and its functions are brought to the
// newest opset among them. It fails with ErrUnresolved where the file does not determine what runs.
func (m *Model) Inlined() (*Model, error) {
	if len(m.p.GetFunctions()) == 0 {
		return m, nil
	}
	opset := m.Opset("")
	for _, f := range m.p.GetFunctions() {
		opset = max(opset, opsetOf(f.GetOpsetImport(), ""))
	}
	main, err := m.Edit(func(p *onnxpb.ModelProto) error { p.Functions = nil; return nil })
	if err == nil {
		main, err = main.WithOpset(opset)
	}
	if err != nil {
		return nil, err
	}
	in := &inliner{lib: m.Library(), opset: opset, left: len(m.p.GetGraph().GetNode()) + mostSites}
	return main.Edit(func(p *onnxpb.ModelProto) error {
		in.p, in.names = p, namesOf(p.GetGraph())
		return in.graph(p.GetGraph(), nil)
	})
}

type inliner struct {
	lib   *Library
	p     *onnxpb.ModelProto
	names nameSet
	opset int64
	left  int // nodes
}

// graph replaces the calls in g and its subgraphs; calls are the functions being expanded.
func (in *inliner) graph(g *onnxpb.GraphProto, calls []*onnxpb.FunctionProto) error {
	var nodes []*onnxpb.NodeProto
	for _, n := range g.GetNode() {
		some, err := in.node(n, calls)
		if err != nil {
			return err
		}
		nodes = append(nodes, some...)
	}
	g.Node = nodes
	return nil
}

// node returns what stands in the place of n.
func (in *inliner) node(n *onnxpb.NodeProto, calls []*onnxpb.FunctionProto) ([]*onnxpb.NodeProto, error) {
	if in.left--; in.left < 0 {
		return nil, fmt.Errorf("%w: its functions expand to more than %d nodes", ErrUnresolved, mostSites)
	}
	for _, sub := range subgraphs(n) {
		if err := in.graph(sub, calls); err != nil {
			return nil, err
		}
	}
	f, err := in.lib.Function(n)
	if err != nil || f == nil {
		return []*onnxpb.NodeProto{n}, err
	}
	switch {
	case slices.Contains(calls, f):
		return nil, fmt.Errorf("%w: function %q calls itself", ErrUnresolved, f.GetName())
	case len(calls) == mostCalls:
		return nil, fmt.Errorf("%w: functions are nested more than %d deep", ErrUnresolved, mostCalls)
	}
	body, err := in.body(f, n)
	if err != nil {
		return nil, err
	}
	var out []*onnxpb.NodeProto
	for _, b := range body {
		some, err := in.node(b, append(slices.Clone(calls), f))
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}

// body returns the nodes of f for the call n, in the opset of the model and with names that nothing
// else has.
func (in *inliner) body(f *onnxpb.FunctionProto, n *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
	g := &onnxpb.GraphProto{}
	attrs := CallAttributes(f, n)
	for _, node := range f.GetNode() {
		resolved, err := resolveAll(node, attrs)
		if err != nil {
			return nil, err
		}
		g.Node = append(g.Node, resolved)
	}
	if err := in.upgrade(f, g); err != nil {
		return nil, err
	}
	for _, o := range f.GetOpsetImport() {
		d := NormalDomain(o.GetDomain())
		switch have := opsetOf(in.p.OpsetImport, d); {
		case d == "" || have == o.GetVersion():
		case have == 0:
			in.p.OpsetImport = append(in.p.OpsetImport, proto.Clone(o).(*onnxpb.OperatorSetIdProto))
		default:
			return nil, fmt.Errorf("%w: the model and its function %q import versions %d and %d of operator set %q", ErrUnresolved, f.GetName(), have, o.GetVersion(), d)
		}
	}
	names := map[string]string{}
	for i, name := range f.GetInput() {
		names[name] = InputOf(n, i)
	}
	for i, name := range f.GetOutput() {
		if i >= len(n.GetOutput()) || n.GetOutput()[i] == "" {
			continue
		}
		if _, taken := names[name]; taken { // an input, or an output that is returned twice
			g.Node = append(g.Node, &onnxpb.NodeProto{OpType: proto.String("Identity"), Input: []string{name}, Output: []string{name + "\x00" + fmt.Sprint(i)}})
			name += "\x00" + fmt.Sprint(i)
		}
		names[name] = n.GetOutput()[i]
	}
	inner := map[string]bool{}
	allNames(g, inner)
	prefix := f.GetName()
	if n.GetName() != "" {
		prefix = n.GetName()
	}
	for _, name := range slices.Sorted(maps.Keys(inner)) {
		if _, ok := names[name]; !ok && name != "" {
			names[name] = in.names.fresh(cleanName(prefix) + "/" + name)
		}
	}
	renameGraph(g, func(s string) string { return names[s] }, nil)
	return g.Node, nil
}

// upgrade brings a body to the opset of the model.
func (in *inliner) upgrade(f *onnxpb.FunctionProto, g *onnxpb.GraphProto) error {
	from := in.lib.Opset(f, "")
	u := &upgrader{NodeWriter: NewNodeWriter(g), ranks: make(map[string]int), types: make(map[string]DType)}
	u.Reserve(f.GetInput()...)
	u.learn(g)
	if from > 0 && from < in.opset && in.opset > maxOpset {
		return fmt.Errorf("onnx: cannot convert the function %q to opset %d; the newest known is %d", f.GetName(), in.opset, maxOpset)
	}
	for v := from + 1; v <= in.opset && from > 0; v++ {
		if err := u.convert(g, v); err != nil {
			return err
		}
	}
	// Constants of the conversion become nodes of the body.
	var constants []*onnxpb.NodeProto
	for _, t := range g.Initializer {
		name := "value"
		constants = append(constants, &onnxpb.NodeProto{
			OpType: proto.String("Constant"), Output: []string{t.GetName()},
			Attribute: []*onnxpb.AttributeProto{{Name: &name, Type: onnxpb.AttributeProto_TENSOR.Enum(), T: t}},
		})
	}
	g.Initializer = nil
	g.Node = append(constants, g.Node...)
	return nil
}

// resolveAll is Resolve for n and the nodes of its subgraphs. It returns a copy.
func resolveAll(n *onnxpb.NodeProto, attrs Attributes) (*onnxpb.NodeProto, error) {
	n, err := Resolve(n, attrs)
	if err != nil {
		return nil, err
	}
	n = proto.Clone(n).(*onnxpb.NodeProto)
	for _, g := range subgraphs(n) {
		for i, b := range g.GetNode() {
			if g.Node[i], err = resolveAll(b, attrs); err != nil {
				return nil, err
			}
		}
	}
	return n, nil
}
