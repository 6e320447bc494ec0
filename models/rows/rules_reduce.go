package rows

import (
	"slices"

	"ucan/runtime/onnx"
)

// without drops the axes marked in drop, or keeps them with extent 1.
func without(v *value, drop []bool, keep bool) *value {
	var dims []dim
	axis := v.axis
	for i, d := range v.dims {
		switch {
		case !drop[i]:
			dims = append(dims, d)
		case keep:
			dims = append(dims, fixed(1))
		case i < v.axis:
			axis--
		}
	}
	return v.like(dims, axis)
}

// reduceRule combines the elements along axes; all of them where none is named.
func reduceRule(c *call) *value {
	v := c.in[0]
	axes, _, ok := c.ints("axes", 1)
	if !ok {
		c.why = nil
		return c.unknown("its axes are not known")
	}
	if len(axes) == 0 && c.attr("noop_with_empty_axes", 0) != 0 {
		return copied(v) // element by element
	}
	drop := slices.Repeat([]bool{true}, v.rank())
	if len(axes) > 0 {
		if drop, ok = c.axes(axes, v.rank()); !ok {
			return nil
		}
	}
	for i, d := range drop {
		if d && !c.apart(v, i) {
			return nil
		}
	}
	return without(v, drop, c.attr("keepdims", 1) != 0)
}

// argRule finds the place of an extreme along an axis.
func argRule(c *call) *value {
	v := c.in[0]
	a, ok := c.axis(c.attr("axis", 0), v.rank())
	if !ok || !c.apart(v, a) {
		return nil
	}
	drop := make([]bool, v.rank())
	drop[a] = true
	return without(v, drop, c.attr("keepdims", 1) != 0)
}

// topKRule sorts along an axis and keeps k.
func topKRule(c *call) *value {
	v := c.in[0]
	if !c.constants(1) {
		return nil
	}
	a, ok := c.axis(c.attr("axis", -1), v.rank())
	if !ok || !c.apart(v, a) {
		return nil
	}
	dims := slices.Clone(v.dims)
	dims[a] = openDim
	if k, ok := c.input(1).scalar(); ok {
		if d, whole := k.dim(); whole {
			dims[a] = d
		}
	} else if k := c.attr("k", 0); k > 0 && c.input(1) == nil {
		dims[a] = fixed(k)
	}
	c.set(1, v.like(dims, v.axis))
	return v.like(dims, v.axis)
}

// cumulativeRule adds up along an axis.
func cumulativeRule(c *call) *value {
	v := c.in[0]
	if c.allConstant() {
		return copied(v)
	}
	k, ok := c.input(1).scalar()
	if !ok || k.n != 0 {
		return c.mix("its axis is not known")
	}
	if a, ok := c.axis(int64(k.c), v.rank()); !ok || !c.apart(v, a) {
		return nil
	}
	return copied(v)
}

// alongAxisRule keeps the shape and works on one axis, the last by default.
func alongAxisRule(c *call) *value {
	v := c.in[0]
	if !c.constants(1) {
		return nil
	}
	if a, ok := c.axis(c.attr("axis", -1), v.rank()); !ok || !c.apart(v, a) {
		return nil
	}
	return copied(v)
}

// softmaxRule: along one axis, the last by default; before opset 13 along all axes from
// the given one on, 1 by default.
func softmaxRule(c *call) *value {
	if c.opset >= 13 {
		return alongAxisRule(c)
	}
	v := c.in[0]
	a, ok := c.axis(c.attr("axis", 1), v.rank())
	if !ok {
		return nil
	}
	if v.kind == perRow && v.axis >= a {
		return c.mix("it works along all axes from %d on, and axis %d holds the rows of the batch", a, v.axis)
	}
	return copied(v)
}

// oneHotRule turns each index into a vector on a new axis.
func oneHotRule(c *call) *value {
	v := c.in[0]
	if !c.constants(1) {
		return nil
	}
	a, ok := c.axis(c.attr("axis", -1), v.rank()+1)
	if !ok {
		return nil
	}
	depth := openDim
	if k, known := c.input(1).scalar(); known {
		if d, whole := k.dim(); whole {
			depth = d
		}
	}
	axis := v.axis
	if a <= axis {
		axis++
	}
	return v.like(slices.Insert(slices.Clone(v.dims), a, depth), axis)
}

// lrnRule: windows over the channels of axis 1.
func lrnRule(c *call) *value {
	v := c.in[0]
	if v.kind == perRow && v.axis == 1 {
		return c.mix("it works along axis 1, which holds the rows of the batch")
	}
	return copied(v)
}

// meanVarianceRule: over the named axes, 0, 2 and 3 by default.
func meanVarianceRule(c *call) *value {
	v := c.in[0]
	axes := onnx.AttrInts(c.n, "axes")
	if len(axes) == 0 {
		if onnx.FindAttr(c.n, "axes") != nil {
			return c.mix("its list of axes is empty")
		}
		axes = []int64{0, 2, 3}
	}
	for _, axis := range axes {
		if a, ok := c.axis(axis, v.rank()); !ok || !c.apart(v, a) {
			return nil
		}
	}
	return copied(v)
}
