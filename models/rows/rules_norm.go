package rows

import (
	"slices"

	"ucan/runtime/onnx"
)

// batchNormRule: an affine map with frozen statistics, one a channel of axis 1.
func batchNormRule(c *call) *value {
	x := c.in[0]
	if !c.constants(1) {
		return nil
	}
	if c.attr("training_mode", 0) != 0 || c.opset < 7 || c.opset < 14 && len(slices.DeleteFunc(slices.Clone(c.n.GetOutput()), func(o string) bool { return o == "" })) > 1 {
		return c.mix("it is in training mode, where its statistics are those of the batch")
	}
	if c.opset < 9 && c.attr("spatial", 1) == 0 && x.kind == perRow && x.axis != 0 || x.kind == perRow && x.axis == 1 {
		return c.mix("its statistics differ along the axis that holds the rows of the batch")
	}
	return copied(x)
}

// perImageNormRule: over the channels or the places of each image of axis 0.
func perImageNormRule(c *call) *value {
	if !c.constants(1) || !c.firstAxis(c.in[0]) {
		return nil
	}
	return copied(c.in[0])
}

// layerNormRule: over all axes from axis on; scale and bias are broadcast. Mean and deviation
// have extent 1 in place of those axes.
func layerNormRule(c *call) *value {
	x := c.in[0]
	if !c.constants(1) {
		return nil
	}
	a, ok := c.axis(c.attr("axis", -1), x.rank())
	if !ok {
		return nil
	}
	if x.kind == perRow && x.axis >= a {
		return c.mix("it normalises over axis %d, which holds the rows of the batch", x.axis)
	}
	scaled := []*value{x}
	for _, v := range c.in[1:] {
		if v != nil && v.kind == constant {
			scaled = append(scaled, v)
		}
	}
	if c.align(scaled...) == nil {
		return nil
	}
	reduced := slices.Clone(x.dims)
	for i := a; i < len(reduced); i++ {
		reduced[i] = fixed(1)
	}
	for i := 1; i < len(c.out); i++ {
		c.set(i, x.like(reduced, x.axis))
	}
	return copied(x) // scales change no extents
}

// recurrentRule: LSTM, GRU and RNN walk along the sequence of each row, which stands on
// axis 1 of [sequence, batch, …], or on axis 0 with layout 1. States that are given must
// be rows too.
func recurrentRule(c *call) *value {
	x := c.in[0]
	layout := int(c.attr("layout", 0))
	batch := 1 - layout
	if x.kind != perRow || x.rank() != 3 || x.axis != batch {
		return c.mix("it walks along axis %d, which holds the rows of the batch, or its input is constant", x.axis)
	}
	for _, i := range []int{1, 2, 3, 7} { // W, R, B and the peepholes of an LSTM
		if !c.isConstant(i) {
			return nil
		}
	}
	for _, i := range []int{5, 6} {
		v := c.input(i)
		switch {
		case v == nil, v.kind == perRow && v.rank() == 3 && v.axis == batch && v.sameRows(x):
		case v.kind == constant && c.p.batch > 0 && v.repeats(batch, x.outer, c.p.batch, x.inner):
		default:
			return c.mix("its initial state %d is not a row of the batch each", i)
		}
	}
	if c.input(4) != nil {
		return c.mix("it takes lengths of sequences")
	}
	directions := fixed(1)
	if onnx.AttrString(c.n, "direction", "forward") == "bidirectional" {
		directions = fixed(2)
	}
	hidden := openDim
	if h := c.attr("hidden_size", 0); h > 0 {
		hidden = fixed(h)
	}
	n := x.dims[x.axis]
	if layout == 1 {
		c.set(1, x.like([]dim{n, directions, hidden}, 0))
		c.set(2, x.like([]dim{n, directions, hidden}, 0))
		return x.like([]dim{n, x.dims[1], directions, hidden}, 0)
	}
	c.set(1, x.like([]dim{directions, n, hidden}, 1))
	c.set(2, x.like([]dim{directions, n, hidden}, 1))
	return x.like([]dim{x.dims[0], directions, n, hidden}, 2)
}
