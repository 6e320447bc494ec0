package autodiff

import (
	"ucan/runtime/onnx"
)

// groupedPays says whether ∂w is computed by convWeightGroups: on the CPU
// provider, for pictures in a batch of fixed size whose channels can be held in
// blocks. Rows and columns are treated apart, so rows need stride or dilation 1.
func (c *Context) groupedPays(v conv) bool {
	return c.pictures(v.xd) && v.group == 1 && v.kernel[0] > 1 && fixed(v.xd) && fixed(v.yd) &&
		(v.stride[0] == 1 || v.dilation[0] == 1)
}

// convWeightGroups is ∂w as one convolution with a group for every sample of
// the batch. Within a sample
//
//	∂w[o,i,r,s] = Σₕ Σₚ g[o,h,p]·x̄[i, h+r, p+s]
//
// is a convolution whose channels are the rows h of the padded input x̄, whose
// picture is x̄'s columns by its channels i (channels last: what the provider
// makes of blocks at the price of a copy), and whose kernel is g's row h, as
// wide as g. The provider gathers the columns p+s block by block in its cache,
// and multiplies [k·O, h·p] by [h·p, s·i]: nothing is copied for the shifts s.
// For those by rows g, with rows of zeros between, is repeated below itself,
// which holds all k copies shifted down by 0, 1, … rows, each as long as x̄.
//
// With a stride along rows, every class of rows modulo the stride is a
// convolution of its own. A stride along columns becomes a dilation of the
// kernel, and the other way round.
//
// Measured on the CPU, batch 128, against one product per column of the kernel
// with copies of x̄: 0.7 of the time.
func convWeightGroups(c *Context, v conv, x, g onnx.Value) onnx.Value {
	b := c.Builder
	n, o, ch := v.xd[0], v.wd[0], v.wd[1]
	kw, sh := v.kernel[1], v.stride[0]
	rows := v.paddedRows()
	bottom := rows*sh - v.begin[0] - v.xd[2]
	padded := c.inBlocks(x, ch)
	if v.begin[0] > 0 || bottom > 0 {
		padded = c.unitConv(x, ch, onnx.Ints("pads", v.begin[0], 0, max(bottom, 0), 0))
	}
	xs := b.Transpose(padded, 0, 2, 3, 1)
	if bottom < 0 {
		xs = b.Slice(xs, []int64{0}, []int64{rows * sh}, []int64{1}, nil)
	} // [N, rows·stride, W, C]
	reach := (v.yd[3]-1)*v.stride[1] + v.extent(1)
	left, right := v.begin[1], reach-v.begin[1]-v.xd[3]
	// The columns that no kernel reaches are cut off: a convolution's padding
	// cannot be negative.
	width := v.xd[3]
	if right < 0 {
		width += right
		right = 0
		xs = b.Slice(xs, []int64{0}, []int64{width}, []int64{2}, nil)
	}
	win := window{
		kernel: []int64{v.yd[3], 1}, stride: []int64{v.dilation[1], 1}, dilation: []int64{v.stride[1], 1},
		begin: []int64{left, 0}, end: []int64{right, 0},
	}
	var parts []onnx.Value
	var order []int64 // order[i] is the row of the kernel that part i holds
	for class := range sh {
		shifts := v.shiftsOf(class)
		if len(shifts) == 0 {
			continue
		}
		xc := xs
		if sh > 1 {
			xc = b.Reshape(xs, n, rows, sh, width, ch)
			xc = b.Slice(xc, []int64{class}, []int64{class + 1}, []int64{2}, nil)
		}
		xc = b.Reshape(xc, 1, n*rows, width, ch)
		k := int64(len(shifts))
		gs := b.Reshape(v.stacked(c, g, shifts, rows), n*o*k, rows, v.yd[3], 1)
		p := b.Op("Conv", []onnx.Value{xc, gs}, win.attrs(n)...) // [1, N·O·k, kw, C]
		p = b.Sum(b.Reshape(p, n, o*k*kw*ch), false, 0)
		parts = append(parts, b.Reshape(p, o, k, kw, ch))
		for i := range k {
			order = append(order, class+i*sh) // a stride comes with dilation 1
		}
	}
	dw := parts[0]
	if len(parts) > 1 {
		dw = b.Gather(b.Concat(1, parts...), b.Ints(inverse(order)...), 1)
	}
	return b.Transpose(dw, 0, 3, 1, 2)
}

// paddedRows is the number of rows of each class modulo the stride that
// kernels reach in the padded input.
func (v conv) paddedRows() int64 {
	return v.yd[2] + (v.extent(0)-1)/v.stride[0]
}

// shiftsOf lists, in rows of the class, where the kernel's rows lie that read
// rows of the given class modulo the stride.
func (v conv) shiftsOf(class int64) []int64 {
	var out []int64
	for r := range v.kernel[0] {
		if at := r * v.dilation[0]; at%v.stride[0] == class {
			out = append(out, at/v.stride[0])
		}
	}
	return out
}

// stacked returns g [N,O,h,w] as [N, O, shifts, rows, w]: for each shift, evenly
// spaced from 0, a copy of g that many rows down in rows of zeros. Copies
// follow each other at a distance of one copy and one shift, so that cutting
// the whole into pieces of rows moves each piece one shift further.
func (v conv) stacked(c *Context, g onnx.Value, shifts []int64, rows int64) onnx.Value {
	b := c.Builder
	n, o, h, w := v.yd[0], v.yd[1], v.yd[2], v.yd[3]
	zeros := func(k int64) onnx.Value { return b.Expand(c.Scalar(0), b.Ints(n, o, k, w)) }
	step := int64(0)
	if len(shifts) > 1 {
		step = shifts[1] - shifts[0]
	}
	parts := []onnx.Value{g}
	used := h
	for range len(shifts) - 1 {
		if gap := rows + step - h; gap > 0 {
			parts = append(parts, zeros(gap))
			used += gap
		}
		parts = append(parts, g)
		used += h
	}
	if tail := rows*int64(len(shifts)) - used; tail > 0 {
		parts = append(parts, zeros(tail))
	}
	if len(parts) == 1 {
		return g
	}
	return b.Concat(2, parts...)
}

// inverse returns the permutation that undoes p.
func inverse(p []int64) []int64 {
	out := make([]int64, len(p))
	for i, at := range p {
		out[at] = int64(i)
	}
	return out
}
