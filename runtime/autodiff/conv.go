package autodiff

import "ucan/runtime/onnx"

// conv holds what the gradients of a convolution y = w ⋆ x need; a ConvTranspose is one with x and
// y exchanged.
type conv struct {
	window
	group  int64
	wd     []int64 // of the weights: [O, C/group, kernel…]
	xd, yd []int64 // [N, C, …] and [N, O, …]
}

// after is by how much kernels reach over the end of x along a spatial axis; negative where they
// leave something out.
func (v conv) after(axis int) int64 {
	return (v.yd[2+axis]-1)*v.stride[axis] + v.extent(axis) - v.begin[axis] - v.xd[2+axis]
}

// padded surrounds x by zeros as far as kernels reach. What they leave out stays: those who slice
// have no need of another copy.
func (v conv) padded(c *Context, x onnx.Value) onnx.Value {
	rank := len(v.kernel)
	pads := make([]int64, 2*(rank+2))
	for a := range rank {
		pads[2+a], pads[rank+4+a] = v.begin[a], max(v.after(a), 0)
	}
	return zeroPad(c, x, pads)
}

// reached is padded without what kernels leave out.
func (v conv) reached(c *Context, x onnx.Value) onnx.Value {
	b, xp := c.Builder, v.padded(c, x)
	for a := range v.kernel {
		if over := v.after(a); over < 0 {
			xp = b.Slice(xp, []int64{0}, []int64{v.begin[a] + v.xd[2+a] + over}, []int64{int64(2 + a)}, nil)
		}
	}
	return xp
}

// space returns the number of output positions.
func (v conv) space() int64 { return product(v.yd[2:]) }

// grouped gives a value [N, channels, …] the form [N, channels, P], with groups apart where there
// are several.
func (v conv) grouped(c *Context, x onnx.Value, channels int64) onnx.Value {
	if v.group == 1 {
		return c.Builder.Reshape(x, -1, channels, v.space())
	}
	return c.Builder.Reshape(x, -1, v.group, channels/v.group, v.space())
}

// shift returns the slice of the padded input xp, whose spatial axes begin at first, that kernel
// position t sees.
func (v conv) shift(b *onnx.Builder, xp onnx.Value, t []int64, first int) onnx.Value {
	rank := len(v.kernel)
	start, end := make([]int64, rank), make([]int64, rank)
	whole := true
	for a := range t {
		start[a] = t[a] * v.dilation[a]
		end[a] = start[a] + (v.yd[2+a]-1)*v.stride[a] + 1
		size := v.begin[a] + v.xd[2+a] + max(v.after(a), 0)
		whole = whole && start[a] == 0 && end[a] == size && v.stride[a] == 1
	}
	if whole {
		return xp
	}
	return b.Slice(xp, start, end, upTo(first, first+rank), v.stride)
}
