package autodiff

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"ucan/runtime/autodiff/internal/ortcpu"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// minOpset is the opset that rules are written for; older models are converted first.
const minOpset = 17

// Differentiate returns the model with its losses and their gradients. Only what the gradients need
// is computed. Operators without a rule are reported together, as a [MissingRulesError], before
// anything runs.
func Differentiate(ctx context.Context, eng Engine, m *onnx.Model, opts Options) (*Gradient, error) {
	m, err := Initialised(ctx, eng, m, opts.Wrt...)
	if err != nil {
		return nil, err
	}
	wrt, err := opts.validate(m)
	if err != nil {
		return nil, err
	}
	var promoted []string
	for _, w := range wrt {
		if opts.Promote && m.Initializer(w) != nil {
			promoted = append(promoted, w)
		}
	}
	if m, err = prepare(m, promoted, opts); err != nil {
		return nil, err
	}
	output := opts.Output
	if output == "" {
		output = defaultOutput(m)
	}
	registry := rules()
	maps.Copy(registry, opts.Rules)
	d := &differ{ctx: ctx, eng: eng, wrt: wrt, promoted: promoted, rules: registry, cpu: opts.CPU}
	if d.layout, err = d.readLayout(m); err != nil {
		return nil, err
	}
	if err = d.missing(m, opts.targets(output)); err != nil {
		return nil, err
	}
	var sizes map[string][2]int64
	if m, d.losses, sizes, err = addLosses(ctx, eng, m, output, opts); err != nil {
		return nil, err
	}
	if d.facts, err = probe(ctx, eng, m, sizes); err != nil {
		return nil, err
	}
	if m, err = fold(ctx, eng, m, d.facts, setOf(wrt), false); err != nil {
		return nil, err
	}
	g, err := d.reverse(m)
	if rule := (*RuleError)(nil); errors.As(err, &rule) {
		// Perhaps an argument has to be a constant. Where this is not needed the graph stays as it
		// is.
		if known, ferr := fold(ctx, eng, m, d.facts, setOf(wrt), true); ferr == nil {
			if again, rerr := d.reverse(known); rerr == nil {
				g, err = again, nil
			}
		}
	}
	if err == nil && d.layout.Block > 1 {
		err = d.forCPU(g, sizes)
	}
	if err != nil {
		return nil, err
	}
	return g, nil
}

// lossValue is a loss by its own name and that of the output holding it.
// inputs are those it has added, by the names it wanted.
type lossValue struct {
	name, output string
	inputs       map[string]string
}

// differ is one differentiation.
type differ struct {
	ctx      context.Context
	eng      Engine
	rules    map[string]Rule
	facts    facts
	wrt      []string
	promoted []string
	losses   []lossValue
	cpu      bool
	// layout has blocks where the graph will name the provider's operators (forCPU). Weights that
	// are inputs are brought to blocks then too.
	layout ortcpu.Layout
}

// passes reports whether gradients go through n, by its operator alone.
func (d *differ) passes(n *onnxpb.NodeProto) (pass, known bool) {
	r, known := d.rules[onnx.OperatorName(n)]
	if n.GetOpType() == "Cast" && onnx.NormalDomain(n.GetDomain()) == "" {
		return onnx.DType(onnx.AttrInt(n, "to", 0)).IsFloat(), known
	}
	return r != nil || !known, known
}

// missing reports the nodes without rules between the wanted values and the targets.
func (d *differ) missing(m *onnx.Model, targets []string) error {
	reach := d.reachable(m, func(string) bool { return true })
	needed := setOf(targets)
	var lacking []MissingRule
	for _, n := range slices.Backward(m.Nodes()) {
		pass, known := d.passes(n)
		if !pass || !onnx.UsesAny(n, reach) || !slices.ContainsFunc(n.GetOutput(), func(o string) bool { return needed[o] }) {
			continue
		}
		for _, u := range onnx.Uses(n) {
			needed[u] = true
		}
		if !known {
			lacking = append(lacking, MissingRule{Operator: onnx.OperatorName(n), Node: cmp.Or(n.GetName(), n.GetOutput()[0])})
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	slices.Reverse(lacking) // in the order of the graph
	return &MissingRulesError{Nodes: lacking}
}

// reachable marks the values that depend on a wanted one in a differentiable way, as far as they
// are real numbers.
func (d *differ) reachable(m *onnx.Model, isReal func(value string) bool) map[string]bool {
	reach := setOf(d.wrt)
	for _, n := range m.Nodes() {
		if pass, _ := d.passes(n); !pass || !onnx.UsesAny(n, reach) {
			continue
		}
		for _, o := range n.GetOutput() {
			if o != "" && isReal(o) {
				reach[o] = true
			}
		}
	}
	return reach
}

func setOf(names []string) map[string]bool {
	set := make(map[string]bool)
	for _, name := range names {
		set[name] = true
	}
	return set
}

// reverse adds the gradients of all losses to m.
func (d *differ) reverse(m *onnx.Model) (*Gradient, error) {
	b := onnx.Extend(m)
	reach := d.reachable(m, func(v string) bool { return d.facts[v].dtype.IsFloat() })
	res := &Gradient{
		Wrt: d.wrt, Promoted: d.promoted, ForwardNodes: len(m.Nodes()), Renamed: make(map[string]string),
		losses: make(map[string]lossValue), outputs: make(map[[2]string]string),
	}
	named := func(wanted, name string) {
		if wanted != name {
			res.Renamed[wanted] = name
		}
	}
	for _, l := range d.losses {
		res.Losses = append(res.Losses, l.output)
		res.losses[l.name], res.losses[l.output] = l, l
		named(l.name, l.output)
		for wanted, name := range l.inputs {
			named(wanted, name)
		}
		scope := "grad"
		if len(d.losses) > 1 {
			scope += "." + l.name
		}
		grads, err := d.pass(b.Scope(scope), m, reach, l)
		if err != nil {
			return nil, err
		}
		for _, w := range d.wrt {
			wanted := w + ".grad"
			if len(d.losses) > 1 {
				wanted = l.name + "." + wanted
			}
			name := b.FreeName(wanted)
			named(wanted, name)
			g := grads[w]
			if g.IsZero() { // the loss does not depend on it
				g = b.Expand(b.Scalar(d.facts[w].dtype, 0), b.Shape(b.Value(w)))
			}
			b.Output(name, g, d.facts[w].dtype, declared(m, w)...)
			res.outputs[[2]string{l.name, w}] = name
			res.outputs[[2]string{l.output, w}] = name
		}
	}
	out, err := b.Build()
	if err != nil {
		return nil, fmt.Errorf("autodiff: %w", err)
	}
	if out, err = out.WithoutDead(); err != nil {
		return nil, err
	}
	if out, err = d.declareOutputs(out); err != nil {
		return nil, err
	}
	if res.Model, err = out.Sorted(); err != nil {
		return nil, err
	}
	res.Nodes = len(res.Model.Nodes())
	return res, nil
}

// declareOutputs writes down the shapes of outputs that probing has fixed and the model left open.
func (d *differ) declareOutputs(m *onnx.Model) (_ *onnx.Model, err error) {
	for _, o := range m.Outputs() {
		f, known := d.facts[o.Name]
		if !known || !fixed(f.dims) {
			continue
		}
		if m, err = m.WithDeclared(o.Name, f.dtype, onnx.Dims(f.dims...)...); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// declared returns the shape that m declares of an input or initialiser.
func declared(m *onnx.Model, name string) []onnx.Dim {
	if in, ok := m.Input(name); ok {
		return in.Shape
	}
	return onnx.Dims(m.Initializer(name).GetDims()...)
}

// pass walks the nodes backwards from one loss and returns the gradients of the wanted values.
func (d *differ) pass(b *onnx.Builder, m *onnx.Model, reach map[string]bool, l lossValue) (map[string]onnx.Value, error) {
	f := d.facts[l.output]
	if n, err := onnx.Elements(f.dims); err != nil || n != 1 {
		return nil, fmt.Errorf("autodiff: loss %q has dimensions %v; a loss is one number", l.name, f.dims)
	}
	if !f.dtype.IsFloat() {
		return nil, fmt.Errorf("autodiff: loss %q is of type %v", l.name, f.dtype)
	}
	seed := b.Scalar(f.dtype, 1)
	if len(f.dims) > 0 {
		seed = b.Reshape(seed, f.dims...)
	}
	parts := map[string][]onnx.Value{l.output: {seed}}
	sh := newShared()
	sh.layout, sh.groups = d.layout.Block > 1, d.layout.Groups
	d.markBlocked(m, sh)
	nodes, ofWeights, made := weightsFirst(m, sh.fixed)
	d.findStacks(m, sh, reach, made)
	between := pass{b: b, cpu: d.cpu, shared: sh}
	settle := func(all bool) {
		for w, g := range between.unstack(all) {
			parts[w] = append(parts[w], g)
		}
	}
	total := func(v string) onnx.Value {
		p := parts[v]
		if len(p) == 0 {
			return onnx.Value{}
		}
		sum := p[0]
		for _, q := range p[1:] {
			sum = between.add(sum, q, d.facts[v].dims)
		}
		parts[v] = []onnx.Value{sum}
		return sum
	}
	for i := len(nodes) - 1; i >= 0; i-- {
		n := nodes[i]
		settle(i < ofWeights)
		c := &Context{Builder: b, Node: n, pass: between, ctx: d.ctx, eng: d.eng, facts: d.facts}
		some := false
		for _, o := range n.GetOutput() {
			g := onnx.Value{}
			if o != "" && reach[o] {
				g = total(o)
			}
			some = some || !g.IsZero()
			c.grads = append(c.grads, g)
		}
		if !some {
			continue
		}
		for _, in := range n.GetInput() {
			c.need = append(c.need, in != "" && reach[in])
		}
		if err := d.apply(c, parts); err != nil {
			return nil, &RuleError{Node: onnx.Describe(n), Err: err}
		}
	}
	settle(true)
	grads := make(map[string]onnx.Value)
	for _, w := range d.wrt {
		grads[w] = total(w)
	}
	return grads, nil
}

// add returns p + q, two gradients of one value of the given dimensions. When one is held in blocks
// the other is brought there, and so is the sum.
func (c pass) add(p, q onnx.Value, dims []int64) onnx.Value {
	if !c.cpu || (!c.shared.blocked[p.Name()] && !c.shared.blocked[q.Name()]) {
		return c.b.Add(p, q)
	}
	if sum, ok := c.addPhases(p, q); ok {
		return sum
	}
	return c.blocks(c.b.Add(c.inBlocks(p, dims[1]), c.inBlocks(q, dims[1])))
}

// apply runs the rule of one node and hands out what it returns.
func (d *differ) apply(c *Context, parts map[string][]onnx.Value) (err error) {
	rule := d.rules[onnx.OperatorName(c.Node)]
	if rule == nil {
		return fmt.Errorf("no rule") // missing() has seen to it
	}
	// Rules index shapes and attributes of nodes that onnxruntime has accepted; what it lets pass
	// all the same must not end the process.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the node is malformed: %v", r)
		}
	}()
	out, err := rule(c)
	if err != nil {
		return err
	}
	if err := c.Builder.Err(); err != nil {
		return err
	}
	for i, g := range out {
		switch {
		case g.IsZero():
		case i >= c.Inputs():
			return fmt.Errorf("its rule made %d gradients for %d inputs", len(out), c.Inputs())
		case c.Needs(i):
			in := c.Node.Input[i]
			parts[in] = append(parts[in], g)
		}
	}
	return nil
}
