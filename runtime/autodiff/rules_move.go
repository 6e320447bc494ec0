package autodiff

import (
	"fmt"
	"slices"

	"ucan/runtime/onnx"
)

// zeroPad surrounds v with zeros, or, where a pad is negative, cuts it off.
func zeroPad(c *Context, v onnx.Value, pads []int64) onnx.Value {
	if all(pads, 0) {
		return v
	}
	return c.Builder.Pad(v, pads...)
}

// y = x[start:end:step] along some axes: ∂x = g with its elements back in their places, zeros
// between. A negative step reverses g first; a step s spreads g by inserting s−1 zeros after each
// element.
func sliceRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	starts, _, err := c.ConstInts(1, "starts")
	if err != nil {
		return nil, err
	}
	rank := len(c.InDims(0))
	axes, given, err := c.ConstInts(3, "axes")
	if err != nil {
		return nil, err
	}
	if !given {
		axes = upTo(0, len(starts))
	}
	steps, given, err := c.ConstInts(4, "")
	if err != nil {
		return nil, err
	}
	if !given {
		steps = slices.Repeat([]int64{1}, len(starts))
	}
	g := c.Grad(0)
	pads := make([]int64, 2*rank)
	for i, a := range axes {
		if a < 0 {
			a += int64(rank)
		}
		in, out, step := c.InDims(0)[a], c.OutDims(0)[a], steps[i]
		if in < 0 || out < 0 {
			if starts[i] == 0 && step == 1 && in < 0 && out < 0 {
				continue // the whole of a batch, in the usual notation
			}
			return nil, fmt.Errorf("it cuts dimension %d, which varies from run to run", a)
		}
		if out == 0 {
			return one(b.Expand(c.Scalar(0), c.ShapeOf(0)))
		}
		first := starts[i]
		if first < 0 {
			first += in
		}
		first = min(max(first, 0), in-1)
		if step < 0 {
			g = b.Slice(g, []int64{-1}, []int64{-1 << 62}, []int64{a}, []int64{-1})
			first += (out - 1) * step
			step = -step
		}
		size := out
		if step > 1 {
			g = spread(b, g, a, rank, out, step)
			size = out * step
		}
		pads[a] = first
		pads[int64(rank)+a] = in - first - size // negative cuts trailing zeros
	}
	return one(zeroPad(c, g, pads))
}

// spread inserts step−1 zeros after every element of g along axis a, whose size is n.
func spread(b *onnx.Builder, g onnx.Value, a int64, rank int, n, step int64) onnx.Value {
	g = b.Unsqueeze(g, a+1)
	pads := make([]int64, 2*(rank+1))
	pads[int64(rank+1)+a+1] = step - 1
	g = b.Pad(g, pads...)
	// Dimensions behind the axis have moved by one, so 0 cannot stand for them; merge by a shape
	// made of g's own.
	s := b.Shape(g)
	var parts []onnx.Value
	if a > 0 {
		parts = append(parts, b.Slice(s, []int64{0}, []int64{a}, []int64{0}, nil))
	}
	parts = append(parts, b.Ints(n*step))
	if int(a)+2 <= rank {
		parts = append(parts, b.Slice(s, []int64{a + 2}, []int64{int64(rank) + 1}, []int64{0}, nil))
	}
	if len(parts) == 1 {
		return b.ReshapeTo(g, parts[0])
	}
	return b.ReshapeTo(g, b.Concat(0, parts...))
}

// y = x padded. Constant: ∂x = the inside of g. Reflect, edge and wrap copy elements of x to the
// border; along each axis that is a matrix of zeros and ones, whose transpose adds the border of g
// to where it came from.
func padRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	rank := len(c.InDims(0))
	given, _, err := c.ConstInts(1, "pads")
	if err != nil {
		return nil, err
	}
	pads := given
	if axes, ok, err := c.ConstInts(3, ""); err != nil {
		return nil, err
	} else if ok {
		pads = make([]int64, 2*rank)
		for i, a := range axes {
			if a < 0 {
				a += int64(rank)
			}
			pads[a], pads[int64(rank)+a] = given[i], given[len(axes)+i]
		}
	}
	g := c.Grad(0)
	mode := onnx.AttrString(c.Node, "mode", "constant")
	if mode == "constant" {
		if c.Needs(2) {
			return nil, fmt.Errorf("a gradient for the padding value is not supported")
		}
		for i := range pads {
			pads[i] = -pads[i]
		}
		return one(zeroPad(c, g, pads))
	}
	for a := range rank {
		before, after := pads[a], pads[rank+a]
		if before == 0 && after == 0 {
			continue
		}
		n := c.InDims(0)[a]
		if n < 0 {
			return nil, fmt.Errorf("it pads dimension %d, which varies from run to run", a)
		}
		src := make([]int64, 0, n+before+after)
		for j := -before; j < n+after; j++ {
			src = append(src, padSource(mode, j, n))
		}
		g = alongAxis(b, g, a, rank, gatherMatrix(c, src, n))
	}
	return one(g)
}

// padSource returns which of n elements position j ∈ [−before, n+after) of a padded axis shows.
func padSource(mode string, j, n int64) int64 {
	switch {
	case mode == "edge" || n == 1:
		return min(max(j, 0), n-1)
	case mode == "wrap":
		return ((j % n) + n) % n
	}
	period := 2 * (n - 1) // reflect, without repeating the border
	j = ((j % period) + period) % period
	return min(j, period-j)
}

// gatherMatrix returns the constant matrix M [len(src), n] with M[i, src[i]] = 1, so that Mᵀ adds
// elements up where they came from. An index of −1 leaves its row 0.
func gatherMatrix(c *Context, src []int64, n int64) onnx.Value {
	data := make([]float32, int64(len(src))*n)
	for i, s := range src {
		if s >= 0 {
			data[int64(i)*n+s] = 1
		}
	}
	v := onnx.Tensor(c.Builder, "places", []int64{int64(len(src)), n}, data)
	if dt := c.DType(); dt != onnx.Float {
		v = c.Builder.Cast(v, dt)
	}
	return v
}

// alongAxis multiplies g along axis a by the matrix m [size of a, n]: out[…,j,…] = Σᵢ
// g[…,i,…]·m[i,j].
func alongAxis(b *onnx.Builder, g onnx.Value, a, rank int, m onnx.Value) onnx.Value {
	switch a {
	case rank - 1:
		return b.MatMul(g, m)
	case rank - 2:
		return b.MatMul(b.Transpose(m, 1, 0), g)
	}
	perm := upTo(0, rank)
	perm[a], perm[rank-1] = perm[rank-1], perm[a]
	return b.Transpose(b.MatMul(b.Transpose(g, perm...), m), perm...)
}

// gatherDense is the largest size of a gathered axis for which the rule uses a matrix product;
// beyond it scatters.
const gatherDense = 1024

// y = x[…, indices, …] along an axis: ∂x adds every element of g to where it came from. With one
// constant index that is padding with zeros; with a small axis a product with the indicator matrix
// of the indices; otherwise a ScatterND that adds.
func gatherRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	rank := len(c.InDims(0))
	axis := int(axisOf(c, 0, rank))
	n := c.InDims(0)[axis]
	if n < 0 {
		return nil, fmt.Errorf("it picks from dimension %d, which varies from run to run", axis)
	}
	g := c.Grad(0)
	idims := c.InDims(1)
	if t := c.Const(1); t != nil && len(idims) == 0 {
		idx, err := onnx.Int64s(t)
		if err != nil {
			return nil, err
		}
		at := idx[0]
		if at < 0 {
			at += n
		}
		pads := make([]int64, 2*rank)
		pads[axis], pads[rank+axis] = at, n-1-at
		return one(zeroPad(c, b.Unsqueeze(g, int64(axis)), pads))
	}
	// Bring the indexed dimensions to the front and flatten them: g becomes [indices, rest].
	end := axis + len(idims)
	perm := slices.Concat(upTo(axis, end), upTo(0, axis), upTo(end, len(c.OutDims(0))))
	rest := slices.Delete(slices.Clone(c.InDims(0)), axis, axis+1)
	if !fixed(rest) {
		return gatherVarying(c, axis, n, rest, perm)
	}
	flatRest, err := onnx.Elements(rest)
	if err != nil {
		return nil, err
	}
	g = b.Reshape(b.Transpose(g, perm...), -1, max(flatRest, 1))
	idx := flatIndices(c, n)
	var d onnx.Value
	if n <= gatherDense {
		d = gemm(b, indicator(c, idx, n), g, true, false, 1) // [n, rest]
	} else {
		zeros := b.Expand(c.Scalar(0), b.Ints(n, flatRest))
		d = b.Op("ScatterND", []onnx.Value{zeros, b.Unsqueeze(idx, 1), g}, onnx.Str("reduction", "add"))
	}
	d = b.Reshape(d, append([]int64{n}, rest...)...)
	return one(moveFirst(b, d, axis, rank))
}

// gatherVarying is gatherRule's product with the indicator matrix where dimensions besides the axis
// vary from run to run.
func gatherVarying(c *Context, axis int, n int64, rest, perm []int64) ([]onnx.Value, error) {
	b := c.Builder
	if n > gatherDense {
		return nil, fmt.Errorf("dimensions besides the one it picks from vary from run to run")
	}
	g := b.Transpose(c.Grad(0), perm...)
	idx := flatIndices(c, n)
	// [indices, rest] by a shape made of the input's own.
	shape := b.Shape(c.In(0))
	keep := append(upTo(0, axis), upTo(axis+1, len(rest)+1)...)
	restShape := b.Gather(shape, b.Ints(keep...), 0)
	count := b.Reshape(b.Op("Size", []onnx.Value{idx}), 1)
	restSize := b.Reduce("ReduceProd", restShape, true)
	g = b.ReshapeTo(g, b.Concat(0, count, restSize))
	d := gemm(b, indicator(c, idx, n), g, true, false, 1)
	d = b.ReshapeTo(d, b.Concat(0, b.Ints(n), restShape))
	return one(moveFirst(b, d, axis, len(rest)+1))
}

// flatIndices returns input 1 as a vector of indices in [0, n).
func flatIndices(c *Context, n int64) onnx.Value {
	b := c.Builder
	idx := b.Reshape(c.In(1), -1)
	if c.InDType(1) != onnx.Int64 {
		idx = b.Cast(idx, onnx.Int64)
	}
	return b.Where(b.Less(idx, b.Int64(0)), b.Add(idx, b.Int64(n)), idx)
}

// indicator returns the matrix [len(idx), n] with a 1 in column idx[i] of row i.
func indicator(c *Context, idx onnx.Value, n int64) onnx.Value {
	b := c.Builder
	return b.Cast(b.Equal(b.Unsqueeze(idx, 1), b.Ints(upTo(0, int(n))...)), c.DType())
}

// moveFirst moves dimension 0 of v to place axis.
func moveFirst(b *onnx.Builder, v onnx.Value, axis, rank int) onnx.Value {
	if axis == 0 {
		return v
	}
	return b.Transpose(v, slices.Concat(upTo(1, axis+1), []int64{0}, upTo(axis+1, rank))...)
}
