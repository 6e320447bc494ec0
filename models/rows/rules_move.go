package rows

import (
	"math"
	"slices"

	"ucan/runtime/onnx"
)

// plus adds extents, unknown where one is.
func (d dim) plus(e dim) dim {
	if d.open || e.open {
		return openDim
	}
	return dim{n: d.n + e.n, c: d.c + e.c}
}

// concatRule joins tensors along an axis. Along another axis than the rows', all of them
// must hold rows there; along the rows' axis, the blocks of the inputs stand behind each
// other: outer adds up.
func concatRule(c *call) *value {
	var r *value
	ranked := true
	for _, v := range c.in {
		if v == nil {
			return c.mix("an input is left out")
		}
		if v.kind == perRow && r == nil {
			r = v
		}
		ranked = ranked && v.ranked
	}
	switch {
	case r == nil && !ranked:
		return unknownConstant(nil, false)
	case !ranked:
		return c.mix("the shape of a constant is not known")
	case r == nil:
		r = c.in[0]
	}
	a, ok := c.axis(c.attr("axis", 1), r.rank())
	if !ok {
		return nil
	}
	out := r.like(slices.Clone(r.dims), r.axis)
	out.dims[a] = fixed(0)
	if r.kind == perRow && a == r.axis {
		out.outer = 0
	}
	for _, v := range c.in {
		if v.rank() != r.rank() {
			return c.mix("its inputs have different ranks")
		}
		switch {
		case r.kind != perRow:
		case v.kind == perRow && a == r.axis && v.axis == r.axis && v.inner == r.inner:
			out.outer += v.outer
		case v.kind == perRow && a != r.axis && v.axis == r.axis && v.sameRows(r):
		case v.kind == constant && a != r.axis && c.p.batch > 0 && v.repeats(r.axis, r.outer, c.p.batch, r.inner):
		default:
			return c.mix("it joins %s with %s, which holds the rows of the batch on axis %d", shapeText(v.dims), shapeText(r.dims), r.axis)
		}
		for i, d := range v.dims {
			switch {
			case i == a:
				out.dims[a] = out.dims[a].plus(d)
			case d != r.dims[i] && !d.open && !r.dims[i].open:
				return c.mix("extents %s and %s do not match", d, r.dims[i])
			case d != r.dims[i]:
				out.dims[i] = openDim // onnxruntime lets an empty tensor differ
			}
		}
	}
	return out
}

// splitRule cuts an axis into pieces: the rows' axis only between its outer blocks.
func splitRule(c *call) *value {
	v := c.in[0]
	list, given, ok := c.ints("split", 1)
	if !ok {
		return nil
	}
	a, ok := c.axis(c.attr("axis", 0), v.rank())
	if !ok {
		return nil
	}
	parts := int64(len(c.out))
	if v.kind == perRow && a == v.axis {
		if parts == 0 || given || v.outer%parts != 0 {
			return c.mix("it cuts axis %d, which holds the rows of the batch", a)
		}
		for i := range c.out {
			dims := slices.Clone(v.dims)
			dims[a] = dim{n: v.dims[a].n / parts, c: v.dims[a].c / parts}
			c.set(i, rowsOf(dims, a, v.outer/parts, v.inner))
		}
		return c.out[0]
	}
	for i := range c.out {
		dims := slices.Clone(v.dims)
		switch {
		case given && i < len(list):
			dims[a] = fixed(list[i])
		case !given && v.dims[a].known() && v.dims[a].c%parts == 0:
			dims[a] = fixed(v.dims[a].c / parts)
		default:
			dims[a] = openDim
		}
		c.set(i, v.like(dims, v.axis))
	}
	return c.out[0]
}

// sliceRule takes a range of each named axis; of the rows' axis all, or whole outer
// blocks.
func sliceRule(c *call) *value {
	v := c.in[0]
	var starts, ends, axes, steps []num
	if c.opset < 10 && len(c.in) == 1 {
		starts, ends = convert(onnx.AttrInts(c.n, "starts")), convert(onnx.AttrInts(c.n, "ends"))
		if list := onnx.AttrInts(c.n, "axes"); list != nil {
			axes = convert(list)
		}
	} else {
		for i, list := range []*[]num{1: &starts, 2: &ends, 3: &axes, 4: &steps} {
			if at := c.input(i); i > 0 && at != nil {
				if *list = at.elements; at.elements == nil {
					return c.unknown("the range that it takes is not known")
				}
			}
		}
	}
	if len(starts) != len(ends) || axes != nil && len(axes) != len(starts) || steps != nil && len(steps) != len(starts) {
		return c.mix("its ranges do not fit each other")
	}
	out := v.like(slices.Clone(v.dims), v.axis)
	seen := map[int]bool{}
	for i := range starts {
		a, step := i, plain(1)
		if axes != nil {
			if !axes[i].ok || axes[i].n != 0 {
				return c.mix("its axes are not known")
			}
			var ok bool
			if a, ok = c.axis(int64(axes[i].c), v.rank()); !ok {
				return nil
			}
		}
		if a >= v.rank() || seen[a] {
			return c.mix("its axes do not fit its input")
		}
		seen[a] = true
		if steps != nil {
			step = steps[i]
		}
		if v.kind == perRow && a == v.axis {
			if !c.blocks(out, starts[i], ends[i], step) {
				return c.mix("it picks rows of the batch by their place (axis %d)", a)
			}
			continue
		}
		if !starts[i].ok || !ends[i].ok || !step.ok || starts[i].n != 0 || ends[i].n != 0 || step.n != 0 {
			return c.mix("the range that it takes depends on the number of rows")
		}
		out.dims[a] = sliced(v.dims[a], starts[i].c, ends[i].c, step.c)
	}
	return out
}

// blocks narrows the rows of out to whole outer blocks.
func (c *call) blocks(out *value, start, end, step num) bool {
	if !start.ok || !end.ok || !step.ok || step.n != 0 || step.c != 1 {
		return false
	}
	d := out.dims[out.axis]
	if end.n == 0 && end.c >= math.MaxInt32 && d.n <= 1<<10 && d.c < math.MaxInt32 {
		end = d.num() // to the end, however large the batch
	}
	first, ok1 := start.dim()
	last, ok2 := end.dim()
	if !ok1 || !ok2 {
		return false
	}
	from, ok1 := c.units(first)
	to, ok2 := c.units(last)
	if !ok1 || !ok2 || from < 0 || to <= from || to > out.outer*out.inner || from%out.inner != 0 || to%out.inner != 0 {
		return false
	}
	out.outer = (to - from) / out.inner
	out.dims[out.axis] = dim{n: last.n - first.n, c: last.c - first.c}
	return true
}

// sliced is the number of indices from start to end by step.
func sliced(d dim, start, end, step float64) dim {
	if !d.known() || step == 0 {
		return openDim
	}
	size := float64(d.c)
	low, high := 0.0, size
	if step < 0 {
		// Beyond the end that a backward range names, and before the first index to start at,
		// onnxruntime and the standard differ.
		if start < -size || end >= size {
			return openDim
		}
		low, high = -1, size-1
	}
	clamp := func(v float64) float64 {
		if v < 0 {
			v += size
		}
		return min(max(v, low), high)
	}
	return fixed(int64(max(0, math.Ceil((clamp(end)-clamp(start))/step))))
}

// padRule puts nothing in front of the first row or behind the last.
func padRule(c *call) *value {
	v := c.in[0]
	if !c.constants(2) {
		return nil
	}
	pads, _, ok := c.ints("pads", 1)
	if !ok {
		c.why = nil
		return c.unknown("its pads are not known")
	}
	axes := make([]int64, 0, v.rank())
	for i := range v.dims {
		axes = append(axes, int64(i))
	}
	if at := c.input(3); at != nil {
		if axes, ok = at.plainInts(); !ok {
			return c.mix("its axes are not known")
		}
	}
	if len(pads) != 2*len(axes) {
		return c.mix("its pads do not fit its input")
	}
	dims := slices.Clone(v.dims)
	for i, axis := range axes {
		a, ok := c.axis(axis, v.rank())
		if !ok {
			return nil
		}
		more := fixed(pads[i] + pads[i+len(axes)])
		if pads[i] == 0 && pads[i+len(axes)] == 0 {
			continue
		}
		if !c.apart(v, a) {
			return nil
		}
		dims[a] = dims[a].plus(more)
	}
	return v.like(dims, v.axis)
}

// depthToSpaceRule and spaceToDepthRule move values inside each image.
func depthToSpaceRule(c *call) *value { return c.blocksOfPixels(true) }

func spaceToDepthRule(c *call) *value { return c.blocksOfPixels(false) }

func (c *call) blocksOfPixels(out bool) *value {
	v, b := c.in[0], c.attr("blocksize", 1)
	if v.rank() != 4 || b < 1 || b > 1<<16 || !c.firstAxis(v) {
		return c.mix("its input is not a batch of images")
	}
	dims := slices.Repeat([]dim{openDim}, 4)
	dims[0] = v.dims[0]
	if v.dims[1].known() && v.dims[2].known() && v.dims[3].known() {
		ch, h, w := v.dims[1].c, v.dims[2].c, v.dims[3].c
		if out {
			ch, h, w = ch/(b*b), h*b, w*b
		} else {
			ch, h, w = ch*b*b, h/b, w/b
		}
		dims = []dim{v.dims[0], fixed(ch), fixed(h), fixed(w)}
	}
	return v.like(dims, 0)
}

// triluRule keeps a triangle of the last two axes.
func triluRule(c *call) *value {
	v := c.in[0]
	if !c.isConstant(1) {
		return nil
	}
	if v.kind == perRow && v.axis >= v.rank()-2 {
		return c.mix("it keeps a triangle of the axis that holds the rows of the batch")
	}
	return copied(v)
}

// compressRule picks along an axis by a constant condition.
func compressRule(c *call) *value {
	v := c.in[0]
	if onnx.FindAttr(c.n, "axis") == nil || !c.isConstant(1) {
		return c.mix("it picks from all rows of the batch together")
	}
	a, ok := c.axis(c.attr("axis", 0), v.rank())
	if !ok || !c.apart(v, a) {
		return nil
	}
	dims := slices.Clone(v.dims)
	dims[a] = openDim
	return v.like(dims, v.axis)
}
