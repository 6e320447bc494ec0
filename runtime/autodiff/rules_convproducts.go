package autodiff

import (
	"slices"

	"ucan/runtime/onnx"
)

// The ways to compute ∂w by matrix products, and by one convolution of the whole batch
// (weightMethods).

// convWeightShifts is the sum itself: for each position of the kernel a product, batched over n, of
// g [N,O,P] with a shifted slice of x̄ [N,C,P] transposed, then the sum over the batch. onnxruntime
// fuses Transpose and MatMul into one FusedMatMul.
func convWeightShifts(c *Context, v conv, x, g onnx.Value) onnx.Value {
	b := c.Builder
	channels := v.wd[1] * v.group
	gm := v.grouped(c, g, v.wd[0])
	if v.count() == 1 && !all(v.stride, 1) && all(v.begin, 0) && all(v.end, 0) && c.shared.layout && c.pictures(v.xd) {
		// Means of single elements are a slice that the provider takes in blocks.
		x = c.blocks(b.AveragePool(x, onnx.Window{Kernel: v.kernel, Strides: v.stride}))
		v.xd, v.stride = append(slices.Clone(v.xd[:2]), v.yd[2:]...), []int64{1, 1}
	}
	xp := v.padded(c, x)
	mrank := 3
	if v.group > 1 {
		mrank = 4
	}
	var parts []onnx.Value
	for _, t := range v.offsets() {
		xs := v.shift(b, xp, t, 2)
		p := b.MatMul(gm, transposeLast(b, v.grouped(c, xs, channels), mrank))
		parts = append(parts, b.Sum(p, false, 0)) // [(G,) O/G, C/G]
	}
	if len(parts) == 1 {
		return b.Reshape(parts[0], v.wd...)
	}
	for i, p := range parts {
		parts[i] = b.Unsqueeze(p, -1)
	}
	return b.Reshape(b.Concat(-1, parts...), v.wd...)
}

// convWeightColumns stacks all shifts of the input, [N, k·C, P], and multiplies once; with few
// channels that is little to copy, and the products of the shifts apart would be thin.
func convWeightColumns(c *Context, v conv, x, g onnx.Value) onnx.Value {
	b := c.Builder
	xp := v.padded(c, x)
	var shifts []onnx.Value
	for _, t := range v.offsets() {
		shifts = append(shifts, v.shift(b, xp, t, 2))
	}
	cols := v.grouped(c, b.Concat(1, shifts...), v.count()*v.wd[1])
	p := b.Sum(b.MatMul(cols, transposeLast(b, v.grouped(c, g, v.wd[0]), 3)), false, 0) // [k·C, O]
	rank := len(v.kernel)
	shape := append(slices.Clone(v.kernel), v.wd[1], v.wd[0])
	return b.Transpose(b.Reshape(p, shape...), append([]int64{int64(rank) + 1, int64(rank)}, upTo(0, rank)...)...)
}

// convWeightRows is for two spatial dimensions and stride 1. The shifts along rows are taken on g
// instead of x: g followed by rows of zeros, k times, is at once all k copies of g shifted down by
// 0, 1, … rows, each as long as the padded input, and stacked. That leaves one product [k·O,
// P̄]·[P̄, C] for each shift along columns: fewer copies and larger products.
func convWeightRows(c *Context, v conv, x, g onnx.Value) onnx.Value {
	b := c.Builder
	kh, kw := v.kernel[0], v.kernel[1]
	oh, ow := v.yd[2], v.yd[3]
	rows := oh + (kh-1)*v.dilation[0] // of the padded input
	zdims := []int64{v.yd[0], v.wd[0], kh * v.dilation[0], ow}
	var zeros onnx.Value
	if fixed(zdims) {
		zeros = b.Expand(c.Scalar(0), b.Ints(zdims...))
	} else {
		batch := b.Slice(b.Shape(g), []int64{0}, []int64{1}, []int64{0}, nil)
		zeros = b.Expand(c.Scalar(0), b.Concat(0, batch, b.Ints(zdims[1:]...)))
	}
	parts := []onnx.Value{g}
	for range kh - 1 {
		parts = append(parts, zeros, g)
	}
	gs := b.Reshape(b.Concat(2, parts...), -1, v.wd[0]*kh, rows*ow)
	outs := make([]onnx.Value, kw)
	for j := range kw {
		left := v.begin[1] - j*v.dilation[1]
		right := ow - v.xd[3] - left
		bottom := rows - v.begin[0] - v.xd[2]
		xs := zeroPad(c, x, []int64{0, 0, v.begin[0], left, 0, 0, bottom, right})
		xs = b.Reshape(xs, -1, v.wd[1], rows*ow)
		p := b.Sum(b.MatMul(gs, transposeLast(b, xs, 3)), false, 0) // [O·kh, C]
		outs[j] = b.Unsqueeze(p, -1)
	}
	dw := b.Reshape(b.Concat(-1, outs...), v.wd[0], kh, v.wd[1], kw)
	return b.Transpose(dw, 0, 2, 1, 3)
}

// productPays says whether ∂w is computed by convWeightProduct: where a sample's gradient is much
// larger than what it is made of, so that one gradient for each sample, to be summed, would be the
// most of the work and of the memory (1.2 GB for 512 channels and a batch of 128).
func (v conv) productPays() bool {
	return v.wd[0] >= 8*v.space()
}

// convWeightProduct is one product over the batch and all positions, channels last, of g with all
// shifts of x̄ side by side.
func convWeightProduct(c *Context, v conv, x, g onnx.Value) onnx.Value {
	b := c.Builder
	// The axes of positions, behind channels and before them.
	space, kernel := upTo(2, 2+len(v.kernel)), upTo(1, 1+len(v.kernel))
	xs := b.Transpose(v.padded(c, x), slices.Concat([]int64{0}, space, []int64{1})...) // [N, …, C]
	var shifts []onnx.Value
	for _, t := range v.offsets() {
		shifts = append(shifts, v.shift(b, xs, t, 1))
	}
	cols := shifts[0]
	if len(shifts) > 1 {
		cols = b.Concat(-1, shifts...)
	}
	cols = b.Reshape(cols, -1, v.count()*v.wd[1])                                        // [N·P, k·C]
	gs := b.Reshape(b.Transpose(g, slices.Concat([]int64{1, 0}, space)...), v.wd[0], -1) // [O, N·P]
	dw := b.Reshape(b.MatMul(gs, cols), slices.Concat(v.wd[:1], v.kernel, v.wd[1:2])...)
	return b.Transpose(dw, slices.Concat([]int64{0, int64(1 + len(v.kernel))}, kernel)...)
}

// tiles reports whether the kernel cuts the input into patches: no overlap, no padding, nothing
// left over.
func (v conv) tiles() bool {
	if v.group != 1 || v.count() == 1 || !slices.Equal(v.kernel, v.stride) || !all(v.dilation, 1) || !all(v.begin, 0) || !all(v.end, 0) {
		return false
	}
	for a := range v.kernel {
		if v.xd[2+a] != v.yd[2+a]*v.kernel[a] {
			return false
		}
	}
	return true
}

// convWeightTiles cuts x into patches [N, C·k, P] and multiplies once.
func convWeightTiles(c *Context, v conv, x, g onnx.Value) onnx.Value {
	b := c.Builder
	shape := []int64{-1, v.wd[1]}
	channels, space := []int64{0, 1}, []int64{}
	for a := range v.kernel {
		shape = append(shape, v.yd[2+a], v.kernel[a])
		space = append(space, int64(2+2*a))
		channels = append(channels, int64(3+2*a))
	}
	patches := b.Transpose(b.Reshape(x, shape...), append(channels, space...)...)
	patches = b.Reshape(patches, -1, v.wd[1]*v.count(), v.space())
	p := b.MatMul(v.grouped(c, g, v.wd[0]), transposeLast(b, patches, 3))
	return b.Reshape(b.Sum(p, false, 0), v.wd...)
}

// convWeightSwapped is one convolution of x, batch and channels exchanged, with g as its kernel:
// strides become dilations and the other way round.
func convWeightSwapped(c *Context, v conv, x, g onnx.Value) onnx.Value {
	b := c.Builder
	rank := len(v.kernel)
	swap := append([]int64{1, 0}, upTo(2, 2+rank)...)
	xp := v.reached(c, x)
	var xs onnx.Value
	if v.group == 1 {
		xs = b.Transpose(xp, swap...) // [C, N, …]
	} else {
		// [N, G·C′, …] → [C′, G·N, …]: the groups' batches side by side.
		dims := make([]int64, rank)
		for a := range dims {
			dims[a] = (v.yd[2+a]-1)*v.stride[a] + v.extent(a)
		}
		xs = b.Reshape(xp, append([]int64{-1, v.group, v.wd[1]}, dims...)...)
		xs = b.Transpose(xs, append([]int64{2, 1, 0}, upTo(3, 3+rank)...)...)
		xs = b.Reshape(xs, append([]int64{v.wd[1], -1}, dims...)...)
	}
	gs := b.Transpose(g, swap...) // [O, N, …]
	w := window{kernel: v.yd[2:], stride: v.dilation, dilation: v.stride, begin: make([]int64, rank), end: make([]int64, rank)}
	d := b.Op("Conv", []onnx.Value{xs, gs}, w.attrs(v.group)...) // [C′, O, k…]
	return b.Transpose(d, swap...)
}
