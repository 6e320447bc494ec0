package autodiff

import (
	"fmt"
	"slices"

	"ucan/runtime/onnx"
)

// y = max over windows. Windows that tile the input share the gradient among equal maxima; of
// others the first maximum takes it all.
func maxPoolRule(c *Context) ([]onnx.Value, error) {
	w, err := poolWindow(c)
	if err != nil {
		return nil, err
	}
	if !w.tile(c.InDims(0)[2:], c.OutDims(0)[2:]) {
		return maxPoolIndices(c)
	}
	g := c.Grad(0)
	if relu := c.shared.relus[c.Node.Input[0]]; relu && c.shared.readers[c.Node.Input[0]] == 1 {
		// The input is a Relu's output that nothing else reads. Where the maximum is 0 that passes
		// nothing on, elsewhere it passes all: masking here is masking there, with a fraction of
		// the elements.
		c.shared.masked[c.Node.Input[0]] = true
		g = c.maskPositive(g, c.Out(0), c.OutDims(0))
	}
	if c.pictures(c.InDims(0)) && c.shared.blocked[c.Node.Input[0]] {
		return one(maxPoolBlocked(c, w, g))
	}
	return one(maxPoolTiles(c, w, g))
}

// tile reports whether the windows cut the input into pieces: no overlap, no padding, nothing left
// over.
func (w window) tile(in, out []int64) bool {
	for a, k := range w.kernel {
		if w.stride[a] != k || w.dilation[a] != 1 || w.begin[a] != 0 || w.end[a] != 0 || in[a] != k*out[a] {
			return false
		}
	}
	return true
}

// maxPoolTiles gives each window axes of its own, so that its maximum and gradient broadcast over
// it.
func maxPoolTiles(c *Context, w window, g onnx.Value) onnx.Value {
	b := c.Builder
	wide, narrow, axes := []int64{0, 0}, []int64{0, 0}, []int64{}
	for a, k := range w.kernel {
		o := c.OutDims(0)[2+a]
		wide, narrow = append(wide, o, k), append(narrow, o, 1)
		axes = append(axes, int64(3+2*a))
	}
	mask := b.Cast(b.Equal(b.Reshape(c.In(0), wide...), b.Reshape(c.Out(0), narrow...)), c.DType())
	share := b.Div(b.Reshape(g, narrow...), b.Sum(mask, true, axes...))
	return b.Reshape(b.Mul(mask, share), append([]int64{0, 0}, c.InDims(0)[2:]...)...)
}

// maxPoolBlocked is maxPoolTiles in the CPU provider's blocks. The window's maximum, enlarged by
// Resize, less x is 0 at the maxima alone, and HardSigmoid makes 1 of that and 0 of every number
// above 10⁻³⁸. With the provider's operators named, the convolution that turns x's sign takes in
// the sum and the HardSigmoid.
func maxPoolBlocked(c *Context, w window, g onnx.Value) onnx.Value {
	b := c.Builder
	ch := c.InDims(0)[1]
	enlarged := c.enlarged(c.Out(0), w.kernel[0], w.kernel[1])
	minus := onnx.Tensor(b, "minus", []int64{ch, 1, 1, 1}, slices.Repeat([]float32{-1}, int(ch)))
	below := b.Op("Conv", []onnx.Value{c.In(0), minus}, onnx.Int("group", ch), onnx.Ints("kernel_shape", 1, 1))
	mask := c.blocks(b.Op("HardSigmoid", []onnx.Value{b.Add(c.blocks(below), enlarged)}, onnx.FloatAttr("alpha", -steep), onnx.FloatAttr("beta", 1)))
	ones := onnx.Tensor(b, "ones", append([]int64{ch, 1}, w.kernel...), slices.Repeat([]float32{1}, int(ch*w.count())))
	count := b.Op("Conv", []onnx.Value{mask, ones}, onnx.Int("group", ch), onnx.Ints("kernel_shape", w.kernel...), onnx.Ints("strides", w.stride...))
	share := b.Div(g, c.blocks(count))
	return c.blocks(b.Mul(mask, c.enlarged(c.inBlocks(share, ch), w.kernel[0], w.kernel[1])))
}

// maxPoolIndices adds each element of g to the first maximum of its window. The operator itself
// tells where that is: its second output holds places in the whole tensor, counted in its elements.
func maxPoolIndices(c *Context) ([]onnx.Value, error) {
	if onnx.AttrInt(c.Node, "storage_order", 0) != 0 {
		return nil, fmt.Errorf("column-major indices are not supported")
	}
	w, err := poolWindow(c)
	if err != nil {
		return nil, err
	}
	b := c.Builder
	var where onnx.Value
	if len(c.Node.GetOutput()) > 1 && c.Node.GetOutput()[1] != "" {
		where = c.Out(1)
	} else {
		where = b.ExtraOutput(c.Out(0), 1)
	}
	apart := true // no two windows share an element, none reaches over the end
	for a := range w.kernel {
		reach := (c.OutDims(0)[2+a]-1)*w.stride[a] + w.extent(a)
		apart = apart && w.stride[a] >= w.extent(a) && reach <= c.InDims(0)[2+a]
	}
	if apart && len(w.kernel) == 2 && c.DType() == onnx.Float {
		return one(b.Op("MaxUnpool", []onnx.Value{c.Grad(0), where, c.ShapeOf(0)},
			onnx.Ints("kernel_shape", w.kernel...), onnx.Ints("strides", w.stride...)))
	}
	var size onnx.Value
	if dims := c.InDims(0); fixed(dims) {
		n, err := onnx.Elements(dims)
		if err != nil {
			return nil, err
		}
		size = b.Ints(n)
	} else {
		size = b.Reshape(b.Op("Size", []onnx.Value{c.In(0)}), 1)
	}
	zeros := b.Expand(c.Scalar(0), size)
	d := b.Op("ScatterElements", []onnx.Value{zeros, b.Reshape(where, -1), b.Reshape(c.Grad(0), -1)}, onnx.Str("reduction", "add"))
	return one(c.LikeInput(d, 0))
}
