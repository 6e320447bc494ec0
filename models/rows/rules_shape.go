package rows

import (
	"slices"

	"ucan/runtime/onnx"
)

// shapeRule: the extents, from start to end. They are read, not the data, so that mixed
// inputs of known shape would do; of those no shape is kept.
func shapeRule(c *call) *value {
	v := c.in[0]
	switch {
	case v.kind == mixed:
		c.why = v.why
		return nil
	case !v.ranked:
		return unknownConstant(nil, false)
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
	return vector([]dim{fixed(int64(len(elements)))}, elements, onnx.Int64)
}

// sizeRule: the number of elements.
func sizeRule(c *call) *value {
	v := c.in[0]
	if v.kind == mixed {
		c.why = v.why
		return nil
	}
	if total, ok := size(v.dims); ok && v.ranked {
		return vector(nil, []num{total.num().sane(onnx.Int64)}, onnx.Int64)
	}
	if v.kind == constant {
		return shaped(nil)
	}
	return c.mix("the number of its elements is not known")
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
func (c *call) reshaped(v *value, dims []dim) *value {
	// The batch may lie on one axis of rows and on none of anything else. A tensor without
	// elements would take it on any.
	batches := 0
	for _, d := range dims {
		if d.n != 0 {
			batches++
		}
	}
	if batches > 1 || batches > 0 && v.kind != perRow {
		return c.mix("%s, told by the number of rows, is not a shape for %s", shapeText(dims), shapeText(v.dims))
	}
	if v.kind != perRow {
		return under(v, dims, 0)
	}
	// Equal extents up to the rows' axis leave it where it is, whatever is behind.
	if len(dims) > v.axis && slices.Equal(dims[:v.axis+1], v.dims[:v.axis+1]) && !slices.Contains(dims[:v.axis+1], openDim) {
		return v.like(dims, v.axis)
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
				return rowsOf(dims, k, units/n, n)
			}
		}
	}
	return c.mix("the rows of %s (on axis %d) do not stay whole in %s", shapeText(v.dims), v.axis, shapeText(dims))
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
func reshapeRule(c *call) *value {
	v := c.in[0]
	dims, ok := c.target(c.input(1), -1)
	if !ok {
		return c.unknown("its target shape is not known")
	}
	rest := -1
	for i, d := range dims {
		switch {
		case d == fixed(0) && c.attr("allowzero", 0) == 0:
			if i >= v.rank() {
				return c.mix("its target shape copies an extent that is not there")
			}
			dims[i] = v.dims[i]
		case d == fixed(-1):
			rest = i
		}
	}
	if rest >= 0 && !c.infer(v, dims, rest) {
		return nil
	}
	return c.reshaped(v, dims)
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
func flattenRule(c *call) *value {
	v := c.in[0]
	a := c.attr("axis", 1)
	if a < 0 {
		a += int64(v.rank())
	}
	if a < 0 || a > int64(v.rank()) {
		return c.mix("axis %d is out of range", a)
	}
	front, ok1 := size(v.dims[:a])
	back, ok2 := size(v.dims[a:])
	switch {
	case v.kind == perRow && (int64(v.axis) < a && !ok1 || int64(v.axis) >= a && !ok2):
		return c.mix("the extents of %s are not known", shapeText(v.dims))
	case !ok1:
		front = openDim
	}
	if !ok2 {
		back = openDim
	}
	return c.reshaped(v, []dim{front, back})
}

// squeezeRule drops axes of extent 1.
func squeezeRule(c *call) *value {
	v := c.in[0]
	list, _, ok := c.ints("axes", 1)
	if !ok {
		return nil
	}
	var drop []bool
	if len(list) > 0 { // onnxruntime takes an empty list for none
		if drop, ok = c.axes(list, v.rank()); !ok {
			return nil
		}
	} else {
		if v.kind == perRow {
			return c.mix("it drops every axis of extent 1, the batch's too where that is 1; name its axes")
		}
		for _, d := range v.dims {
			if d.open {
				return unknownConstant(nil, false)
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
			return nil
		case i < v.axis:
			axis--
		}
	}
	return under(v, dims, axis)
}

// unsqueezeRule adds axes of extent 1.
func unsqueezeRule(c *call) *value {
	v := c.in[0]
	list, given, ok := c.ints("axes", 1)
	if !ok || !given {
		return c.mix("its axes are not known")
	}
	added, ok := c.axes(list, v.rank()+len(list))
	if !ok {
		return nil
	}
	var dims []dim
	axis, at := 0, 0
	for _, fresh := range added {
		if fresh {
			dims = append(dims, fixed(1))
			continue
		}
		if at == v.rank() {
			return c.mix("an axis is named twice")
		}
		if at == v.axis {
			axis = len(dims)
		}
		dims = append(dims, v.dims[at])
		at++
	}
	return under(v, dims, axis)
}

// transposeRule permutes the axes.
func transposeRule(c *call) *value {
	v := c.in[0]
	perm := onnx.AttrInts(c.n, "perm")
	if len(perm) == 0 {
		for i := v.rank() - 1; i >= 0; i-- {
			perm = append(perm, int64(i))
		}
	}
	in, ok := c.axes(perm, v.rank())
	if !ok || len(perm) != v.rank() || slices.Contains(in, false) {
		return c.mix("its perm is not a permutation of the axes")
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
	return v.like(dims, axis)
}
