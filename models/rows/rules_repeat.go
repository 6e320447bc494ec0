package rows

import (
	"slices"

	"ucan/runtime/onnx"
)

// expandRule broadcasts against a shape. A constant that is repeated for every row holds
// the same for each.
func expandRule(c *call) *value {
	v := c.in[0]
	dims, ok := c.target(c.in[1], 0)
	if !ok {
		return c.unknown("its target shape is not known")
	}
	if v.kind == constant {
		return c.repeated(v, dims)
	}
	// Against rows, the target's extent must be that of the rows, or 1.
	rank := max(v.rank(), len(dims))
	axis := v.axis + rank - v.rank()
	if i := axis - rank + len(dims); i >= 0 && dims[i] == v.dims[v.axis] {
		dims[i] = fixed(1)
	}
	for _, d := range dims {
		if d.n != 0 {
			return c.mix("the batch lies on more than one axis of %s", shapeText(dims))
		}
	}
	return c.align(v, shaped(dims))
}

// repeated broadcasts a constant to dims, one of which may be a multiple of N.
func (c *call) repeated(v *value, dims []dim) *value {
	at := -1
	for i, d := range dims {
		if d.n == 0 {
			continue
		}
		if at >= 0 || d.c != 0 {
			return c.mix("the batch lies on more than one axis of %s", shapeText(dims))
		}
		at = i
	}
	if at < 0 {
		return c.align(v, shaped(dims))
	}
	units := dims[at].n
	rank := max(v.rank(), len(dims))
	at += rank - len(dims)
	if i := at - rank + v.rank(); i >= 0 && !v.dims[i].one() {
		return c.mix("a constant of shape %s differs from row to row of the batch", shapeText(v.dims))
	}
	return c.align(rowsOf(append(slices.Repeat([]dim{fixed(1)}, at), append([]dim{{n: units}}, slices.Repeat([]dim{fixed(1)}, rank-at-1)...)...), at, 1, units), v, shapedWithout(dims))
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
func tileRule(c *call) *value {
	v := c.in[0]
	repeats, ok := c.target(c.in[1], 0)
	if !ok || len(repeats) != v.rank() {
		return c.unknown("its repeats are not known")
	}
	out := v.like(make([]dim, v.rank()), v.axis)
	for i, r := range repeats {
		d, ok := v.dims[i].times(r)
		switch {
		case r.one():
			d = v.dims[i]
		case r.n != 0 && (out.kind == perRow || !v.dims[i].known() || r.c != 0):
			return c.mix("the batch lies on more than one axis of its result")
		case r.n != 0:
			out = rowsOf(out.dims, i, 1, r.n*v.dims[i].c)
		case out.kind == perRow && i == out.axis:
			if r.c < 1 || !ok {
				return c.mix("its repeats are not known")
			}
			out.outer *= r.c
		case !ok:
			d = openDim
		}
		out.dims[i] = d
	}
	return out
}

// constantOfShapeRule fills a shape with one number, which is the same for every row.
func constantOfShapeRule(c *call) *value {
	dims, ok := c.target(c.in[0], 0)
	if !ok {
		return c.unknown("its shape is not known")
	}
	out := c.repeated(shaped(nil), dims)
	total, ok := sizeKnown(dims)
	if !ok || total > mostElements || out == nil || out.kind != constant {
		return out
	}
	// The elements of a small one are kept.
	e, dt := []num{plain(0)}, onnx.Float
	if a := onnx.FindAttr(c.n, "value"); a != nil {
		if e, dt = elementsOf(a.GetT()); len(e) != 1 {
			return out
		}
	}
	return vector(dims, slices.Repeat(e, int(total)), dt)
}

// rangeRule: the numbers from start to limit. As many as rows would tell each row its
// place in the batch.
func rangeRule(c *call) *value {
	if !c.allConstant() {
		return c.mix("it tells each row its place in the batch")
	}
	return shaped([]dim{openDim})
}
