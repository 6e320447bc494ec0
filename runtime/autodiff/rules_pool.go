package autodiff

import (
	"fmt"

	"ucan/runtime/onnx"
)

// poolWindow reads the window of a pooling node; end is widened or narrowed
// to what the windows reach, which ceil_mode changes.
func poolWindow(c *Context) (window, error) {
	in, out := c.InDims(0)[2:], c.OutDims(0)[2:]
	if !fixed(in) || !fixed(out) {
		return window{}, fmt.Errorf("its spatial sizes vary from run to run")
	}
	return windowOf(c.Node, onnx.AttrInts(c.Node, "kernel_shape"), in, out)
}

// y = mean over windows. A window mean is, along each axis, a matrix with
// 1/count where a window covers an element; ∂x is g multiplied by the
// transposes.
func averagePoolRule(c *Context) ([]onnx.Value, error) {
	w, err := poolWindow(c)
	if err != nil {
		return nil, err
	}
	includePad := onnx.AttrInt(c.Node, "count_include_pad", 0) != 0
	b := c.Builder
	rank := len(c.InDims(0))
	g := c.Grad(0)
	for a := range w.kernel {
		in, out := c.InDims(0)[2+a], c.OutDims(0)[2+a]
		m := make([]float32, out*in)
		for o := range out {
			var covered []int64
			count := 0
			for t := range w.kernel[a] {
				pos := o*w.stride[a] - w.begin[a] + t*w.dilation[a]
				inside := pos >= 0 && pos < in
				if inside {
					covered = append(covered, pos)
				}
				if inside || includePad && pos < in+w.end[a] {
					count++
				}
			}
			for _, pos := range covered {
				m[o*in+pos] = 1 / float32(count)
			}
		}
		mv := onnx.Tensor(b, "window", []int64{out, in}, m)
		if c.DType() != onnx.Float {
			mv = b.Cast(mv, c.DType())
		}
		g = alongAxis(b, g, 2+a, rank, mv)
	}
	return one(g)
}

// y = mean over space: ∂x = g/size.
func globalAveragePoolRule(c *Context) ([]onnx.Value, error) {
	n := int64(1)
	for _, d := range c.InDims(0)[2:] {
		if d < 0 {
			n = -1
			break
		}
		n *= d
	}
	return one(c.BroadcastLike(perElement(c, c.Grad(0), n), 0))
}

// y = max over space: ∂x = g where x = y, shared evenly among equals.
func globalMaxPoolRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	mask := b.Cast(b.Equal(c.In(0), c.Out(0)), c.DType())
	share := b.Div(c.Grad(0), b.Sum(mask, true, spatial(len(c.InDims(0)))...))
	return one(b.Mul(mask, share))
}

// y = max over windows: ∂x adds each element of g to the first maximum of its
// window. The operator itself tells where that is: its second output holds
// places in the whole tensor, counted in its elements.
func maxPoolRule(c *Context) ([]onnx.Value, error) {
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
	apart := true // no two windows share an element
	for a := range w.kernel {
		apart = apart && w.stride[a] >= w.extent(a)
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
