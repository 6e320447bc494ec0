package rows

import (
	"slices"

	"ucan/runtime/onnx"
)

// expandRule broadcasts against a shape. A constant that is repeated for every row holds
// the same for each.
func expandRule(c *call) {
	v := c.in[0]
	dims, ok := c.target(c.in[1], 0)
	if !ok || !v.ranked {
		if v.kind == constant && c.in[1].kind == constant {
			c.set(0, unknownConstant(nil, false))
		} else {
			c.mix("its target shape is not known")
		}
		return
	}
	if v.kind == constant {
		c.repeated(v, dims)
		return
	}
	// Against rows, the target's extent must be that of the rows, or 1.
	rank := max(v.rank(), len(dims))
	axis := v.axis + rank - v.rank()
	if i := axis - rank + len(dims); i >= 0 && dims[i] == v.dims[v.axis] {
		dims[i] = fixed(1)
	}
	for _, d := range dims {
		if d.n != 0 {
			c.mix("the batch lies on more than one axis of %s", shapeText(dims))
			return
		}
	}
	c.set(0, c.align(v, shaped(dims)))
}

// repeated broadcasts a constant to dims, one of which may be a multiple of N.
func (c *call) repeated(v *value, dims []dim) {
	at := -1
	for i, d := range dims {
		if d.n == 0 {
			continue
		}
		if at >= 0 || d.c != 0 {
			c.mix("the batch lies on more than one axis of %s", shapeText(dims))
			return
		}
		at = i
	}
	if at < 0 {
		c.set(0, c.align(v, shaped(dims)))
		return
	}
	units := dims[at].n
	rank := max(v.rank(), len(dims))
	at += rank - len(dims)
	if i := at - rank + v.rank(); i >= 0 && !v.dims[i].one() {
		c.mix("a constant of shape %s differs from row to row of the batch", shapeText(v.dims))
		return
	}
	c.set(0, c.align(rowsOf(append(slices.Repeat([]dim{fixed(1)}, at), append([]dim{{n: units}}, slices.Repeat([]dim{fixed(1)}, rank-at-1)...)...), at, 1, units), v, shapedWithout(dims)))
}

// shapedWithout is a constant of the extents dims, 1 in place of those that hold N.
func shapedWithout(dims []dim) *value {
	out := slices.Clone(dims)
	for i, d := range out {
		if d.n != 0 {
			out[i] = fixed(1)
		}
	}
	return shaped(out)
}

// tileRule repeats a tensor along its axes. Rows repeated r times lie in r·outer blocks;
// a constant repeated for every row holds the same for each.
func tileRule(c *call) {
	v := c.in[0]
	repeats, ok := c.target(c.in[1], 0)
	if !ok || !v.ranked || len(repeats) != v.rank() {
		if v.kind == constant && c.in[1].kind == constant {
			c.set(0, unknownConstant(nil, false))
		} else {
			c.mix("its repeats are not known")
		}
		return
	}
	out := v.like(make([]dim, v.rank()), v.axis)
	for i, r := range repeats {
		d, ok := v.dims[i].times(r)
		switch {
		case r.one():
			d = v.dims[i]
		case r.n != 0 && (out.kind == perRow || !v.dims[i].known() || r.c != 0):
			c.mix("the batch lies on more than one axis of its result")
			return
		case r.n != 0:
			out = rowsOf(out.dims, i, 1, r.n*v.dims[i].c)
		case out.kind == perRow && i == out.axis:
			if r.c < 1 || !ok {
				c.mix("its repeats are not known")
				return
			}
			out.outer *= r.c
		case !ok:
			d = openDim
		}
		out.dims[i] = d
	}
	c.set(0, out)
}

// constantOfShapeRule fills a shape with one number, which is the same for every row.
func constantOfShapeRule(c *call) {
	dims, ok := c.target(c.in[0], 0)
	if !ok {
		if c.in[0].kind == constant {
			c.set(0, unknownConstant(nil, false))
		} else {
			c.mix("its shape is not known")
		}
		return
	}
	c.repeated(shaped(nil), dims)
	if c.why == nil {
		c.filled(dims)
	}
}

// filled keeps the elements of a small ConstantOfShape.
func (c *call) filled(dims []dim) {
	total, ok := sizeKnown(dims)
	if !ok || total > mostElements || c.out[0] == nil || c.out[0].kind != constant {
		return
	}
	e, dt := []num{plain(0)}, onnx.Float
	if a := onnx.FindAttr(c.n, "value"); a != nil {
		if e, dt = elementsOf(a.GetT()); len(e) != 1 {
			return
		}
	}
	c.out[0] = vector(dims, slices.Repeat(e, int(total)), dt)
}

// rangeRule: the numbers from start to limit. As many as rows would tell each row its
// place in the batch.
func rangeRule(c *call) {
	if !c.allConstant() {
		c.mix("it tells each row its place in the batch")
		return
	}
	c.set(0, shaped([]dim{openDim}))
}
