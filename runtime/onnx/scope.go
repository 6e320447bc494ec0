package onnx

import (
	"fmt"
	"slices"

	"ucan/runtime/onnx/onnxpb"
)

// Site is a node as it runs in one place: in the main graph, in a subgraph, or in the
// body of a local function for one call.
type Site struct {
	// Node has its attributes by reference resolved.
	Node *onnxpb.NodeProto
	// Opset returns the version of an operator domain in force there.
	Opset func(domain string) int64
	// Function is the local function that the node calls, nil for an operator.
	Function *onnxpb.FunctionProto
	scope    *scope
}

// Constant returns the tensor that a name always stands for at this place, or nil. The
// innermost definition counts: inputs and node outputs of a subgraph hide outer
// constants.
func (s Site) Constant(name string) *onnxpb.TensorProto { return s.scope.constant(name) }

// scope maps the names that one graph defines to their constants, nil for a name that
// is defined and not constant.
type scope struct {
	outer *scope
	own   map[string]*onnxpb.TensorProto
}

func (s *scope) constant(name string) *onnxpb.TensorProto {
	for ; s != nil; s = s.outer {
		if t, ok := s.own[name]; ok {
			return t
		}
	}
	return nil
}

// Limits of an expansion of functions.
const (
	mostSites = 1 << 18 // nodes visited beyond those of the main graph
	mostCalls = 64      // calls inside calls
)

// Walk visits every node that can run, functions once a call, in file order. Functions
// and subgraphs are entered after their node was visited. It fails with ErrUnresolved
// where the file does not determine what runs.
func (m *Model) Walk(visit func(Site)) error {
	g := m.p.GetGraph()
	w := &walker{lib: m.Library(), visit: visit, left: len(g.GetNode()) + mostSites}
	return w.body(frame{}, g.GetNode(), g, nil)
}

type walker struct {
	lib   *Library
	visit func(Site)
	left  int // sites
}

// frame is the function whose body is visited, and its call.
type frame struct {
	f     *onnxpb.FunctionProto // nil: the main graph
	attrs Attributes
	calls []*onnxpb.FunctionProto // the functions being entered
}

// body visits nodes. g declares the names of a graph; inside a function it is nil, and
// s holds what the call binds.
func (w *walker) body(fr frame, nodes []*onnxpb.NodeProto, g *onnxpb.GraphProto, s *scope) error {
	own := &scope{outer: s, own: map[string]*onnxpb.TensorProto{}}
	if g == nil {
		own = s
	}
	for _, t := range g.GetInitializer() {
		own.own[t.GetName()] = t
	}
	for _, t := range g.GetSparseInitializer() {
		own.own[t.GetValues().GetName()] = nil
	}
	for _, v := range g.GetInput() {
		// The main graph's inputs that are initialisers too keep the initialiser's value;
		// those of a subgraph are always given.
		if s != nil || own.own[v.GetName()] == nil {
			own.own[v.GetName()] = nil
		}
	}
	resolved := make([]*onnxpb.NodeProto, len(nodes))
	made := map[string]int{}
	for i, n := range nodes {
		for _, o := range n.GetOutput() {
			if o != "" {
				own.own[o] = nil // before all constants: an order out of the ordinary must not uncover an outer name
				made[o]++
			}
		}
		var err error
		if resolved[i], err = Resolve(n, fr.attrs); err != nil {
			return err
		}
	}
	for _, n := range resolved {
		switch {
		case NormalDomain(n.GetDomain()) != "" || len(n.GetOutput()) != 1 || made[n.GetOutput()[0]] > 1:
		case n.GetOpType() == "Constant":
			if t, err := ConstantValue(n); err == nil {
				own.own[t.GetName()] = t
			}
		case n.GetOpType() == "Identity" && len(n.GetInput()) == 1:
			own.own[n.GetOutput()[0]] = own.constant(n.GetInput()[0])
		}
	}
	opset := func(domain string) int64 { return w.lib.Opset(fr.f, domain) }
	for _, n := range resolved {
		if w.left--; w.left < 0 {
			return fmt.Errorf("%w: its functions and subgraphs expand to more than %d nodes", ErrUnresolved, mostSites)
		}
		f, err := w.lib.Function(n)
		if err != nil {
			return err
		}
		w.visit(Site{Node: n, Opset: opset, Function: f, scope: own})
		for _, sub := range subgraphs(n) {
			if err = w.body(fr, sub.GetNode(), sub, own); err != nil {
				return err
			}
		}
		if f != nil {
			if err = w.call(fr, f, n, own); err != nil {
				return err
			}
		}
	}
	return nil
}

// call visits the body of f as n calls it.
func (w *walker) call(fr frame, f *onnxpb.FunctionProto, n *onnxpb.NodeProto, at *scope) error {
	for _, c := range fr.calls {
		if c == f {
			return fmt.Errorf("%w: function %q calls itself", ErrUnresolved, f.GetName())
		}
	}
	if len(fr.calls) == mostCalls {
		return fmt.Errorf("%w: functions are nested more than %d deep", ErrUnresolved, mostCalls)
	}
	inside := &scope{own: map[string]*onnxpb.TensorProto{}}
	for i, name := range f.GetInput() {
		inside.own[name] = nil
		if i < len(n.GetInput()) && n.GetInput()[i] != "" {
			inside.own[name] = at.constant(n.GetInput()[i])
		}
	}
	calls := append(slices.Clone(fr.calls), f)
	return w.body(frame{f, CallAttributes(f, n), calls}, f.GetNode(), nil, inside)
}
