package rows

import (
	"fmt"
	"slices"
	"strings"

	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// rule is the lemma of one operator: from the statements about a node's inputs it makes
// those about its outputs.
type rule struct {
	// apply returns the statement about the first output, and sets further ones with c.set;
	// or it says with c.mix why nothing is known. Unless raw is set, no input is mixed, and
	// sized inputs stand only where shapes lists them. Inputs that are left out are nil.
	apply func(c *call) *value
	// fold computes the elements of small tensors of numbers, all known as a·N + b; nil
	// where it cannot.
	fold func(c *call) *value
	// shapes are the inputs that hold sizes, where sized values may stand.
	shapes []int
	// raw: apply looks at mixed and sized inputs itself.
	raw bool
	// rows: apply is for inputs that hold rows. Constants alone make unknown constants.
	rows bool
	// ranked: the rank of the first input is known, and it is not left out. Constants alone
	// make unknown constants where it is not.
	ranked bool
	// needs is the number of leading inputs that apply reads unasked.
	needs int
	// attributes are those that the rule knows, separated by spaces; "*" for the standard
	// operators, whose attributes their opset fixes.
	attributes string
}

// call is one node for its rule.
type call struct {
	p     *prover
	f     *frame
	n     *onnxpb.NodeProto // its attributes resolved
	opset int64
	in    []*value
	out   []*value
	why   *Break
}

// mix says why nothing is known of the outputs.
func (c *call) mix(format string, args ...any) *value {
	if c.why == nil {
		c.why = breakAt(c.n, fmt.Sprintf(format, args...))
	}
	clear(c.out)
	return nil
}

// apply runs the rule of the node's operator.
func (c *call) apply() {
	if len(c.out) == 0 {
		return // nothing reads it
	}
	name := onnx.OperatorName(c.n)
	r, ok := c.p.rules[name]
	if !ok {
		c.mix("no rule is known for this operator")
		return
	}
	if onnx.NormalDomain(c.n.GetDomain()) == "" && c.opset > newestOpset {
		c.mix("operator set %d is newer than the rules, which end at %d", c.opset, newestOpset)
		return
	}
	if onnx.NormalDomain(c.n.GetDomain()) == "" && c.opset < oldestOpset {
		c.mix("operator set %d is older than the rules, which start at %d", c.opset, oldestOpset)
		return
	}
	if r.attributes != "*" {
		known := strings.Fields(r.attributes)
		for _, a := range c.n.GetAttribute() {
			if !slices.Contains(known, a.GetName()) {
				c.mix("its rule does not cover the attribute %q", a.GetName())
				return
			}
		}
	}
	for i := range r.needs {
		if c.input(i) == nil {
			c.mix("its input %d is left out", i)
			return
		}
	}
	if r.raw {
		c.set(0, r.apply(c))
		return
	}
	all := true
	for _, v := range c.in {
		if v == nil {
			all = false
			continue
		}
		if v.kind == mixed {
			c.why = v.why
			return
		}
		all = all && v.elements != nil
	}
	if r.fold != nil && all && len(c.in) > 0 {
		if c.out[0] = r.fold(c); c.out[0] != nil {
			return
		}
	}
	for i, v := range c.in {
		if v != nil && v.kind == sized && !slices.Contains(r.shapes, i) {
			c.mix("the number of rows in the batch enters input %d as a value", i)
			return
		}
	}
	unranked := r.ranked && !c.in[0].ranked
	switch {
	case (r.rows || unranked) && c.allConstant():
		for i := range c.out {
			c.out[i] = unknownConstant(nil, false)
		}
	case unranked:
		c.mix("the shape of a constant is not known")
	default:
		c.set(0, r.apply(c))
	}
}

// input returns the i-th input, nil where it is left out or i is negative.
func (c *call) input(i int) *value {
	if i >= 0 && i < len(c.in) {
		return c.in[i]
	}
	return nil
}

// present lists the inputs that are given.
func (c *call) present() []*value {
	return slices.DeleteFunc(slices.Clone(c.in), func(v *value) bool { return v == nil })
}

// set stores an output, where the node has one there.
func (c *call) set(i int, v *value) {
	if i < len(c.out) {
		c.out[i] = v
	}
}

// unknown is the statement where too little is known of sizes or shapes: an unknown constant where
// all inputs are constant, and otherwise nothing, for the given reason.
func (c *call) unknown(format string, args ...any) *value {
	if c.allConstant() {
		return unknownConstant(nil, false)
	}
	return c.mix(format, args...)
}

// allConstant says that all inputs are constant or left out.
func (c *call) allConstant() bool {
	return !slices.ContainsFunc(c.in, func(v *value) bool { return v != nil && v.kind != constant })
}

// constants says that the inputs from the i-th on are constant or left out.
func (c *call) constants(from int) bool {
	for i := from; i < len(c.in); i++ {
		if !c.isConstant(i) {
			return false
		}
	}
	return true
}

// isConstant says that one input is constant or left out.
func (c *call) isConstant(i int) bool {
	if v := c.input(i); v != nil && v.kind != constant {
		c.mix("input %d depends on the data", i)
		return false
	}
	return true
}

func (c *call) attr(name string, def int64) int64 { return onnx.AttrInt(c.n, name, def) }

// axis makes an axis of the given rank not negative.
func (c *call) axis(a int64, rank int) (int, bool) {
	if a < 0 {
		a += int64(rank)
	}
	if a < 0 || a >= int64(rank) {
		c.mix("axis %d of %d is out of range", a, rank)
		return 0, false
	}
	return int(a), true
}

// axes makes several axes not negative, each once.
func (c *call) axes(list []int64, rank int) ([]bool, bool) {
	in := make([]bool, rank)
	for _, a := range list {
		i, ok := c.axis(a, rank)
		if !ok {
			return nil, false
		}
		in[i] = true
	}
	return in, true
}

// ints returns integers that newer operator sets give as the i-th input and older ones
// as an attribute. given is false where there are none; ok where there are and they are
// not known.
func (c *call) ints(name string, i int) (list []int64, given, ok bool) {
	if v := c.input(i); v != nil {
		list, ok = v.plainInts()
		if !ok {
			c.mix("its %s are not known", name)
		}
		return list, true, ok
	}
	list = onnx.AttrInts(c.n, name)
	return list, list != nil, true
}

// apart says that the rows of v do not lie on axis a; constants have none.
func (c *call) apart(v *value, a int) bool {
	if v.kind == perRow && v.axis == a {
		c.mix("it works along axis %d, which holds the rows of the batch", a)
		return false
	}
	return true
}

// firstAxis says that v holds its rows on its first axis, or none.
func (c *call) firstAxis(v *value) bool {
	if v.kind == perRow && v.axis != 0 {
		c.mix("the rows of the batch lie on axis %d, not on the first", v.axis)
		return false
	}
	return true
}

// units returns k where the extent is k·N.
func (c *call) units(d dim) (int64, bool) {
	switch {
	case d.open:
		return 0, false
	case c.p.batch > 0:
		return d.c / c.p.batch, d.n == 0 && d.c%c.p.batch == 0
	}
	return d.n, d.c == 0 && d.n >= 0
}

// copied is the statement about a tensor of the same extents and rows as v and other
// values.
func copied(v *value) *value {
	if v.kind == perRow {
		return v
	}
	return unknownConstant(v.dims, v.ranked)
}

// align broadcasts tensors against each other, their shapes aligned from the right. All
// rows must meet on one axis; a constant must not differ along it. The result is nil
// after mix.
func (c *call) align(ins ...*value) *value {
	rank, ranked := 0, true
	var r *value
	for _, v := range ins {
		rank, ranked = max(rank, v.rank()), ranked && v.ranked
		if v.kind == perRow && r == nil {
			r = v
		}
	}
	if !ranked {
		if r == nil {
			return unknownConstant(nil, false)
		}
		c.mix("the shape of a constant is not known")
		return nil
	}
	at := -1
	if r != nil {
		at = r.axis + rank - r.rank()
	}
	dims := slices.Repeat([]dim{fixed(1)}, rank)
	for _, v := range ins {
		shift := rank - v.rank()
		if v.kind == perRow && (v.axis+shift != at || !v.sameRows(r)) {
			c.mix("rows of the batch meet on different axes of %s and %s", shapeText(r.dims), shapeText(v.dims))
			return nil
		}
		for i, d := range v.dims {
			a := i + shift
			if a == at && v.kind == constant && !d.one() {
				if c.p.batch == 0 || !v.repeats(i, r.outer, c.p.batch, r.inner) {
					c.mix("a constant of shape %s differs from row to row of the batch", shapeText(v.dims))
					return nil
				}
			}
			switch {
			case d.one() || dims[a] == d && !d.open:
			case dims[a].one():
				dims[a] = d
			case d.open: // it is 1 or equal
			case dims[a].open:
				dims[a] = d
			default:
				c.mix("extents %s and %s do not match", dims[a], d)
				return nil
			}
		}
	}
	if r == nil {
		return shaped(dims)
	}
	if dims[at] != r.dims[r.axis] {
		c.mix("extents %s and %s do not match", dims[at], r.dims[r.axis])
		return nil
	}
	return r.like(dims, at)
}
