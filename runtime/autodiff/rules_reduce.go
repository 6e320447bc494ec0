package autodiff

import (
	"slices"

	"ucan/runtime/onnx"
)

// reduction describes what a Reduce node does.
type reduction struct {
	axes []int64 // not negative, sorted; empty when nothing is reduced
	keep bool
	n    int64 // elements per result, −1 when that varies
}

func reductionOf(c *Context) (reduction, error) {
	dims := c.InDims(0)
	axes, given, err := c.ConstInts(1, "axes")
	if err != nil {
		return reduction{}, err
	}
	r := reduction{keep: onnx.AttrInt(c.Node, "keepdims", 1) != 0, n: 1}
	if !given || len(axes) == 0 {
		if onnx.AttrInt(c.Node, "noop_with_empty_axes", 0) != 0 {
			return r, nil
		}
		axes = upTo(0, len(dims))
	}
	for _, a := range axes {
		if a < 0 {
			a += int64(len(dims))
		}
		r.axes = append(r.axes, a)
		if r.n < 0 || dims[a] < 0 {
			r.n = -1
		} else {
			r.n *= dims[a]
		}
	}
	slices.Sort(r.axes)
	return r, nil
}

// widen gives a value of the reduction's output shape back the dimensions it dropped, as 1, so that
// it broadcasts against the input.
func (r reduction) widen(b *onnx.Builder, v onnx.Value) onnx.Value {
	if r.keep || len(r.axes) == 0 {
		return v
	}
	return b.Unsqueeze(v, r.axes...)
}

// reduceRule wraps f, which makes the gradient from g and y, both widened; what it returns is
// broadcast to the input's shape.
func reduceRule(c *Context, f func(r reduction, g, y onnx.Value) onnx.Value) ([]onnx.Value, error) {
	r, err := reductionOf(c)
	if err != nil {
		return nil, err
	}
	b := c.Builder
	return one(f(r, r.widen(b, c.Grad(0)), r.widen(b, c.Out(0))))
}

// y = Σx: ∂x = g.
func reduceSumRule(c *Context) ([]onnx.Value, error) {
	return reduceRule(c, func(_ reduction, g, _ onnx.Value) onnx.Value { return c.BroadcastLike(g, 0) })
}

// y = Σx/n: ∂x = g/n.
func reduceMeanRule(c *Context) ([]onnx.Value, error) {
	return reduceRule(c, func(r reduction, g, _ onnx.Value) onnx.Value {
		return c.BroadcastLike(perElement(c, g, r.n), 0)
	})
}

// perElement divides g by the number of input elements per output element: n, or a quotient of
// sizes where that varies.
func perElement(c *Context, g onnx.Value, n int64) onnx.Value {
	b := c.Builder
	if n > 0 {
		return b.Mul(g, c.Scalar(1/float64(n)))
	}
	in := b.Cast(b.Op("Size", []onnx.Value{c.In(0)}), c.DType())
	out := b.Cast(b.Op("Size", []onnx.Value{c.Out(0)}), c.DType())
	return b.Mul(g, b.Div(out, in))
}

// y = max x or min x: ∂x = g where x = y, shared evenly among equals.
func reduceExtremeRule(c *Context) ([]onnx.Value, error) {
	return reduceRule(c, func(r reduction, g, y onnx.Value) onnx.Value {
		b := c.Builder
		mask := b.Cast(b.Equal(c.In(0), y), c.DType())
		if len(r.axes) == 0 {
			return b.Mul(g, mask)
		}
		return b.Mul(mask, b.Div(g, b.Sum(mask, true, r.axes...)))
	})
}

// y = Σ|x|: ∂x = g·sign x.
func reduceL1Rule(c *Context) ([]onnx.Value, error) {
	return reduceRule(c, func(_ reduction, g, _ onnx.Value) onnx.Value {
		return c.Builder.Mul(g, c.Builder.Sign(c.In(0)))
	})
}

// y = √Σx²: ∂x = g·x/y, 0 where y = 0.
func reduceL2Rule(c *Context) ([]onnx.Value, error) {
	return reduceRule(c, func(_ reduction, g, y onnx.Value) onnx.Value {
		b := c.Builder
		safe := b.Where(b.Greater(y, c.Scalar(0)), y, c.Scalar(1))
		return b.Mul(c.In(0), b.Div(g, safe))
	})
}

// y = Σx²: ∂x = 2gx.
func reduceSumSquareRule(c *Context) ([]onnx.Value, error) {
	return reduceRule(c, func(_ reduction, g, _ onnx.Value) onnx.Value {
		return c.Builder.Mul(c.In(0), c.Builder.Mul(g, c.Scalar(2)))
	})
}

// y = ln Σx: ∂x = g·e⁻ʸ.
func reduceLogSumRule(c *Context) ([]onnx.Value, error) {
	return reduceRule(c, func(_ reduction, g, y onnx.Value) onnx.Value {
		b := c.Builder
		return c.BroadcastLike(b.Mul(g, b.Exp(b.Neg(y))), 0)
	})
}

// y = ln Σeˣ: ∂x = g·eˣ⁻ʸ.
func reduceLogSumExpRule(c *Context) ([]onnx.Value, error) {
	return reduceRule(c, func(_ reduction, g, y onnx.Value) onnx.Value {
		b := c.Builder
		return b.Mul(g, b.Exp(b.Sub(c.In(0), y)))
	})
}
