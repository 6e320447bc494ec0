package autodiff

import (
	"slices"

	"ucan/runtime/onnx"
)

// phasesPay says whether ∂x of a strided convolution is computed by convInputPhases: on the CPU
// provider, for pictures of fixed size in blocks of channels, with weights that are known when the
// session is made.
func (c *Context) phasesPay(v conv, wi int) bool {
	return c.pictures(v.xd) && v.group == 1 && all(v.dilation, 1) && fixed(v.xd[2:]) && fixed(v.yd[2:]) &&
		c.shared.fixed[c.Node.Input[wi]]
}

// convInputPhases is ∂x of a strided convolution by phases: along an axis with stride s, the
// elements of ∂x at positions s·q + a, for one a, are a convolution of stride 1 of g with every
// s-th row of the kernel, so nothing is multiplied by the zeros between. For each phase a of the
// rows one convolution makes all phases of the columns, as channels; channels last, these are the
// columns of ∂x one after another, and the phases of the rows stand side by side in its rows. So
// all moves are of whole rows, and the way from and to the provider's blocks with channels last
// costs what it does anyway. Measured against ConvTranspose, 3×3, stride 2, batch 128: half the
// time.
func convInputPhases(c *Context, v conv, g onnx.Value, wi int) onnx.Value {
	b := c.Builder
	if v.interleaves(c) {
		return convInputInterleaved(c, v, g, wi)
	}
	sh, sw, ch := v.stride[0], v.stride[1], v.xd[1]
	across := v.phases(1, 0, sw)
	q := (v.xd[2] + sh - 1) / sh
	parts := make([]onnx.Value, sh)
	for a := range sh {
		down := v.phases(0, a, 1)
		if len(down.taps) == 0 || len(across.taps) == 0 {
			rows := b.Shape(g) // zeros, of g's batch
			rows = b.Concat(0, b.Slice(rows, []int64{0}, []int64{1}, []int64{0}, nil), b.Ints(q, 1, across.size*sw*ch))
			parts[a] = b.Expand(c.Scalar(0), rows)
			continue
		}
		p := v.phaseConv(c, g, wi, down, across)
		parts[a] = b.Reshape(b.Transpose(p, 0, 2, 3, 1), -1, q, 1, across.size*sw*ch)
	}
	d := b.Reshape(b.Concat(2, parts...), -1, sh*q, across.size*sw, ch)
	if sh*q > v.xd[2] || across.size*sw > v.xd[3] {
		d = b.Slice(d, []int64{0, 0}, []int64{v.xd[2], v.xd[3]}, []int64{1, 2}, nil)
	}
	return b.Transpose(d, 0, 3, 1, 2)
}

// interleaves says whether the phases are put together by interleave: where they are all of one
// size, the same number of rows and columns, and the provider's layout is named in the graph.
func (v conv) interleaves(c *Context) bool {
	return c.shared.layout && fixed(v.xd) && v.stride[0] == v.stride[1] && v.xd[2]%v.stride[0] == 0 && v.xd[3]%v.stride[1] == 0
}

// convInputInterleaved makes every phase of rows and columns by a convolution of its own, which
// multiplies nothing by zeros, and interleaves them.
func convInputInterleaved(c *Context, v conv, g onnx.Value, wi int) onnx.Value {
	s := v.stride[0]
	parts := make([]onnx.Value, s*s)
	for a := range s {
		for e := range s {
			down, across := v.phases(0, a, 1), v.phases(1, e, 1)
			if len(down.taps) == 0 || len(across.taps) == 0 {
				continue
			}
			parts[a*s+e] = c.blocks(v.phaseConv(c, g, wi, down, across))
		}
	}
	return c.interleave(parts, s, v.xd)
}

// interleaved is a gradient that interleave has made.
type interleaved struct {
	parts  []onnx.Value
	stride int64
	dims   []int64
}

// interleave returns the picture of the given dimensions whose row s·i + a and column s·j + e are
// row i and column j of part s·a + e, the zero Value standing for zeros. Their sum with other parts
// is better taken before (addPhases). Only float32 is held in blocks.
func (c pass) interleave(parts []onnx.Value, s int64, dims []int64) onnx.Value {
	b := c.b
	whole := slices.Clone(parts)
	var zeros onnx.Value
	for i := range whole {
		if !whole[i].IsZero() {
			continue
		}
		if zeros.IsZero() {
			zeros = c.blocks(b.Expand(b.Scalar(onnx.Float, 0), b.Ints(dims[0], dims[1], dims[2]/s, dims[3]/s)))
		}
		whole[i] = zeros
	}
	v := c.blocks(b.Op("DepthToSpace", []onnx.Value{b.Concat(1, whole...)}, onnx.Int("blocksize", s), onnx.Str("mode", "DCR")))
	c.shared.phases[v.Name()] = interleaved{parts, s, dims}
	return v
}

// addPhases adds two gradients that interleave has made, phase by phase.
func (c pass) addPhases(p, q onnx.Value) (onnx.Value, bool) {
	a, b := c.shared.phases[p.Name()], c.shared.phases[q.Name()]
	if len(a.parts) == 0 || len(a.parts) != len(b.parts) {
		return onnx.Value{}, false
	}
	sum := slices.Clone(a.parts)
	for i, v := range b.parts {
		switch {
		case sum[i].IsZero():
			sum[i] = v
		case !v.IsZero():
			sum[i] = c.blocks(c.b.Add(sum[i], v))
		}
	}
	return c.interleave(sum, a.stride, a.dims), true
}

// phases tells which rows of the kernel make some phases along an axis, and where their convolution
// reads g.
type phases struct {
	count     int64 // of phases
	size      int64 // positions of each phase
	low, high int64 // offsets into g of the first and the last tap, low ≤ 0
	after     int64 // what g is padded by at its end
	taps      []tap
}

// tap says that row of the kernel, at an offset into g, is part of a phase.
type tap struct{ phase, row, offset int64 }

func (p phases) width() int64 { return p.high - p.low + 1 }

// phases lists the taps of count phases from the first on. x at s·q + a reads kernel row r at g's
// position (s·q + a + begin − r)/s, where that is whole.
func (v conv) phases(axis int, first, count int64) phases {
	s, in, out := v.stride[axis], v.xd[2+axis], v.yd[2+axis]
	p := phases{count: count, size: (in + s - 1) / s}
	p.high = max(0, out-p.size) // no negative padding
	for a := first; a < first+count; a++ {
		for r := range v.kernel[axis] {
			at := a + v.begin[axis] - r
			if at%s != 0 {
				continue
			}
			p.taps = append(p.taps, tap{phase: a - first, row: r, offset: at / s})
			p.low, p.high = min(p.low, at/s), max(p.high, at/s)
		}
	}
	p.after = p.size - 1 + p.high - (out - 1)
	return p
}

// phaseConv is the convolution that makes the phases across of one phase down.
func (v conv) phaseConv(c *Context, g onnx.Value, wi int, down, across phases) onnx.Value {
	win := window{
		kernel: []int64{down.width(), across.width()}, stride: []int64{1, 1}, dilation: []int64{1, 1},
		begin: []int64{-down.low, -across.low}, end: []int64{down.after, across.after},
	}
	return c.Builder.Op("Conv", []onnx.Value{g, v.phaseWeights(c, wi, down, across)}, win.attrs(1)...)
}

// phaseWeights gathers the weights [O,C,kh,kw] of [conv.phaseConv],
// [phases·C, O, height, width], with zeros where no row of the kernel falls.
func (v conv) phaseWeights(c *Context, wi int, down, across phases) onnx.Value {
	b := c.Builder
	o, ch := v.wd[0], v.wd[1]
	kh, kw := v.kernel[0], v.kernel[1]
	height, width, count := down.width(), across.width(), across.count
	index := slices.Repeat([]int64{kh * kw}, int(count*height*width)) // that of a zero
	for _, d := range down.taps {
		for _, a := range across.taps {
			index[(a.phase*height+d.offset-down.low)*width+a.offset-across.low] = d.row*kw + a.row
		}
	}
	w := b.Concat(2, b.Reshape(c.In(wi), o, ch, kh*kw), b.Expand(c.Scalar(0), b.Ints(o, ch, 1)))
	w = b.Reshape(b.Gather(w, b.Ints(index...), 2), o, ch, count, height*width)
	return b.Reshape(b.Transpose(w, 2, 1, 0, 3), count*ch, o, height, width)
}

// separates says whether ∂x, of few channels, is computed by convInputSeparate: the provider fills
// up the channels of a convolution's result to a block, so that ∂x of a picture with one channel
// costs what sixteen do.
func (c *Context) separates(v conv, wi int) bool {
	if !c.cpu || v.group != 1 || len(v.kernel) != 2 || c.DType() != onnx.Float || !c.shared.fixed[c.Node.Input[wi]] {
		return false
	}
	kh, kw := v.kernel[0], v.kernel[1]
	return v.wd[0]%blockSize == 0 && kh > 1 && v.wd[1]*kh <= blockSize && v.wd[0]*kw*(kh-1) > blockSize*kh
}

// convInputSeparate is the convolution of g with w [C,O,kh,kw] in steps: its taps apart, or its
// rows where there are more taps than channels in a block, as channels of one block; then each
// shifted to its place and all added up, by convolutions of ones. Measured for one channel and a
// 3×3 kernel: 0.65 of the time by rows, and 0.7 of that by taps.
func convInputSeparate(c *Context, v conv, t window, g, w onnx.Value) onnx.Value {
	b := c.Builder
	o, ch, kh, kw := v.wd[0], v.wd[1], v.kernel[0], v.kernel[1]
	if taps := kh * kw; ch*taps <= blockSize {
		w = b.Transpose(b.Reshape(w, ch, o, taps), 0, 2, 1)
		p := c.blocks(b.Op("Conv", []onnx.Value{g, fillBlock(c, b.Reshape(w, ch*taps, o, 1, 1), ch*taps, o, 1)}, onnx.Ints("kernel_shape", 1, 1)))
		shift, sum := make([]float32, blockSize*taps), make([]float32, ch*blockSize)
		for i := range ch * taps {
			shift[i*taps+i%taps] = 1
			sum[i/taps*blockSize+i] = 1
		}
		p = c.blocks(b.Op("Conv", []onnx.Value{p, onnx.Tensor(b, "shift", []int64{blockSize, 1, kh, kw}, shift)}, t.attrs(blockSize)...))
		return b.Op("Conv", []onnx.Value{p, onnx.Tensor(b, "sum", []int64{ch, blockSize, 1, 1}, sum)}, onnx.Ints("kernel_shape", 1, 1))
	}
	across := window{kernel: []int64{1, kw}, stride: []int64{1, 1}, dilation: []int64{1, t.dilation[1]},
		begin: []int64{0, t.begin[1]}, end: []int64{0, t.end[1]}}
	down := window{kernel: []int64{kh, 1}, stride: []int64{1, 1}, dilation: []int64{t.dilation[0], 1},
		begin: []int64{t.begin[0], 0}, end: []int64{t.end[0], 0}}
	rows := b.Reshape(b.Transpose(w, 0, 2, 1, 3), ch*kh, o, 1, kw)
	ones := make([]float32, ch*blockSize*kh)
	for i := range ch {
		for r := range kh {
			ones[(i*blockSize+i*kh+r)*kh+r] = 1
		}
	}
	p := c.blocks(b.Op("Conv", []onnx.Value{g, fillBlock(c, rows, ch*kh, o, kw)}, across.attrs(1)...))
	return b.Op("Conv", []onnx.Value{p, onnx.Tensor(b, "ones", []int64{ch, blockSize, kh, 1}, ones)}, down.attrs(1)...)
}

// fillBlock adds zeros to weights [have, O, 1, width] for the rest of a block.
func fillBlock(c *Context, w onnx.Value, have, o, width int64) onnx.Value {
	if have == blockSize {
		return w
	}
	b := c.Builder
	return b.Concat(0, w, b.Expand(c.Scalar(0), b.Ints(blockSize-have, o, 1, width)))
}
