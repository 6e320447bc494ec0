package rows

import (
	"fmt"
	"slices"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// body follows a subgraph with the given inputs and returns its outputs.
func (c *call) body(name string, inputs []*value) ([]*value, bool) {
	a := onnx.FindAttr(c.n, name)
	g := a.GetG()
	if g == nil || len(g.GetInput()) != len(inputs) {
		c.mix("its %s is missing or takes other inputs", name)
		return nil, false
	}
	f := c.f.inside()
	for i, v := range g.GetInput() {
		if _, twice := f.values[v.GetName()]; twice {
			c.mix("its %s names an input twice", name)
			return nil, false
		}
		f.values[v.GetName()] = inputs[i]
	}
	if why := c.p.graph(f, g.GetNode(), g); why != nil {
		c.why = why
		return nil, false
	}
	return c.results(f, g)
}

func (c *call) results(f *frame, g *onnxpb.GraphProto) ([]*value, bool) {
	out := make([]*value, len(g.GetOutput()))
	for i, o := range g.GetOutput() {
		v := f.find(o.GetName())
		if v == nil || v == omitted {
			c.mix("its body does not make %q", o.GetName())
			return nil, false
		}
		out[i] = v
	}
	return out, true
}

// ifRule: a condition that is constant chooses one branch for all rows; where it is not
// known which, both must hold.
func ifRule(c *call) *value {
	cond := c.input(0)
	switch {
	case cond == nil:
		return c.mix("it has no condition")
	case cond.kind == mixed:
		c.why = cond.why
		if c.why != nil {
			c.why = breakAt(c.n, "its condition depends on the whole batch ("+cond.why.String()+")")
		}
		return nil
	case cond.kind != constant:
		return c.mix("its condition depends on the data or the size of the batch: one branch is taken for all rows")
	}
	names := []string{"then_branch", "else_branch"}
	if v, ok := cond.scalar(); ok {
		if v.c != 0 {
			names = names[:1]
		} else {
			names = names[1:]
		}
	}
	var out []*value
	for i, name := range names {
		made, ok := c.body(name, nil)
		if !ok {
			return nil
		}
		if i == 0 {
			out = made
			continue
		}
		if out, ok = c.joined(out, made); !ok {
			return nil
		}
	}
	copy(c.out, out)
	return c.out[0]
}

// joined is the strongest statement that holds for both lists.
func (c *call) joined(a, b []*value) ([]*value, bool) {
	if len(a) != len(b) {
		c.mix("its bodies give different outputs")
		return nil, false
	}
	out := make([]*value, len(a))
	for i := range a {
		v, ok := join(a[i], b[i])
		if !ok {
			v = &value{why: breakAt(c.n, fmt.Sprintf("its output %d holds the rows in different ways", i))}
		}
		out[i] = v
	}
	return out, true
}

// mostTurns is how often the body of a loop is followed one by one, before a statement
// is sought that every turn keeps.
const mostTurns = 64

// loopRule: a trip count and a condition that are constant; the states are followed turn
// by turn where the count is known and small, and otherwise to a statement that the body
// keeps.
func loopRule(c *call) *value {
	trips, cond := c.input(0), c.input(1)
	for _, v := range []*value{trips, cond} {
		switch {
		case v == nil:
		case v.kind == mixed:
			c.why = breakAt(c.n, "how often it turns depends on the whole batch ("+v.why.String()+")")
			return nil
		case v.kind != constant:
			return c.mix("how often it turns depends on the data or the size of the batch")
		}
	}
	g := onnx.FindAttr(c.n, "body").GetG()
	states := slices.Clone(c.in[min(2, len(c.in)):])
	if g == nil || len(g.GetInput()) != 2+len(states) || len(g.GetOutput()) < 1+len(states) {
		return c.mix("its body takes other inputs")
	}
	if slices.Contains(states, nil) {
		return c.mix("a state is left out")
	}
	unknown := unknownConstant(nil, true)
	turn := func(i *value, now []*value) ([]*value, []*value, bool) {
		out, ok := c.body("body", append([]*value{i, unknown}, now...))
		if !ok {
			return nil, nil, false
		}
		if out[0].kind != constant {
			c.mix("how often it turns depends on the data or the size of the batch")
			return nil, nil, false
		}
		if v, known := out[0].scalar(); !known || v.c == 0 {
			out[0] = nil // it may end here
		}
		return append([]*value{out[0]}, out[1:1+len(states)]...), out[1+len(states):], true
	}
	var scans []*value
	count, known := trips.scalar()
	start, begins := cond.scalar()
	if known && count.n == 0 && count.c >= 1 && count.c <= mostTurns && (cond == nil || begins && start.c != 0) {
		ended := false
		for i := range int(count.c) {
			out, more, ok := turn(vector(nil, []num{plain(float64(i))}, onnx.Int64), states)
			if !ok {
				return nil
			}
			if ended = ended || out[0] == nil && i+1 < int(count.c); ended {
				break
			}
			if states = out[1:]; i == 0 {
				scans = more
			} else if scans, ok = c.joined(scans, more); !ok {
				return nil
			}
		}
		if !ended {
			return c.stacked(states, scans, fixed(int64(count.c)), nil)
		}
		states = slices.Clone(c.in[2:])
	}
	states, scans, ok := c.fixpoint(states, func(now []*value) ([]*value, []*value, bool) {
		out, more, ok := turn(unknown, now)
		if !ok {
			return nil, nil, false
		}
		return out[1:], more, true
	})
	if !ok {
		return nil
	}
	turns := openDim
	if known && count.n == 0 && count.c >= 1 && (cond == nil || begins && start.c != 0) {
		turns = fixed(1) // one at least
	}
	return c.stacked(states, turned(c, turns, scans), openDim, nil)
}

// fixpoint follows a body until the states are described by a statement that it keeps.
func (c *call) fixpoint(states []*value, turn func([]*value) (next, scans []*value, ok bool)) (fixed, scans []*value, ok bool) {
	for range 16 {
		next, more, ok := turn(states)
		if !ok {
			return nil, nil, false
		}
		joined, ok := c.joined(states, next)
		if !ok {
			return nil, nil, false
		}
		if slices.EqualFunc(states, joined, equal) {
			return states, more, true
		}
		states = joined
	}
	c.mix("its states hold the rows in other ways turn by turn")
	return nil, nil, false
}

// turned drops what is known of what turns give where there may be none: onnxruntime then
// makes extents of its own, of what the body declares.
func turned(c *call, turns dim, scans []*value) []*value {
	if turns.known() && turns.c >= 1 {
		return scans
	}
	out := make([]*value, len(scans))
	for i, v := range scans {
		switch v.kind {
		case mixed:
			out[i] = v
		case constant:
			out[i] = unknownConstant(nil, false)
		default:
			out[i] = &value{why: breakAt(c.n, "it may not turn at all, and then its outputs hold no rows")}
		}
	}
	return out
}

// stacked sets the outputs of a loop: the states, and what every turn gave, stacked
// along a new axis, the first where axes does not say otherwise.
func (c *call) stacked(states, scans []*value, turns dim, axes []int64) *value {
	for i, v := range states {
		c.set(i, v)
	}
	for i, v := range scans {
		switch {
		case v.kind == mixed:
			c.set(len(states)+i, v)
			continue
		case v.kind == sized:
			return c.mix("the number of rows in the batch enters an output as a value")
		case !v.ranked:
			c.set(len(states)+i, unknownConstant(nil, false))
			continue
		}
		at, axis := 0, v.axis
		if i < len(axes) {
			var ok bool
			if at, ok = c.axis(axes[i], v.rank()+1); !ok {
				return nil
			}
		}
		if at <= axis {
			axis++
		}
		c.set(len(states)+i, v.like(slices.Insert(slices.Clone(v.dims), at, turns), axis))
	}
	return c.out[0]
}

// scanRule walks along an axis that does not hold the rows.
func scanRule(c *call) *value {
	if c.opset < 9 {
		return c.mix("operator set %d is older than the rules", c.opset)
	}
	k := int(c.attr("num_scan_inputs", 0))
	if k < 1 || k > len(c.in) || slices.Contains(c.in, nil) {
		return c.mix("its inputs are not covered")
	}
	states, inputs := c.in[:len(c.in)-k], c.in[len(c.in)-k:]
	axes := onnx.AttrInts(c.n, "scan_input_axes")
	parts := make([]*value, k)
	turns := openDim
	for i, v := range inputs {
		switch {
		case v.kind == mixed:
			c.why = v.why
			return nil
		case v.kind == sized:
			return c.mix("the number of rows in the batch enters as a value")
		case !v.ranked:
			parts[i] = unknownConstant(nil, false)
			continue
		}
		at := int64(0)
		if i < len(axes) {
			at = axes[i]
		}
		a, ok := c.axis(at, v.rank())
		if !ok || !c.apart(v, a) {
			return nil
		}
		if turns.open {
			turns = v.dims[a]
		}
		drop := make([]bool, v.rank())
		drop[a] = true
		parts[i] = without(v, drop, false)
	}
	states, scans, ok := c.fixpoint(slices.Clone(states), func(now []*value) ([]*value, []*value, bool) {
		out, ok := c.body("body", slices.Concat(now, parts))
		if !ok {
			return nil, nil, false
		}
		if len(out) < len(now) {
			c.mix("its body gives too few outputs")
			return nil, nil, false
		}
		return out[:len(now)], out[len(now):], true
	})
	if !ok {
		return nil
	}
	return c.stacked(states, turned(c, turns, scans), turns, onnx.AttrInts(c.n, "scan_output_axes"))
}
