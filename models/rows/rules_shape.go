package rows

import (
	"slices"

	"ucan/runtime/onnx"
)

// shapeRule: the extents, from start to end. They are read, not the data, so that mixed
// inputs of known shape would do; of those no shape is kept.
func shapeRule(c *call) {
	v := c.in[0]
	if v.kind == mixed {
		c.why = v.why
		return
	}
	if !v.ranked {
		c.set(0, unknownConstant(nil, false))
		return
	}
	clamp := func(a int64) int64 {
		if a < 0 {
			a += int64(v.rank())
		}
		return min(max(a, 0), int64(v.rank()))
	}
	from, to := clamp(c.attr("start", 0)), clamp(c.attr("end", int64(v.rank())))
	var elements []num
	for i := from; i < to; i++ {
		elements = append(elements, v.dims[i].num().sane(onnx.Int64))
	}
	c.set(0, vector([]dim{fixed(int64(len(elements)))}, elements, onnx.Int64))
}

// sizeRule: the number of elements.
func sizeRule(c *call) {
	v := c.in[0]
	if v.kind == mixed {
		c.why = v.why
		return
	}
	if total, ok := size(v.dims); ok && v.ranked {
		c.set(0, vector(nil, []num{total.num().sane(onnx.Int64)}, onnx.Int64))
	} else if v.kind == constant {
		c.set(0, shaped(nil))
	} else {
		c.mix("the number of its elements is not known")
	}
}

// under gives v other extents with the same elements in the same order, of which rows
// are known to stay on the given axis.
func under(v *value, dims []dim, axis int) *value {
	if v.kind != perRow && v.elements != nil {
		return vector(dims, v.elements, v.dtype)
	}
	return v.like(dims, axis)
}

// reshaped gives v the extents dims, row-major. In v, row i owns the flat indices f with
// ⌊f/S⌋ mod N = i, where S is the number of elements behind the rows' axis times inner.
// An axis k of dims with c·N indices r, T elements behind it, S = n·T and c = o·n then
// has ⌊r/n⌋ mod N = i: it holds the rows as o·N·n. The numbers of elements are equal, or
// the node fails.
func (c *call) reshaped(v *value, dims []dim) {
	// The batch may lie on one axis of rows and on none of anything else. A tensor without
	// elements would take it on any.
	batches := 0
	for _, d := range dims {
		if d.n != 0 {
			batches++
		}
	}
	if batches > 1 || batches > 0 && v.kind != perRow {
		c.mix("%s, told by the number of rows, is no shape for %s", shapeText(dims), shapeText(v.dims))
		return
	}
	if v.kind != perRow {
		c.set(0, under(v, dims, 0))
		return
	}
	// Equal extents up to the rows' axis leave it where it is, whatever is behind.
	if len(dims) > v.axis && slices.Equal(dims[:v.axis+1], v.dims[:v.axis+1]) && !slices.Contains(dims[:v.axis+1], openDim) {
		c.set(0, v.like(dims, v.axis))
		return
	}
	if after, ok := sizeKnown(v.dims[v.axis+1:]); ok {
		s, ok := mul(after, v.inner)
		for k := range dims {
			units, whole := c.units(dims[k])
			t, plain := sizeKnown(dims[k+1:])
			if !ok || !whole || !plain || t == 0 || units == 0 || s%t != 0 {
				continue
			}
			if n := s / t; n > 0 && units%n == 0 {
				c.set(0, rowsOf(dims, k, units/n, n))
				return
			}
		}
	}
	c.mix("the rows of %s (on axis %d) do not stay whole in %s", shapeText(v.dims), v.axis, shapeText(dims))
}

// target reads the extents, at least least, that a tensor of sizes names; unknown
// elements fail.
func (c *call) target(v *value, least int64) ([]dim, bool) {
	if v == nil || v.elements == nil {
		return nil, false
	}
	dims := make([]dim, len(v.elements))
	for i, e := range v.elements {
		d, ok := e.dim()
		if !ok || d.c < least {
			return nil, false
		}
		dims[i] = d
	}
	return dims, true
}

// reshapeRule: 0 copies an extent (unless allowzero), −1 stands for the rest.
func reshapeRule(c *call) {
	v := c.in[0]
	dims, ok := c.target(c.input(1), -1)
	if !ok {
		if v.kind == constant && c.input(1) != nil && c.in[1].kind == constant {
			c.set(0, unknownConstant(nil, false))
			return
		}
		c.mix("its target shape is not known")
		return
	}
	if !v.ranked {
		c.set(0, unknownConstant(nil, false))
		return
	}
	rest := -1
	for i, d := range dims {
		switch {
		case d == fixed(0) && c.attr("allowzero", 0) == 0:
			if i >= v.rank() {
				c.mix("its target shape copies an extent that is not there")
				return
			}
			dims[i] = v.dims[i]
		case d == fixed(-1):
			rest = i
		}
	}
	if rest >= 0 && !c.infer(v, dims, rest) {
		return
	}
	c.reshaped(v, dims)
}

// infer computes the extent of dims that stands for the rest of v's elements.
func (c *call) infer(v *value, dims []dim, rest int) bool {
	dims[rest] = fixed(1)
	total, ok1 := size(v.dims)
	others, ok2 := size(dims)
	switch {
	case ok1 && ok2 && others.n == 0 && others.c > 0 && total.n%others.c == 0 && total.c%others.c == 0:
		dims[rest] = dim{n: total.n / others.c, c: total.c / others.c}
	case ok1 && ok2 && others.n > 0 && others.c == 0 && total.c == 0 && total.n%others.n == 0:
		dims[rest] = fixed(total.n / others.n)
	case ok1 && ok2:
		c.mix("the elements of %s do not divide among %s", shapeText(v.dims), shapeText(dims))
		return false
	default:
		// Not known, but the same for all N where another extent holds the whole batch.
		batch := v.kind == constant || c.p.batch > 0
		for _, d := range dims {
			batch = batch || v.kind == perRow && d.c == 0 && d.n == v.outer*v.inner
		}
		if !batch {
			c.mix("an extent of its result is not known")
			return false
		}
		dims[rest] = openDim
	}
	return true
}

// flattenRule merges the axes before and from axis on.
func flattenRule(c *call) {
	v := c.in[0]
	if !v.ranked {
		c.set(0, unknownConstant(nil, false))
		return
	}
	a := c.attr("axis", 1)
	if a < 0 {
		a += int64(v.rank())
	}
	if a < 0 || a > int64(v.rank()) {
		c.mix("axis %d is out of range", a)
		return
	}
	front, ok1 := size(v.dims[:a])
	back, ok2 := size(v.dims[a:])
	switch {
	case v.kind == perRow && (int64(v.axis) < a && !ok1 || int64(v.axis) >= a && !ok2):
		c.mix("the extents of %s are not known", shapeText(v.dims))
		return
	case !ok1:
		front = openDim
	}
	if !ok2 {
		back = openDim
	}
	c.reshaped(v, []dim{front, back})
}

// squeezeRule drops axes of extent 1.
func squeezeRule(c *call) {
	v := c.in[0]
	list, _, ok := c.ints("axes", 1)
	if !ok {
		return
	}
	if !v.ranked {
		c.set(0, unknownConstant(nil, false))
		return
	}
	var drop []bool
	if len(list) > 0 { // onnxruntime takes an empty list for none
		if drop, ok = c.axes(list, v.rank()); !ok {
			return
		}
	} else {
		if v.kind == perRow {
			c.mix("it drops every axis of extent 1, the batch's too where that is 1; name its axes")
			return
		}
		for _, d := range v.dims {
			if d.open {
				c.set(0, unknownConstant(nil, false))
				return
			}
			drop = append(drop, d.one())
		}
	}
	var dims []dim
	axis := v.axis
	for i, d := range v.dims {
		switch {
		case !drop[i]:
			dims = append(dims, d)
		case !c.apart(v, i):
			return
		case i < v.axis:
			axis--
		}
	}
	c.set(0, under(v, dims, axis))
}

// unsqueezeRule adds axes of extent 1.
func unsqueezeRule(c *call) {
	v := c.in[0]
	list, given, ok := c.ints("axes", 1)
	if !ok || !given {
		c.mix("its axes are not known")
		return
	}
	if !v.ranked {
		c.set(0, unknownConstant(nil, false))
		return
	}
	added, ok := c.axes(list, v.rank()+len(list))
	if !ok {
		return
	}
	var dims []dim
	axis, at := 0, 0
	for _, fresh := range added {
		if fresh {
			dims = append(dims, fixed(1))
			continue
		}
		if at == v.rank() {
			c.mix("an axis is named twice")
			return
		}
		if at == v.axis {
			axis = len(dims)
		}
		dims = append(dims, v.dims[at])
		at++
	}
	c.set(0, under(v, dims, axis))
}

// transposeRule permutes the axes.
func transposeRule(c *call) {
	v := c.in[0]
	if !v.ranked {
		c.set(0, unknownConstant(nil, false))
		return
	}
	perm := onnx.AttrInts(c.n, "perm")
	if len(perm) == 0 {
		for i := v.rank() - 1; i >= 0; i-- {
			perm = append(perm, int64(i))
		}
	}
	in, ok := c.axes(perm, v.rank())
	if !ok || len(perm) != v.rank() || slices.Contains(in, false) {
		c.mix("its perm is no permutation of the axes")
		return
	}
	dims := make([]dim, len(perm))
	axis := 0
	for i, a := range perm {
		a, _ := c.axis(a, v.rank())
		dims[i] = v.dims[a]
		if a == v.axis {
			axis = i
		}
	}
	c.set(0, v.like(dims, axis))
}

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
