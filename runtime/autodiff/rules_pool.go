package autodiff

import (
	"fmt"
	"slices"

	"ucan/runtime/onnx"
)

// poolWindow reads the window of a pooling node; end is widened or narrowed to what the windows
// reach, which ceil_mode changes.
func poolWindow(c *Context) (window, error) {
	in, out := c.InDims(0)[2:], c.OutDims(0)[2:]
	if !fixed(in) || !fixed(out) {
		return window{}, fmt.Errorf("its spatial sizes vary from run to run")
	}
	return windowOf(c.Node, onnx.AttrInts(c.Node, "kernel_shape"), in, out)
}

// y = sum over windows / divisor. A window sum is, along each axis, a matrix of zeros and ones; ∂x
// is g/divisor multiplied by the transposes. What the divisor is where a window reaches over the
// border depends on attributes and, with ceil_mode, on the version of the operator: the operator
// itself tells, by its means over ones.
func averagePoolRule(c *Context) ([]onnx.Value, error) {
	w, err := poolWindow(c)
	if err != nil {
		return nil, err
	}
	b := c.Builder
	rank := len(c.InDims(0))
	covered := []float32{1} // elements of each window, over the axes so far
	sums := make([][]float32, len(w.kernel))
	for a := range w.kernel {
		in, out := c.InDims(0)[2+a], c.OutDims(0)[2+a]
		m := make([]float32, out*in)
		counts := make([]float32, out)
		for o := range out {
			for t := range w.kernel[a] {
				if pos := o*w.stride[a] - w.begin[a] + t*w.dilation[a]; pos >= 0 && pos < in {
					m[o*in+pos] = 1
					counts[o]++
				}
			}
		}
		sums[a] = m
		var next []float32
		for _, p := range covered {
			for _, q := range counts {
				next = append(next, p*q)
			}
		}
		covered = next
	}
	inverse, err := poolDivisors(c, covered)
	if err != nil {
		return nil, err
	}
	typed := func(base string, dims []int64, data []float32) onnx.Value {
		v := onnx.Tensor(b, base, dims, data)
		if c.DType() != onnx.Float {
			v = b.Cast(v, c.DType())
		}
		return v
	}
	g := c.Grad(0)
	if len(inverse) == 1 {
		for i := range sums[0] {
			sums[0][i] *= inverse[0]
		}
	} else {
		g = b.Mul(g, typed("divisor", c.OutDims(0)[2:], inverse))
	}
	for a, m := range sums {
		dims := []int64{c.OutDims(0)[2+a], c.InDims(0)[2+a]}
		g = alongAxis(b, g, 2+a, rank, typed("window", dims, m))
	}
	return one(g)
}

// poolDivisors returns 1/divisor for every window, or once where all agree.
func poolDivisors(c *Context, covered []float32) ([]float32, error) {
	in := append([]int64{1, 1}, c.InDims(0)[2:]...)
	n, err := onnx.Elements(in)
	if err != nil {
		return nil, err
	}
	t, err := c.Evaluate(func(b *onnx.Builder) onnx.Value {
		x := onnx.Tensor(b, "ones", in, slices.Repeat([]float32{1}, int(n)))
		return b.Append(c.Node, []onnx.Value{x})[0]
	})
	if err != nil {
		return nil, err
	}
	means, err := onnx.Float32s(t)
	if err != nil {
		return nil, err
	}
	if len(means) != len(covered) {
		return nil, fmt.Errorf("its windows are %d, not %d", len(means), len(covered))
	}
	same := true
	for i := range means {
		if covered[i] > 0 {
			means[i] /= covered[i]
		}
		same = same && means[i] == means[0]
	}
	if same {
		return means[:1], nil
	}
	return means, nil
}

// y = mean over space: ∂x = g/size.
func globalAveragePoolRule(c *Context) ([]onnx.Value, error) {
	n := int64(-1)
	if space := c.InDims(0)[2:]; fixed(space) {
		n = product(space)
	}
	g := perElement(c, c.Grad(0), n)
	if d := c.InDims(0); c.shared.layout && c.pictures(d) && fixed(d) {
		return one(c.enlarged(g, d[2], d[3]))
	}
	return one(c.BroadcastLike(g, 0))
}

// y = max over space: ∂x = g where x = y, shared evenly among equals.
func globalMaxPoolRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	mask := b.Cast(b.Equal(c.In(0), c.Out(0)), c.DType())
	share := b.Div(c.Grad(0), b.Sum(mask, true, spatial(len(c.InDims(0)))...))
	return one(b.Mul(mask, share))
}
