package rows

import "slices"

// gatherRule: constant indices pick from rows along another axis; indices of rows pick
// from a constant.
func gatherRule(c *call) *value {
	v, at := c.in[0], c.in[1]
	if v.kind == perRow && at.kind == perRow {
		return c.mix("the indices of every row pick from every other")
	}
	if !v.ranked || !at.ranked {
		return c.unknown("the shape of a constant is not known")
	}
	a, ok := c.axis(c.attr("axis", 0), v.rank())
	if !ok || !c.apart(v, a) {
		return nil
	}
	dims := slices.Concat(v.dims[:a], at.dims, v.dims[a+1:])
	switch {
	case at.kind == perRow:
		return at.like(dims, a+at.axis)
	case v.axis > a:
		return v.like(dims, v.axis+at.rank()-1)
	}
	return v.like(dims, v.axis)
}

// along checks operators whose tensors all hold their rows alike, away from axis a, with
// equal extents there, or are all constants.
func (c *call) along(a int64, ins ...*value) bool {
	r := ins[0]
	for _, v := range ins {
		if v == nil || v.kind == perRow {
			continue
		}
		c.mix("it uses a constant, which differs by the place in the batch")
		return false
	}
	i, ok := c.axis(a, r.rank())
	if !ok || !c.apart(r, i) {
		return false
	}
	for _, v := range ins {
		if v != nil && (v.axis != r.axis || !v.sameRows(r) || v.rank() != r.rank()) {
			c.mix("rows of the batch meet on different axes")
			return false
		}
	}
	return true
}

// gatherElementsRule: index and data of one row, along another axis.
func gatherElementsRule(c *call) *value {
	if !c.along(c.attr("axis", 0), c.in[0], c.in[1]) {
		return nil
	}
	return copied(c.in[1])
}

// scatterElementsRule: index, data and updates of one row, along another axis.
func scatterElementsRule(c *call) *value {
	if !c.along(c.attr("axis", 0), c.in[0], c.in[1], c.in[2]) {
		return nil
	}
	return copied(c.in[0])
}

// gatherNDRule: batch_dims keeps each row's indices to its own data; indices of rows may
// also pick from a constant.
func gatherNDRule(c *call) *value {
	v, at := c.in[0], c.in[1]
	if !v.ranked || !at.ranked || at.rank() == 0 || !at.dims[at.rank()-1].known() {
		return c.mix("the shape of its indices is not known")
	}
	b := c.attr("batch_dims", 0)
	depth := b + at.dims[at.rank()-1].c
	switch {
	case b < 0 || depth < b || depth > int64(v.rank()) || b >= int64(at.rank()):
		return c.mix("its indices do not fit its data")
	case v.kind == perRow && (at.kind != perRow || at.axis != v.axis || !at.sameRows(v) || int64(v.axis) >= b):
		return c.mix("its indices pick rows of the batch by their place")
	case v.kind == constant && (b > 0 || at.axis == at.rank()-1):
		return c.mix("each row's indices pick from another part of a constant")
	}
	return at.like(slices.Concat(at.dims[:at.rank()-1], v.dims[depth:]), at.axis)
}
