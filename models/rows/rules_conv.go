package rows

import (
	"slices"

	"ucan/runtime/onnx"
)

// window is the extent of a spatial axis after a window of k indices went over it,
// open where that is not told for sure.
func window(in dim, k, stride, dilation, before, after int64, same bool) dim {
	switch {
	case !in.known() || k < 1 || stride < 1 || dilation < 1:
		return openDim
	case same && dilation > 1:
		return openDim // onnxruntime pads for a window that is not dilated
	case same:
		return fixed((in.c + stride - 1) / stride)
	}
	reach := in.c + before + after - dilation*(k-1) - 1
	if reach < 0 {
		return openDim
	}
	return fixed(reach/stride + 1)
}

// spatial are the attributes of windows over the axes from 2 on.
type spatial struct {
	strides, dilations, pads []int64
	same                     bool
}

func (c *call) spatial(axes int) (spatial, bool) {
	s := spatial{
		strides: onnx.AttrInts(c.n, "strides"), dilations: onnx.AttrInts(c.n, "dilations"), pads: onnx.AttrInts(c.n, "pads"),
	}
	if len(s.strides) == 0 {
		s.strides = slices.Repeat([]int64{1}, axes)
	}
	if len(s.dilations) == 0 {
		s.dilations = slices.Repeat([]int64{1}, axes)
	}
	switch onnx.AttrString(c.n, "auto_pad", "NOTSET") {
	case "SAME_UPPER", "SAME_LOWER":
		s.same = true
	case "VALID":
		s.pads = nil
	}
	if len(s.pads) == 0 {
		s.pads = slices.Repeat([]int64{0}, 2*axes)
	}
	if len(s.strides) != axes || len(s.dilations) != axes || len(s.pads) != 2*axes {
		c.mix("its strides, dilations or pads do not fit its input")
		return s, false
	}
	return s, true
}

func (s spatial) over(in []dim, kernel []dim) []dim {
	out := make([]dim, len(in))
	for i := range in {
		k := int64(0)
		if kernel[i].known() {
			k = kernel[i].c
		}
		out[i] = window(in[i], k, s.strides[i], s.dilations[i], s.pads[i], s.pads[i+len(in)], s.same)
	}
	return out
}

// convRule: each image of axis 0 by itself, with constant filters.
func convRule(c *call) *value { return c.conv(c.in[0], c.in[1], 1) }

// conv convolves x with w; the inputs from the given one on must be constant.
func (c *call) conv(x, w *value, from int) *value {
	if x.kind == constant && (!x.ranked || !w.ranked) && c.constants(from) {
		return unknownConstant(nil, false)
	}
	dims := c.images(x, from)
	if dims == nil {
		return nil
	}
	if w.ranked && w.rank() == x.rank() {
		s, ok := c.spatial(x.rank() - 2)
		if !ok {
			return nil
		}
		dims[1] = w.dims[0]
		copy(dims[2:], s.over(x.dims[2:], w.dims[2:]))
	}
	return x.like(dims, 0)
}

// images returns the extents of a batch of images that are made of those of x, each by itself,
// with constant parameters from the given input on: unknown but for the batch. They are nil
// where x is not such a batch.
func (c *call) images(x *value, from int) []dim {
	if !c.constants(from) {
		return nil
	}
	if x.rank() < 3 || !c.firstAxis(x) {
		c.mix("its input is not a batch of images")
		return nil
	}
	return append(x.dims[:1:1], slices.Repeat([]dim{openDim}, x.rank()-1)...)
}

// convTransposeRule: as convRule.
func convTransposeRule(c *call) *value {
	x, w := c.in[0], c.in[1]
	dims := c.images(x, 1)
	if dims == nil {
		return nil
	}
	out := x.like(dims, 0)
	if !w.ranked || w.rank() != x.rank() {
		return out
	}
	s, ok := c.spatial(x.rank() - 2)
	if !ok {
		return nil
	}
	if group := c.attr("group", 1); w.dims[1].known() {
		dims[1] = fixed(w.dims[1].c * group)
	}
	more := onnx.AttrInts(c.n, "output_padding")
	if s.same || onnx.FindAttr(c.n, "output_shape") != nil {
		return out
	}
	for i := 2; i < x.rank(); i++ {
		j, extra := i-2, int64(0)
		if j < len(more) {
			extra = more[j]
		}
		if in, k := x.dims[i], w.dims[i]; in.known() && k.known() {
			dims[i] = fixed(s.strides[j]*(in.c-1) + extra + (k.c-1)*s.dilations[j] + 1 - s.pads[j] - s.pads[j+x.rank()-2])
		}
	}
	return out
}

// poolRule: each channel of each image by itself. The second output of MaxPool counts
// places in the whole batch.
func poolRule(c *call) *value {
	x := c.in[0]
	if x.rank() < 3 || x.kind == perRow && x.axis > 1 {
		return c.mix("its windows go over the axis that holds the rows of the batch")
	}
	dims := slices.Clone(x.dims)
	if kernel := onnx.AttrInts(c.n, "kernel_shape"); len(kernel) == x.rank()-2 {
		s, ok := c.spatial(x.rank() - 2)
		if !ok {
			return nil
		}
		k := make([]dim, len(kernel))
		for i, n := range kernel {
			k[i] = fixed(n)
		}
		copy(dims[2:], s.over(x.dims[2:], k))
		if c.attr("ceil_mode", 0) != 0 {
			// Versions differ in whether a last window may lie in the padding alone.
			exact := true
			for i, d := range x.dims[2:] {
				reach := d.c + s.pads[i] + s.pads[i+len(k)] - s.dilations[i]*(kernel[i]-1) - 1
				exact = exact && d.known() && s.strides[i] > 0 && reach%s.strides[i] == 0
			}
			if !exact {
				copy(dims[2:], slices.Repeat([]dim{openDim}, len(k)))
			}
		}
	} else {
		copy(dims[2:], slices.Repeat([]dim{openDim}, x.rank()-2))
	}
	if x.kind == constant {
		c.set(1, shaped(dims))
	} else if len(c.out) > 1 && c.n.GetOutput()[1] != "" {
		c.why = breakAt(c.n, "its indices count places in the whole batch")
	}
	return x.like(dims, x.axis)
}

// globalPoolRule: all places of each channel of each image.
func globalPoolRule(c *call) *value {
	x := c.in[0]
	if x.kind == perRow && x.axis > 1 {
		return c.mix("it pools over the axis that holds the rows of the batch")
	}
	dims := slices.Clone(x.dims)
	for i := 2; i < len(dims); i++ {
		dims[i] = fixed(1)
	}
	return x.like(dims, x.axis)
}

// resizeRule: the axis of the rows keeps its size, at scale 1.
func resizeRule(c *call) *value {
	x := c.in[0]
	roi, scales, sizes := 1, 2, 3
	if onnx.OperatorName(c.n) == "Upsample" || c.opset == 10 {
		roi, scales, sizes = -1, 1, -1
	}
	if roi > 0 && !c.isConstant(roi) || !c.isConstant(scales) {
		return nil
	}
	mode := onnx.AttrString(c.n, "coordinate_transformation_mode", "half_pixel")
	if c.opset == 10 || onnx.OperatorName(c.n) == "Upsample" {
		mode = "asymmetric"
	}
	switch mode {
	case "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric":
	default:
		if x.kind == perRow {
			return c.mix("its coordinates (%s) may move rows of the batch", mode)
		}
	}
	if policy := onnx.AttrString(c.n, "keep_aspect_ratio_policy", "stretch"); policy != "stretch" {
		return c.unknown("its policy %q ties the axes to each other", policy)
	}
	// Weights of 0 and 1 make of an infinite value no number in the rows beside it; two axes
	// and three are interpolated along all of them.
	if onnx.AttrString(c.n, "mode", "nearest") != "nearest" && x.kind == perRow && (x.rank() < 4 || x.axis > 0) {
		return c.mix("it interpolates between rows of the batch, if with weights of 0")
	}
	axes := onnx.AttrInts(c.n, "axes")
	if len(axes) == 0 { // onnxruntime takes an empty list for none
		for i := range x.dims {
			axes = append(axes, int64(i))
		}
	}
	var factors []num
	if v := c.input(scales); v != nil {
		factors = v.elements
	} else if list := onnx.AttrFloats(c.n, "scales"); list != nil {
		factors = convert(list)
	}
	var targets []num
	if v := c.input(sizes); sizes > 0 && v != nil {
		if targets = v.elements; targets == nil && v.kind != constant {
			return c.mix("its sizes are not known")
		}
	}
	dims := slices.Clone(x.dims)
	for i, axis := range axes {
		a, ok := c.axis(axis, x.rank())
		if !ok {
			return nil
		}
		rowsAxis := x.kind == perRow && a == x.axis
		switch {
		case len(targets) == len(axes):
			d, ok := targets[i].dim()
			if !ok || d.n != 0 && !rowsAxis || rowsAxis && d != x.dims[a] {
				return c.mix("it resizes axis %d, which holds the rows of the batch, or by the number of rows", a)
			}
			dims[a] = d
		case len(factors) == len(axes):
			f := factors[i]
			switch {
			case f == plain(1):
			case rowsAxis || !f.ok || f.n != 0:
				return c.mix("it resizes axis %d, which holds the rows of the batch", a)
			default:
				dims[a] = openDim // a product that float32 holds is not rounded
				if to := f.c * float64(x.dims[a].c); x.dims[a].known() && to == float64(int64(to)) && to <= 1<<24 {
					dims[a] = fixed(int64(to))
				}
			}
		case rowsAxis:
			return c.mix("how it resizes the axis of the rows is not known")
		default:
			dims[a] = openDim
		}
	}
	return x.like(dims, x.axis)
}

// gridSampleRule: the grid of a row samples the image of that row.
func gridSampleRule(c *call) *value {
	x, grid := c.in[0], c.in[1]
	if x.kind != perRow || grid.kind != perRow || x.axis != 0 || grid.axis != 0 || !x.sameRows(grid) || x.rank() != grid.rank() || x.rank() < 3 {
		return c.mix("its images and its grids are not both rows of the batch")
	}
	dims := slices.Clone(grid.dims[:grid.rank()-1])
	return x.like(slices.Insert(dims, 1, x.dims[1]), 0)
}
