package onnx

import (
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"

	"ucan/runtime/onnx/onnxpb"
)

// builderMinOpset is the oldest opset the typed operators of [Builder] are written for: that of
// axes as inputs.
const builderMinOpset = 13

// Value is a tensor of a graph under construction. It belongs to the [Builder] that made it. The
// zero Value stands for an omitted optional input.
type Value struct {
	g    *graphState
	name string
}

// Name returns the name of the value within its graph.
func (v Value) Name() string { return v.name }

// IsZero reports whether v is the zero Value, an omitted input.
func (v Value) IsZero() bool { return v.g == nil }

// Builder builds a graph, operator by operator. Names of values are made from the operator and the
// current scope and are unique; inputs, initialisers and outputs have the names they are given.
//
// Errors are kept and returned by [Builder.Build], so that calls can be nested: b.Relu(b.Add(x,
// y)). Shapes and types are checked by the runtime that loads the model. A Builder is not safe for
// concurrent use.
type Builder struct {
	g     *graphState
	scope string
}

// graphState is what all scopes of a builder share.
type graphState struct {
	p       *onnxpb.ModelProto
	w       *NodeWriter
	opset   int64
	consts  map[string]Value  // small constants by content
	alias   map[string]string // values renamed to outputs
	made    map[string]bool   // node outputs, which may be renamed
	defined map[string]bool   // every value
	held    map[string]bool   // names kept for outputs to come
	errs    []error
}

// NewBuilder starts an empty graph of the given name for an opset of at least 13.
func NewBuilder(name string, opset int64) *Builder {
	p := &onnxpb.ModelProto{
		ProducerName: proto.String("ucan"),
		Graph:        &onnxpb.GraphProto{Name: &name},
	}
	setOpset(p, opset)
	return newBuilder(p, opset)
}

// Extend starts from a copy of m, to which operators, inputs and outputs can be added. The opset
// must be at least 13 (see [Model.WithOpset]).
func Extend(m *Model) *Builder {
	return newBuilder(cloneSharing(m.p), m.Opset(""))
}

func newBuilder(p *onnxpb.ModelProto, opset int64) *Builder {
	g := &graphState{
		p: p, opset: opset, w: NewNodeWriter(p.Graph),
		consts:  make(map[string]Value),
		alias:   make(map[string]string),
		made:    make(map[string]bool),
		defined: definedNames(p.Graph),
		held:    make(map[string]bool),
	}
	g.w.Nodes = p.Graph.Node
	if opset < builderMinOpset {
		g.errs = append(g.errs, fmt.Errorf("onnx: builder needs opset %d or newer, got %d", builderMinOpset, opset))
	}
	return &Builder{g: g}
}

// Opset returns the version of the default operator set being built for.
func (b *Builder) Opset() int64 { return b.g.opset }

// Scope returns a builder of the same graph whose values and nodes are named below name.
func (b *Builder) Scope(name string) *Builder {
	return &Builder{g: b.g, scope: b.scope + cleanName(name) + "/"}
}

// Err returns the errors so far, joined, or nil.
func (b *Builder) Err() error { return errors.Join(b.g.errs...) }

// Fail records an error that [Builder.Build] will return, for helpers built on top of the builder.
func (b *Builder) Fail(err error) Value {
	b.g.errs = append(b.g.errs, err)
	return Value{}
}

func (b *Builder) fresh(base string) string { return b.g.w.Fresh(b.scope + base) }

// claim takes a name the caller chose.
func (b *Builder) claim(what, name string) bool {
	if name == "" || b.g.w.names.taken[name] && !b.g.held[name] {
		b.Fail(fmt.Errorf("onnx: %s %q: the name is taken or empty", what, name))
		return false
	}
	b.g.w.Reserve(name)
	b.g.defined[name] = true
	delete(b.g.held, name)
	return true
}

// Hold keeps names, which no value may have yet, for inputs, initialisers and outputs to come: the
// operators added until then get others.
func (b *Builder) Hold(names ...string) {
	for _, name := range names {
		if b.g.w.names.taken[name] {
			b.Fail(fmt.Errorf("onnx: the name %q is taken", name))
			continue
		}
		b.g.w.Reserve(name)
		b.g.held[name] = true
	}
}

// FreeName returns base, or base with a number behind it, such that no value of the graph,
// subgraphs included, has that name. It is for an input or output that is added next.
func (b *Builder) FreeName(base string) string { return b.g.w.names.free(base) }

// Input adds an input.
func (b *Builder) Input(name string, dt DType, dims ...Dim) Value {
	if !b.claim("input", name) {
		return Value{}
	}
	b.g.p.Graph.Input = append(b.g.p.Graph.Input, Declare(name, dt, dims...))
	return Value{b.g, name}
}

// Initializer adds a constant under the tensor's own name. The tensor must not be changed
// afterwards.
func (b *Builder) Initializer(t *onnxpb.TensorProto) Value {
	if !b.claim("initialiser", t.GetName()) {
		return Value{}
	}
	return Value{b.g, b.g.w.Constant(t)}
}

// Tensor adds a constant of the given dimensions under a name derived from base and the scope.
func Tensor[T Element](b *Builder, base string, dims []int64, data []T) Value {
	return b.constant(NewTensor(b.fresh(base), dims, data))
}

func (b *Builder) constant(t *onnxpb.TensorProto, err error) Value {
	if err != nil {
		return b.Fail(err)
	}
	b.g.defined[t.GetName()] = true
	return Value{b.g, b.g.w.Constant(t)}
}

// Ints returns a one-dimensional constant of int64: a shape, or axes. Equal constants are stored
// once.
func (b *Builder) Ints(v ...int64) Value {
	return b.once(fmt.Sprint("ints", v), "ints", func(name string) (*onnxpb.TensorProto, error) {
		return NewTensor(name, []int64{int64(len(v))}, v)
	})
}

// Int64 returns a scalar constant of int64.
func (b *Builder) Int64(v int64) Value {
	return b.once(fmt.Sprint("int64 ", v), "int", func(name string) (*onnxpb.TensorProto, error) {
		return NewTensor(name, nil, []int64{v})
	})
}

// Scalar returns a scalar constant of a type that [NewNumbers] knows.
func (b *Builder) Scalar(dt DType, v float64) Value {
	return b.once(fmt.Sprint("scalar ", dt, math.Float64bits(v)), "scalar", func(name string) (*onnxpb.TensorProto, error) {
		return NewNumbers(name, dt, nil, []float64{v})
	})
}

// once returns the constant of a key, which it makes the first time. Its name is of no scope.
func (b *Builder) once(key, base string, tensor func(name string) (*onnxpb.TensorProto, error)) Value {
	if c, ok := b.g.consts[key]; ok {
		return c
	}
	c := b.constant(tensor(b.g.w.Fresh(base)))
	b.g.consts[key] = c
	return c
}

// Value returns an existing value of the graph by name, such as one of the model given to [Extend].
func (b *Builder) Value(name string) Value {
	if !b.g.defined[name] {
		return b.Fail(fmt.Errorf("onnx: the graph has no value %q", name))
	}
	return Value{b.g, name}
}

// Op adds an operator of the default domain with one output.
func (b *Builder) Op(op string, inputs []Value, attrs ...Attr) Value {
	return b.Custom("", op, 1, inputs, attrs...)[0]
}

// OpN adds an operator of the default domain with n outputs.
func (b *Builder) OpN(op string, n int, inputs []Value, attrs ...Attr) []Value {
	return b.Custom("", op, n, inputs, attrs...)
}

// Custom adds an operator of any domain with n outputs. A domain that the model does not import yet
// is imported in version 1.
func (b *Builder) Custom(domain, op string, n int, inputs []Value, attrs ...Attr) []Value {
	g := b.g
	domain = NormalDomain(domain)
	name := b.fresh(op)
	g.defined[name] = true
	node := g.w.Node(domain, op, nil, nil, attrs...)
	node.Name = proto.String(name)
	for i, v := range inputs {
		if v.g != nil && v.g != g {
			b.Fail(fmt.Errorf("onnx: input %d of %s belongs to another graph", i, name))
		}
		node.Input = append(node.Input, v.name)
	}
	for len(node.Input) > 0 && node.Input[len(node.Input)-1] == "" {
		node.Input = node.Input[:len(node.Input)-1]
	}
	out := make([]Value, n)
	for i := range out {
		o := name
		if i > 0 {
			o = b.fresh(op + "_out")
			g.defined[o] = true
		}
		g.made[o] = true
		out[i] = Value{g, o}
		node.Output = append(node.Output, o)
	}
	if domain != "" && opsetOf(g.p.OpsetImport, domain) == 0 {
		g.p.OpsetImport = append(g.p.OpsetImport, &onnxpb.OperatorSetIdProto{Domain: &domain, Version: proto.Int64(1)})
	}
	return out
}

// Append copies a node of another graph with its inputs replaced; its outputs get fresh names and
// are returned in order (zero for those the node omits).
func (b *Builder) Append(n *onnxpb.NodeProto, inputs []Value) []Value {
	return b.Custom(n.GetDomain(), n.GetOpType(), len(n.GetOutput()), inputs, AttrsOf(n)...)
}

// Output makes v an output of the graph under the given name. A value made by this builder takes
// that name; others are passed through an Identity.
func (b *Builder) Output(name string, v Value, dt DType, dims ...Dim) {
	b.output(name, v, Declare(name, dt, dims...))
}

// OutputUntyped is [Builder.Output] without a declaration of type and shape, which readers then
// infer.
func (b *Builder) OutputUntyped(name string, v Value) {
	b.output(name, v, &onnxpb.ValueInfoProto{Name: &name})
}

func (b *Builder) output(name string, v Value, info *onnxpb.ValueInfoProto) {
	g := b.g
	if v.g != g {
		b.Fail(fmt.Errorf("onnx: output %q belongs to another graph", name))
		return
	}
	if name != v.name {
		if !b.claim("output", name) {
			return
		}
		_, renamed := g.alias[v.name]
		if !g.made[v.name] || renamed {
			g.w.Node("", "Identity", []string{v.name}, []string{name})
		} else {
			g.alias[v.name] = name
		}
	}
	// A value that is an output under its own name keeps it.
	g.made[name] = false
	g.p.Graph.Output = append(g.p.Graph.Output, info)
}

// ClearOutputs removes the outputs declared so far, so that an extended model can be given others.
func (b *Builder) ClearOutputs() { b.g.p.Graph.Output = nil }

// Build returns the model, or every error met while building it. The builder may go on afterwards.
func (b *Builder) Build() (*Model, error) {
	g := b.g
	if err := b.Err(); err != nil {
		return nil, err
	}
	if len(g.p.Graph.Output) == 0 {
		return nil, errors.New("onnx: the graph has no output")
	}
	g.p.Graph.Node = g.w.Nodes
	p := cloneSharing(g.p)
	if len(g.alias) > 0 {
		renameGraph(p.Graph, byTable(g.alias), nil)
	}
	if err := check(p); err != nil {
		return nil, err
	}
	return &Model{p: p}, nil
}

// ExtraOutput returns output i of the node that makes v, adding it where the node omits it: the
// indices of a MaxPool, the statistics of a LayerNormalization. It fails when no node makes v.
func (b *Builder) ExtraOutput(v Value, i int) Value {
	for _, n := range b.g.w.Nodes {
		for _, o := range n.GetOutput() {
			if v.g != b.g || o != v.name {
				continue
			}
			for len(n.Output) <= i {
				n.Output = append(n.Output, "")
			}
			if n.Output[i] == "" {
				n.Output[i] = b.fresh(n.GetOpType() + "_extra")
				b.g.made[n.Output[i]] = true
				b.g.defined[n.Output[i]] = true
			}
			return Value{b.g, n.Output[i]}
		}
	}
	return b.Fail(fmt.Errorf("onnx: no node of the graph makes %q", v.name))
}
