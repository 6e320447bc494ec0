package autodiff

import (
	"slices"

	"ucan/runtime/autodiff/internal/ortcpu"
	"ucan/runtime/onnx"
)

// onnxruntime's CPU provider computes convolutions with constant weights in a layout of blocks of
// channels, and converts to and from it wherever an operator between them does not know that
// layout. Comparisons and Where do not; convolutions, HardSigmoid, pooling, Resize, and Mul and Add
// of equal shapes do. So a graph meant for that provider ([Options.CPU]) keeps the gradients of
// pictures in blocks: HardSigmoid, with a slope that turns every positive number into 1, makes
// masks, and convolutions with unit weights, of one channel each, pad and move elements. What is
// held in blocks is followed here ([Context.blocks], markBlocked); a wrong guess costs time,
// nothing else.

// blockSize is the number of channels that fits every size of a block.
const blockSize = ortcpu.BlockSize

// steep, the largest power of two of float32, turns every positive normal number into at least 1.
const steep = 0x1p127

// pictures reports whether values of the given dimensions can be blocked.
func (c *Context) pictures(dims []int64) bool {
	return c.cpu && len(dims) == 4 && dims[1] > 0 && dims[1]%blockSize == 0 && c.DType() == onnx.Float
}

// units returns the weights of the convolution that changes nothing, [C,1,1,1].
func (c pass) units(channels int64) onnx.Value {
	return c.shared.units(c.b, channels)
}

// blocks marks v as a value that the provider will hold in blocks.
func (c pass) blocks(v onnx.Value) onnx.Value {
	if c.cpu {
		c.shared.blocked[v.Name()] = true
	}
	return v
}

// inBlocks returns v, of the given channels, as a value held in blocks.
func (c pass) inBlocks(v onnx.Value, channels int64) onnx.Value {
	if c.shared.blocked[v.Name()] || c.shared.layout {
		return v // forCPU brings it to blocks
	}
	return c.unitConv(v, channels)
}

// unitConv is a convolution over single channels that changes nothing but what attrs say (pads).
func (c pass) unitConv(v onnx.Value, channels int64, attrs ...onnx.Attr) onnx.Value {
	attrs = append(attrs, onnx.Int("group", channels), onnx.Ints("kernel_shape", 1, 1))
	return c.blocks(c.b.Op("Conv", []onnx.Value{v, c.units(channels)}, attrs...))
}

// enlarged repeats every row and column of v.
func (c *Context) enlarged(v onnx.Value, rows, columns int64) onnx.Value {
	b := c.Builder
	scales := onnx.Tensor(b, "scales", []int64{4}, []float32{1, 1, float32(rows), float32(columns)})
	return c.blocks(b.Op("Resize", []onnx.Value{v, {}, scales}, onnx.Str("mode", "nearest"),
		onnx.Str("coordinate_transformation_mode", "asymmetric"), onnx.Str("nearest_mode", "floor")))
}

// plain reports whether v is used best where it is: it cannot be blocked, or neither it nor its
// gradient g is.
func (c *Context) plain(g, v onnx.Value, dims []int64) bool {
	return !c.pictures(dims) || (!c.shared.layout && !c.shared.blocked[g.Name()] && !c.shared.blocked[v.Name()])
}

// maskPositive returns g where y > 0 and 0 elsewhere, for y ≥ 0 of g's shape.
func (c *Context) maskPositive(g, y onnx.Value, dims []int64) onnx.Value {
	b := c.Builder
	if c.plain(g, y, dims) {
		return b.Where(b.Greater(y, c.Scalar(0)), g, c.Scalar(0))
	}
	return c.blocks(b.Mul(c.inBlocks(g, dims[1]), c.positive(c.inBlocks(y, dims[1]), 0)))
}

// positive returns 1 where beta + v·steep ≥ 1, 0 where it is ≤ 0, for v held in blocks.
func (c *Context) positive(v onnx.Value, beta float32) onnx.Value {
	return c.blocks(c.Builder.Op("HardSigmoid", []onnx.Value{v}, onnx.FloatAttr("alpha", steep), onnx.FloatAttr("beta", beta)))
}

// maskLeaky returns g where y > 0 and alpha·g elsewhere, 0 < alpha ≤ 1: the slope is a unit
// convolution with steep weights, clipped to [alpha, 1].
func (c *Context) maskLeaky(g, y onnx.Value, dims []int64, alpha float64) onnx.Value {
	b := c.Builder
	if c.plain(g, y, dims) || alpha > 1 {
		return b.Mul(g, b.Where(b.Greater(y, c.Scalar(0)), c.Scalar(1), c.Scalar(alpha)))
	}
	ch := dims[1]
	w := onnx.Tensor(b, "steep", []int64{ch, 1, 1, 1}, slices.Repeat([]float32{steep}, int(ch)))
	m := b.Op("Conv", []onnx.Value{y, w}, onnx.Int("group", ch), onnx.Ints("kernel_shape", 1, 1))
	m = c.blocks(b.Clip(m, c.Scalar(alpha), c.Scalar(1)))
	return c.blocks(b.Mul(c.inBlocks(g, ch), m))
}
