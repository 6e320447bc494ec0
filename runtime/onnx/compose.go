package onnx

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"ucan/runtime/onnx/onnxpb"
)

// Compose returns the model that feeds outputs of first into inputs of then. The map wire names,
// for inputs of then, the output of first that they get; with a nil map both must have exactly one,
// which are joined.
//
// The result has the inputs of first followed by those of then that are not wired, and the outputs
// of then followed by those of first that are not wired. Inner names of then that first uses as
// well are replaced by fresh ones; inputs and outputs keep their names, and where two of those
// collide, Compose fails ([Model.Renamed] and [Model.Prefixed] help). Models of different opsets
// are brought to the newer one ([Model.WithOpset]).
func Compose(first, then *Model, wire map[string]string) (*Model, error) {
	wire = maps.Clone(wire) // rewired below
	if wire == nil {
		outs, ins := first.Outputs(), then.Inputs()
		if len(outs) != 1 || len(ins) != 1 {
			return nil, fmt.Errorf("onnx: compose: %d outputs and %d inputs; say which to join", len(outs), len(ins))
		}
		wire = map[string]string{ins[0].Name: outs[0].Name}
	}
	if err := checkWires(first, then, wire); err != nil {
		return nil, fmt.Errorf("onnx: compose: %w", err)
	}
	opset := max(first.Opset(""), then.Opset(""))
	var err error
	if first, err = first.WithOpset(opset); err != nil {
		return nil, fmt.Errorf("compose: %w", err)
	}
	if then, err = then.WithOpset(opset); err != nil {
		return nil, fmt.Errorf("compose: %w", err)
	}
	if then, err = disjoint(first, then, wire); err != nil {
		return nil, fmt.Errorf("onnx: compose: %w", err)
	}
	return first.Edit(func(p *onnxpb.ModelProto) error { return join(p, cloneSharing(then.p), wire) })
}

func checkWires(first, then *Model, wire map[string]string) error {
	if len(wire) == 0 {
		return fmt.Errorf("nothing to join")
	}
	for in, out := range wire {
		v, ok := then.Input(in)
		if !ok {
			return fmt.Errorf("the second model has no input %q", in)
		}
		w, ok := first.Output(out)
		if !ok {
			return fmt.Errorf("the first model has no output %q", out)
		}
		if v.Kind == "tensor" && w.Kind == "tensor" && v.Type != w.Type && v.Type != Undefined && w.Type != Undefined {
			return fmt.Errorf("output %v does not fit input %v", w, v)
		}
		if v.HasShape && w.HasShape && !slices.EqualFunc(v.Shape, w.Shape, Dim.mayEqual) {
			return fmt.Errorf("output %v does not fit input %v", w, v)
		}
	}
	return nil
}

// disjoint renames the inner values of then that first uses too.
func disjoint(first, then *Model, wire map[string]string) (*Model, error) {
	taken, mine := namesOf(first.p.Graph).taken, namesOf(then.p.Graph).taken
	public := make(map[string]bool)
	for _, v := range then.Inputs() {
		if wire[v.Name] == "" {
			public[v.Name] = true
		}
	}
	for _, v := range then.Outputs() {
		public[v.Name] = true
	}
	used := namesOf(first.p.Graph, then.p.Graph)
	names := make(map[string]string)
	for _, n := range slices.Sorted(maps.Keys(mine)) {
		if n == "" || !taken[n] {
			continue
		}
		if public[n] {
			return nil, fmt.Errorf("both models have a value %q; rename one", n)
		}
		names[n] = used.fresh(n)
	}
	nodeNames := namesOf()
	for _, n := range first.p.Graph.Node {
		nodeNames.taken[n.GetName()] = true
	}
	p := cloneSharing(then.p)
	renameGraph(p.Graph, byTable(names), func(n *onnxpb.NodeProto) {
		if n.GetName() != "" {
			n.Name = proto.String(nodeNames.fresh(n.GetName()))
		}
	})
	// Wired inputs may have been renamed; keep them findable.
	for in, out := range wire {
		if to, ok := names[in]; ok {
			delete(wire, in)
			wire[to] = out
		}
	}
	return &Model{p: p}, nil
}

// join appends the graph of q to that of p.
func join(p, q *onnxpb.ModelProto, wire map[string]string) error {
	for _, o := range q.OpsetImport {
		d := NormalDomain(o.GetDomain())
		have := opsetOf(p.OpsetImport, d)
		switch {
		case have == 0:
			p.OpsetImport = append(p.OpsetImport, o)
		case have != opsetOf(q.OpsetImport, d):
			return fmt.Errorf("onnx: compose: the models import versions %d and %d of operator set %q", have, o.GetVersion(), d)
		}
	}
	for _, f := range q.Functions {
		same := false
		for _, h := range p.Functions {
			if h.GetDomain() == f.GetDomain() && h.GetName() == f.GetName() && h.GetOverload() == f.GetOverload() {
				if !proto.Equal(h, f) {
					return fmt.Errorf("onnx: compose: both models define their own function %q", f.GetName())
				}
				same = true
			}
		}
		if !same {
			p.Functions = append(p.Functions, f)
		}
	}
	have := make(map[string]bool)
	for _, e := range p.MetadataProps {
		have[e.GetKey()] = true
	}
	for _, e := range q.MetadataProps {
		if !have[e.GetKey()] {
			p.MetadataProps = append(p.MetadataProps, e)
		}
	}
	p.IrVersion = proto.Int64(max(p.GetIrVersion(), q.GetIrVersion()))

	g, h := p.Graph, q.Graph
	renameGraph(h, byTable(wire), nil)
	wired := make(map[string]bool)
	for _, out := range wire {
		wired[out] = true
	}
	g.Input = append(g.Input, filter(h.Input, func(v *onnxpb.ValueInfoProto) bool { return !wired[v.GetName()] })...)
	g.Node = append(g.Node, h.Node...)
	g.Initializer = append(g.Initializer, h.Initializer...)
	g.SparseInitializer = append(g.SparseInitializer, h.SparseInitializer...)
	g.QuantizationAnnotation = append(g.QuantizationAnnotation, h.QuantizationAnnotation...)
	rest := filter(g.Output, func(v *onnxpb.ValueInfoProto) bool { return !wired[v.GetName()] })
	g.ValueInfo = append(g.ValueInfo, filter(g.Output, func(v *onnxpb.ValueInfoProto) bool { return wired[v.GetName()] })...)
	g.ValueInfo = append(g.ValueInfo, h.ValueInfo...)
	g.Output = slices.Concat(h.Output, rest)
	// An output of then that is one of its wired inputs must not be declared twice.
	outs := make(map[string]bool)
	for _, v := range g.Output {
		outs[v.GetName()] = true
	}
	g.ValueInfo = filter(g.ValueInfo, func(v *onnxpb.ValueInfoProto) bool { return !outs[v.GetName()] })
	return nil
}
