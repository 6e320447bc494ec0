package rows

import (
	"fmt"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// MostRows bounds the batches that a proof speaks of: sizes are computed in the graph's
// own integer types, which must hold them.
const MostRows = 1 << 20

// Proof is the answer of [Prove].
type Proof struct {
	// Proved says that every row of the output is one function of its own row of the
	// input, for every batch (or for the fixed one).
	Proved bool
	// Break is where the proof ends; nil where it does not.
	Break *Break
}

// Break is the first node of which a proof knows too little.
type Break struct {
	Node     string // operator and name, as in messages
	Operator string // with its domain where that is not the default one
	Reason   string
}

// String is the node and the reason.
func (b *Break) String() string {
	if b.Node == "" {
		return b.Reason
	}
	return b.Node + ": " + b.Reason
}

// Prove follows the batch from the named input, whose first axis it is, to the named
// output, whose first axis it must be. batch is 0 for a graph that takes any batch (the
// declared first axis must be symbolic), or the one batch that the graph runs at. The
// other axes of the input must be declared with their sizes.
//
// A graph that cannot be followed is not proved; there are no errors.
func Prove(m *onnx.Model, input, output string, batch int) Proof {
	p := &prover{lib: m.Library(), rules: rules(), batch: int64(batch), left: len(m.Nodes()) + mostSteps}
	why := p.run(m, input, output)
	return Proof{Proved: why == nil, Break: why}
}

// mostSteps bounds the nodes and constants that are followed beyond those of the main graph:
// bodies of loops and functions, once each time.
const mostSteps = 1 << 18

// newestOpset is the newest version of the standard operators that the rules were
// written for.
const newestOpset = 25

// oldestOpset is the oldest one: before it, operators broadcast along an axis of their own.
const oldestOpset = 7

type prover struct {
	lib   *onnx.Library
	rules map[string]rule
	batch int64 // 0: symbolic
	left  int   // steps
}

func (p *prover) run(m *onnx.Model, input, output string) *Break {
	in, ok := m.Input(input)
	if !ok || in.Kind != "tensor" || !in.HasShape || len(in.Shape) == 0 {
		return &Break{Reason: fmt.Sprintf("input %q has no declared shape", input)}
	}
	dims := make([]dim, len(in.Shape))
	for i, d := range in.Shape {
		dims[i] = fixed(d.Size)
		if !d.IsFixed() {
			dims[i] = openDim
		}
	}
	switch {
	case p.batch == 0 && in.Shape[0].IsFixed():
		return &Break{Reason: fmt.Sprintf("input %q has a fixed batch of %d", input, in.Shape[0].Size)}
	case p.batch == 0:
		dims[0] = dim{n: 1}
	case in.Shape[0].IsFixed() && in.Shape[0].Size != p.batch:
		return &Break{Reason: fmt.Sprintf("input %q has a fixed batch of %d, not %d", input, in.Shape[0].Size, p.batch)}
	default:
		dims[0] = fixed(p.batch)
	}
	f := &frame{values: map[string]*value{}}
	g := m.Proto().GetGraph()
	constants := map[string]bool{}
	for _, t := range g.GetInitializer() {
		constants[t.GetName()] = true
	}
	for _, v := range g.GetInput() {
		if v.GetName() != input && !constants[v.GetName()] {
			f.values[v.GetName()] = &value{why: &Break{Reason: fmt.Sprintf("input %q is not known", v.GetName())}}
		}
	}
	f.values[input] = rowsOf(dims, 0, 1, 1)
	if why := p.graph(f, g.GetNode(), g); why != nil {
		return why
	}
	y := f.values[output]
	switch {
	case y == nil:
		return &Break{Reason: fmt.Sprintf("value %q is not made in the graph", output)}
	case y.kind == mixed:
		return y.why
	case y.kind != perRow:
		return &Break{Reason: fmt.Sprintf("output %q does not depend on the input's rows", output)}
	case y.axis != 0 || y.outer != 1 || y.inner != 1:
		return &Break{Reason: fmt.Sprintf("output %q holds the rows on axis %d, as %d×N×%d of %s", output, y.axis, y.outer, y.inner, shapeText(y.dims))}
	}
	return nil
}

// frame holds the values of a graph that is being followed.
type frame struct {
	outer  *frame
	values map[string]*value
	// The function whose body this is, and its call.
	f     *onnxpb.FunctionProto
	attrs onnx.Attributes
	calls []*onnxpb.FunctionProto
	depth int
}

// find looks a name up from the inside out.
func (f *frame) find(name string) *value {
	for ; f != nil; f = f.outer {
		if v, ok := f.values[name]; ok {
			return v
		}
	}
	return nil
}

// inside is a frame for a subgraph.
func (f *frame) inside() *frame {
	return &frame{outer: f, values: map[string]*value{}, f: f.f, attrs: f.attrs, calls: f.calls, depth: f.depth + 1}
}

// mostRank bounds the axes of a tensor.
const mostRank = 32

// mostDepth bounds calls in calls and bodies in bodies.
const mostDepth = 64

// graph follows the nodes of a graph; its inputs are in the frame already. The result is
// not nil where nothing in it can be trusted.
func (p *prover) graph(f *frame, nodes []*onnxpb.NodeProto, g *onnxpb.GraphProto) *Break {
	if f.depth > mostDepth {
		return &Break{Reason: fmt.Sprintf("its graphs are nested more than %d deep", mostDepth)}
	}
	if f.depth > 0 {
		// A loop may turn a body without nodes, or with many constants, very often.
		if p.left -= 1 + len(g.GetInitializer()) + len(g.GetSparseInitializer()); p.left < 0 {
			return p.tooLong()
		}
	}
	for _, t := range g.GetInitializer() {
		if _, given := f.values[t.GetName()]; !given {
			f.values[t.GetName()] = constantOf(t)
		}
	}
	for _, t := range g.GetSparseInitializer() {
		f.values[t.GetValues().GetName()] = unknownConstant(nil, false)
	}
	nodes, why := ordered(f, nodes)
	if why != nil {
		return why
	}
	for _, n := range nodes {
		if p.left--; p.left < 0 {
			return p.tooLong()
		}
		if why := p.node(f, n); why != nil {
			return why
		}
	}
	return nil
}

// tooLong ends a proof that takes too long.
func (p *prover) tooLong() *Break {
	return &Break{Reason: fmt.Sprintf("it takes more than %d steps to follow", mostSteps)}
}

// ordered checks that every name is made once and returns the nodes in an order in which
// they can run.
func ordered(f *frame, nodes []*onnxpb.NodeProto) ([]*onnxpb.NodeProto, *Break) {
	maker := make(map[string]int, len(nodes))
	for i, n := range nodes {
		for _, o := range n.GetOutput() {
			if o == "" {
				continue
			}
			_, twice := maker[o]
			if _, given := f.values[o]; twice || given {
				return nil, breakAt(n, fmt.Sprintf("value %q is made twice", o))
			}
			maker[o] = i
		}
	}
	for i, n := range nodes {
		for _, u := range onnx.Uses(n) {
			if at, made := maker[u]; made && at >= i {
				return sorted(nodes)
			}
		}
	}
	return nodes, nil
}

func sorted(nodes []*onnxpb.NodeProto) ([]*onnxpb.NodeProto, *Break) {
	out, err := onnx.SortNodes(nodes)
	if err != nil {
		return nil, &Break{Reason: err.Error()}
	}
	return out, nil
}

func breakAt(n *onnxpb.NodeProto, reason string) *Break {
	return &Break{Node: onnx.Describe(n), Operator: onnx.OperatorName(n), Reason: reason}
}

// node follows one node.
func (p *prover) node(f *frame, n *onnxpb.NodeProto) *Break {
	n, err := onnx.Resolve(n, f.attrs)
	if err != nil {
		return breakAt(n, err.Error())
	}
	c := &call{p: p, f: f, n: n, opset: p.lib.Opset(f.f, n.GetDomain()), out: make([]*value, len(n.GetOutput()))}
	for _, name := range n.GetInput() {
		var v *value
		if name != "" {
			switch v = f.find(name); v {
			case nil:
				return breakAt(n, fmt.Sprintf("value %q is not made before it is read", name))
			case omitted:
				v = nil
			}
		}
		c.in = append(c.in, v)
	}
	fn, err := p.lib.Function(n)
	switch {
	case err != nil:
		return breakAt(n, err.Error())
	case fn != nil:
		if why := p.call(c, fn); why != nil {
			return why
		}
	case f.f != nil && c.opset != p.lib.Opset(nil, n.GetDomain()):
		// onnxruntime runs the bodies of functions at the model's versions.
		c.mix("its function imports version %d of the operators and the model %d", c.opset, p.lib.Opset(nil, n.GetDomain()))
	default:
		c.apply()
	}
	for i, name := range n.GetOutput() {
		if name == "" {
			continue
		}
		if v := c.out[i]; v != nil && v.rank() > mostRank {
			c.mix("its result has %d axes, more than are followed", v.rank())
		}
		if c.out[i] == nil {
			why := c.why
			if why == nil {
				why = breakAt(n, "no rule covers its output "+fmt.Sprint(i))
			}
			c.out[i] = &value{why: why}
		}
		f.values[name] = c.out[i]
	}
	return nil
}

// call follows the body of a local function.
func (p *prover) call(c *call, fn *onnxpb.FunctionProto) *Break {
	for _, open := range c.f.calls {
		if open == fn {
			return breakAt(c.n, "its function calls itself")
		}
	}
	body := &frame{
		values: map[string]*value{}, f: fn, attrs: onnx.CallAttributes(fn, c.n), depth: c.f.depth + 1,
		calls: append(c.f.calls[:len(c.f.calls):len(c.f.calls)], fn),
	}
	if len(c.in) > len(fn.GetInput()) {
		return breakAt(c.n, "it has more inputs than its function takes")
	}
	for i, name := range fn.GetInput() {
		if i < len(c.in) && c.in[i] != nil {
			body.values[name] = c.in[i]
		} else {
			body.values[name] = omitted
		}
	}
	if why := p.graph(body, fn.GetNode(), nil); why != nil {
		return why
	}
	for i, name := range fn.GetOutput() {
		if i < len(c.out) {
			c.out[i] = body.values[name]
		}
	}
	return nil
}

// omitted stands for an optional input of a function that a call leaves out.
var omitted = &value{why: &Break{Reason: "an optional input of a function is left out"}}
