package autodiff

import (
	"ucan/runtime/onnx"
)

// groupedPays says whether ∂w is computed by convWeightGroups: on the CPU
// provider, for pictures in a batch of fixed size whose channels can be held in
// blocks.
func (c *Context) groupedPays(v conv) bool {
	return c.pictures(v.xd) && v.group == 1 && v.count() > 1 && fixed(v.xd) && fixed(v.yd)
}

// convWeightGroups is ∂w as one convolution with a group for every sample of
// the batch. Within a sample
//
//	∂w[o,i,r,s] = Σₕ Σₚ g[o,h,p]·x̄[i, h+r, p+s]
//
// is the convolution of x, channels last (what the provider makes of blocks at
// the price of a copy), with g as its kernel. The columns of x and its channels
// i are one axis, along which the kernel is dilated by the number of channels:
// the result's columns are then (s, i), and what the provider gathers in its
// cache for each element of g are runs of all s and i. Nothing else is copied.
//
// A stride becomes a dilation of the kernel, and a dilation along rows the
// stride; for one along columns what lies between is left out of the result.
//
// Measured on the CPU, batch 128, against a channel for each row of x and a
// kernel of g stacked with itself for the shifts by rows: 0.7–1 of the time,
// least for small pictures. That took 0.7 of one product per column of the
// kernel with copies of x̄.
func convWeightGroups(c *Context, v conv, x, g onnx.Value) onnx.Value {
	b := c.Builder
	n, o, ch := v.xd[0], v.wd[0], v.wd[1]
	xs := b.Transpose(c.inBlocks(x, ch), 0, 2, 3, 1) // [N, H, W, C]
	size, end := make([]int64, 2), make([]int64, 2)
	for a := range end {
		size[a], end[a] = v.xd[2+a], v.after(a)
		if end[a] < 0 { // no kernel reaches there, and padding cannot be negative
			size[a] += end[a]
			end[a] = 0
			xs = b.Slice(xs, []int64{0}, []int64{size[a]}, []int64{int64(1 + a)}, nil)
		}
	}
	win := window{
		kernel: v.yd[2:], stride: []int64{v.dilation[0], 1}, dilation: []int64{v.stride[0], v.stride[1] * ch},
		begin: []int64{v.begin[0], v.begin[1] * ch}, end: []int64{end[0], end[1] * ch},
	}
	gs := b.Reshape(g, n*o, 1, v.yd[2], v.yd[3])
	p := b.Op("Conv", []onnx.Value{b.Reshape(xs, 1, n, size[0], size[1]*ch), gs}, win.attrs(n)...)
	shape := []int64{o, v.kernel[0], v.extent(1), ch}
	dw := b.Reshape(b.Sum(b.Reshape(p, n, shape[0]*shape[1]*shape[2]*shape[3]), false, 0), shape...)
	if v.dilation[1] > 1 {
		dw = b.Slice(dw, []int64{0}, []int64{shape[2]}, []int64{2}, []int64{v.dilation[1]})
	}
	return b.Transpose(dw, 0, 3, 1, 2)
}
