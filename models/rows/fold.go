package rows

import (
	"math"
	"slices"

	"ucan/runtime/onnx"
)

// Folding computes small tensors of numbers whose elements are known as a·N + b: the
// arithmetic on extents that graphs do in front of Reshape, Slice, Expand and Resize.
// A result that is not known for every N becomes an unknown element.

// foldUnary folds an operation on each element.
func foldUnary(f func(a num) num) func(*call) *value {
	return func(c *call) *value {
		v := c.in[0]
		out := make([]num, len(v.elements))
		for i, e := range v.elements {
			if e = e.sane(v.dtype); e.ok {
				out[i] = f(e).sane(v.dtype)
			}
		}
		return vector(v.dims, out, v.dtype)
	}
}

// foldBinary folds an operation on two elements each, of the type result, or of that of
// the operands where it is Undefined. Tensors of more than one axis are folded where
// their shapes are equal.
func foldBinary(result onnx.DType, f func(a, b num, dt onnx.DType) num) func(*call) *value {
	return func(c *call) *value {
		if len(c.in) != 2 {
			return nil
		}
		a, b := c.in[0], c.in[1]
		dims := a.dims
		switch {
		case a.dtype != b.dtype:
			return nil
		case slices.Equal(a.dims, b.dims):
		case len(b.elements) == 1 && b.rank() <= a.rank():
		case len(a.elements) == 1 && a.rank() <= b.rank():
			dims = b.dims
		default:
			return nil
		}
		dt := result
		if dt == onnx.Undefined {
			dt = a.dtype
		}
		out := make([]num, max(len(a.elements), len(b.elements)))
		if len(a.elements) == 0 || len(b.elements) == 0 {
			out = nil
		}
		for i := range out {
			x, y := a.elements[i%len(a.elements)].sane(a.dtype), b.elements[i%len(b.elements)].sane(b.dtype)
			if x.ok && y.ok {
				out[i] = f(x, y, a.dtype).sane(dt)
			}
		}
		return vector(dims, out, dt)
	}
}

func add(a, b num, _ onnx.DType) num { return num{a.n + b.n, a.c + b.c, true} }
func sub(a, b num, _ onnx.DType) num { return num{a.n - b.n, a.c - b.c, true} }

func multiply(a, b num, _ onnx.DType) num {
	if a.n != 0 && b.n != 0 {
		return num{}
	}
	return num{a.n*b.c + b.n*a.c, a.c * b.c, true}
}

// divide truncates integers, as long as the truncation is the same for every N.
func divide(a, b num, dt onnx.DType) num {
	integer := dt == onnx.Int64 || dt == onnx.Int32
	switch {
	case a.n == 0 && b.n == 0 && b.c != 0 && integer:
		return plain(math.Trunc(a.c / b.c))
	case a.n == 0 && b.n == 0 && b.c != 0:
		return plain(a.c / b.c)
	case !integer:
	case b.n == 0 && b.c != 0 && math.Mod(a.n, b.c) == 0 && math.Mod(a.c, b.c) == 0:
		return num{a.n / b.c, a.c / b.c, true}
	case b.c == 0 && a.c == 0 && b.n != 0 && math.Mod(a.n, b.n) == 0:
		return plain(a.n / b.n)
	}
	return num{}
}

func modulo(a, b num, dt onnx.DType) num {
	if a.n != 0 || b.n != 0 || a.c < 0 || b.c <= 0 || dt == onnx.Float || dt == onnx.Double {
		return num{}
	}
	return plain(math.Mod(a.c, b.c))
}

func truth(b bool) num {
	if b {
		return plain(1)
	}
	return plain(0)
}

// sign compares a with b for every N ≥ 1: −1, 0 or 1 where the order is always the same.
func sign(a, b num) (int, bool) {
	d := num{a.n - b.n, a.c - b.c, true}
	switch {
	case d.n == 0 && d.c == 0:
		return 0, true
	case d.n >= 0 && d.n+d.c > 0:
		return 1, true
	case d.n <= 0 && d.n+d.c < 0:
		return -1, true
	}
	return 0, false
}

// compare folds a comparison by the sign of the difference.
func compare(f func(sign int) bool) func(*call) *value {
	return foldBinary(onnx.Bool, func(a, b num, _ onnx.DType) num {
		if s, ok := sign(a, b); ok {
			return truth(f(s))
		}
		return num{}
	})
}

// extreme folds Min (want −1) and Max (want 1) of two.
func extreme(want int) func(*call) *value {
	return foldBinary(onnx.Undefined, func(a, b num, _ onnx.DType) num {
		s, ok := sign(a, b)
		switch {
		case !ok:
			return num{}
		case s == want || s == 0:
			return a
		}
		return b
	})
}

// foldCast converts between types; fractions are cut off on the way to an integer.
func foldCast(c *call) *value {
	v, to := c.in[0], onnx.DType(c.attr("to", 0))
	switch to {
	case onnx.Int64, onnx.Int32, onnx.Float, onnx.Double, onnx.Bool:
	default:
		return nil
	}
	out := make([]num, len(v.elements))
	for i, e := range v.elements {
		switch e = e.sane(v.dtype); {
		case !e.ok:
		case to == onnx.Bool && e.n == 0:
			out[i] = truth(e.c != 0)
		case to == onnx.Bool:
			if s, ok := sign(e, plain(0)); ok {
				out[i] = truth(s != 0)
			}
		case to == onnx.Int64 || to == onnx.Int32:
			out[i] = num{e.n, math.Trunc(e.c), true}.sane(to)
		default:
			out[i] = e.sane(to)
		}
	}
	return vector(v.dims, out, to)
}

// foldWhere chooses element by element.
func foldWhere(c *call) *value {
	if len(c.in) != 3 {
		return nil
	}
	cond, a, b := c.in[0], c.in[1], c.in[2]
	if a.dtype != b.dtype {
		return nil
	}
	n := max(len(cond.elements), len(a.elements), len(b.elements))
	dims := cond.dims
	for _, v := range []*value{cond, a, b} {
		if len(v.elements) != n && len(v.elements) != 1 || v.rank() > 1 {
			return nil
		}
		if len(v.elements) == n && v.rank() >= len(dims) {
			dims = v.dims
		}
	}
	out := make([]num, n)
	for i := range out {
		x, y, z := cond.elements[i%len(cond.elements)], a.elements[i%len(a.elements)], b.elements[i%len(b.elements)]
		switch {
		case x.ok && x.n == 0 && x.c != 0:
			out[i] = y
		case x.ok && x.n == 0:
			out[i] = z
		case y == z:
			out[i] = y
		}
	}
	return vector(dims, out, a.dtype)
}

// foldConcat joins vectors.
func foldConcat(c *call) *value {
	var out []num
	for _, v := range c.in {
		if v == nil || v.rank() != 1 || v.dtype != c.in[0].dtype || len(out)+len(v.elements) > mostElements {
			return nil
		}
		out = append(out, v.elements...)
	}
	return vector([]dim{fixed(int64(len(out)))}, out, c.in[0].dtype)
}

// foldGather picks from a vector.
func foldGather(c *call) *value {
	if len(c.in) != 2 {
		return nil
	}
	v, at := c.in[0], c.in[1]
	if v.rank() != 1 {
		return nil
	}
	out := make([]num, len(at.elements))
	for i, e := range at.elements {
		if !e.ok || e.n != 0 {
			return nil
		}
		k := int64(e.c)
		if k < 0 {
			k += int64(len(v.elements))
		}
		if k < 0 || k >= int64(len(v.elements)) {
			return nil
		}
		out[i] = v.elements[k]
	}
	return vector(at.dims, out, v.dtype)
}

// foldSlice takes a range of a vector.
func foldSlice(c *call) *value {
	v := c.in[0]
	if v.rank() != 1 {
		return nil
	}
	var bounds [3]int64 // start, end, step
	bounds[2] = 1
	if c.opset < 10 && len(c.in) == 1 {
		starts, ends := onnx.AttrInts(c.n, "starts"), onnx.AttrInts(c.n, "ends")
		if len(starts) != 1 || len(ends) != 1 {
			return nil
		}
		bounds[0], bounds[1] = starts[0], ends[0]
	} else {
		for i, at := range []int{1, 2, 4} {
			w := c.input(at)
			if w == nil && at == 4 {
				continue
			}
			e, ok := w.scalar()
			if !ok || e.n != 0 {
				return nil
			}
			bounds[i] = int64(max(min(e.c, math.MaxInt32), -math.MaxInt32))
		}
	}
	size := int64(len(v.elements))
	start, end, step := bounds[0], bounds[1], bounds[2]
	if step < 1 {
		return nil
	}
	clamp := func(k int64) int64 {
		if k < 0 {
			k += size
		}
		return min(max(k, 0), size)
	}
	out := []num{}
	for k := clamp(start); k < clamp(end); k += step {
		out = append(out, v.elements[k])
	}
	return vector([]dim{fixed(int64(len(out)))}, out, v.dtype)
}

// foldReduce folds a reduction of all elements of a vector.
func foldReduce(f func(a, b num, dt onnx.DType) num) func(*call) *value {
	return func(c *call) *value {
		v := c.in[0]
		if v.rank() != 1 || len(v.elements) == 0 || c.attr("noop_with_empty_axes", 0) != 0 {
			return nil
		}
		total := v.elements[0].sane(v.dtype)
		for _, e := range v.elements[1:] {
			if e = e.sane(v.dtype); !e.ok || !total.ok {
				return nil
			}
			total = f(total, e, v.dtype).sane(v.dtype)
		}
		dims := []dim{fixed(1)}
		if c.attr("keepdims", 1) == 0 {
			dims = nil
		}
		return vector(dims, []num{total}, v.dtype)
	}
}

// foldRange lists small constant ranges.
func foldRange(c *call) *value {
	if len(c.in) != 3 {
		return nil
	}
	var b [3]float64
	for i := range b {
		e, ok := c.in[i].scalar()
		// Numbers that are not exact would not count on.
		if !ok || e.n != 0 || !e.sane(c.in[i].dtype).ok || c.in[i].dtype != onnx.Int64 && c.in[i].dtype != onnx.Int32 {
			return nil
		}
		b[i] = e.c
	}
	if b[2] == 0 || math.Ceil((b[1]-b[0])/b[2]) > mostElements {
		return nil
	}
	out := []num{}
	for i := b[0]; b[2] > 0 && i < b[1] || b[2] < 0 && i > b[1]; i += b[2] {
		out = append(out, plain(i))
	}
	return vector([]dim{fixed(int64(len(out)))}, out, c.in[0].dtype)
}
