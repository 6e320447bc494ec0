package autodiff

import (
	"math"

	"ucan/runtime/onnx"
)

// In the formulas, g is the gradient of the output y, and every gradient is summed down to its
// input's shape where the input was broadcast.

// binary applies f to the inputs that need a gradient and undoes broadcasting.
func binary(c *Context, f func(i int) onnx.Value) ([]onnx.Value, error) {
	out := make([]onnx.Value, c.Inputs())
	for i := range out {
		if c.Needs(i) {
			out[i] = c.Reduce(f(i), c.OutDims(0), i)
		}
	}
	return out, nil
}

// y = a + b: ∂a = g, ∂b = g.
func addRule(c *Context) ([]onnx.Value, error) {
	return binary(c, func(int) onnx.Value { return c.Grad(0) })
}

// y = a − b: ∂a = g, ∂b = −g.
func subRule(c *Context) ([]onnx.Value, error) {
	out, err := binary(c, func(int) onnx.Value { return c.Grad(0) })
	if err == nil && c.Needs(1) {
		out[1] = c.Builder.Neg(out[1]) // after the sum: fewer elements
	}
	return out, err
}

// y = a·b: ∂a = g·b, ∂b = g·a.
func mulRule(c *Context) ([]onnx.Value, error) {
	return binary(c, func(i int) onnx.Value { return c.Builder.Mul(c.Grad(0), c.In(1-i)) })
}

// y = a/b: ∂a = g/b, ∂b = −g·y/b.
func divRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	return binary(c, func(i int) onnx.Value {
		q := b.Div(c.Grad(0), c.In(1))
		if i == 0 {
			return q
		}
		return b.Neg(b.Mul(q, c.Out(0)))
	})
}

// y = −x: ∂x = −g.
func negRule(c *Context) ([]onnx.Value, error) { return one(c.Builder.Neg(c.Grad(0))) }

// y = |x|: ∂x = g·sign(x), 0 at 0.
func absRule(c *Context) ([]onnx.Value, error) {
	return one(c.Builder.Mul(c.Grad(0), c.Builder.Sign(c.In(0))))
}

// y = aᵇ: ∂a = g·b·aᵇ⁻¹, ∂b = g·y·ln a where a > 0 and 0 elsewhere.
func powRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	g, x, p := c.Grad(0), c.In(0), c.In(1)
	dt := c.InDType(0)
	if c.InDType(1) != dt {
		p = b.Cast(p, dt)
	}
	out := make([]onnx.Value, 2)
	if c.Needs(0) {
		var d onnx.Value
		if v, ok := constScalar(c, 1); ok && v == 2 {
			d = b.Mul(g, b.Mul(x, c.Scalar(2))) // by far the most frequent
		} else {
			one := c.Scalar(1)
			d = b.Mul(g, b.Mul(p, b.Pow(x, b.Sub(p, one))))
		}
		out[0] = c.Reduce(d, c.OutDims(0), 0)
	}
	if c.Needs(1) {
		zero := c.Scalar(0)
		positive := b.Greater(x, zero)
		ln := b.Log(b.Where(positive, x, c.Scalar(1)))
		out[1] = c.Reduce(b.Mul(g, b.Mul(c.Out(0), ln)), c.OutDims(0), 1)
	}
	return out, nil
}

// constScalar returns the value of a constant input of one element.
func constScalar(c *Context, i int) (float64, bool) {
	t := c.Const(i)
	if t == nil {
		return 0, false
	}
	if n, err := onnx.Elements(t.GetDims()); err != nil || n != 1 {
		return 0, false
	}
	v, err := onnx.Float64s(t)
	if err != nil {
		return 0, false
	}
	return v[0], true
}

// y = √x: ∂x = g/(2y).
func sqrtRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	return one(b.Div(b.Mul(c.Grad(0), c.Scalar(0.5)), c.Out(0)))
}

// y = 1/x: ∂x = −g·y².
func reciprocalRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	return one(b.Neg(b.Mul(c.Grad(0), b.Mul(c.Out(0), c.Out(0)))))
}

// y = eˣ: ∂x = g·y.
func expRule(c *Context) ([]onnx.Value, error) { return one(c.Builder.Mul(c.Grad(0), c.Out(0))) }

// y = ln x: ∂x = g/x.
func logRule(c *Context) ([]onnx.Value, error) { return one(c.Builder.Div(c.Grad(0), c.In(0))) }

// y = erf x: ∂x = g·2/√π·exp(−x²).
func erfRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	x := c.In(0)
	e := b.Exp(b.Neg(b.Mul(x, x)))
	return one(b.Mul(c.Grad(0), b.Mul(e, c.Scalar(1.1283791670955126))))
}

// y = sin x: ∂x = g·cos x. onnxruntime has no cosine of float64 on the CPU; there sin(x + π/2)
// takes its place.
func sinRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	if c.DType() == onnx.Double {
		return one(b.Mul(c.Grad(0), b.Op("Sin", []onnx.Value{b.Add(c.In(0), c.Scalar(math.Pi/2))})))
	}
	return one(b.Mul(c.Grad(0), b.Op("Cos", []onnx.Value{c.In(0)})))
}

// y = cos x: ∂x = −g·sin x.
func cosRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	return one(b.Neg(b.Mul(c.Grad(0), b.Op("Sin", []onnx.Value{c.In(0)}))))
}

// y = Σᵢ xᵢ: ∂xᵢ = g.
func sumRule(c *Context) ([]onnx.Value, error) { return addRule(c) }

// y = Σᵢ xᵢ/n: ∂xᵢ = g/n.
func meanRule(c *Context) ([]onnx.Value, error) {
	g := c.Builder.Mul(c.Grad(0), c.Scalar(1/float64(c.Inputs())))
	return binary(c, func(int) onnx.Value { return g })
}

// y = max(x₁, …) or min: ∂xᵢ = g where xᵢ = y, shared evenly among equals.
func extremeRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	if c.Inputs() == 1 {
		return one(c.Grad(0))
	}
	masks := make([]onnx.Value, c.Inputs())
	for i := range masks {
		masks[i] = b.Cast(b.Equal(c.In(i), c.Out(0)), c.DType())
	}
	g := b.Div(c.Grad(0), b.Op("Sum", masks))
	return binary(c, func(i int) onnx.Value { return b.Mul(g, masks[i]) })
}

// y = a where cond, b elsewhere: ∂a = g where cond, ∂b = g elsewhere.
func whereRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	zero := c.Scalar(0)
	return binary(c, func(i int) onnx.Value {
		if i == 1 {
			return b.Where(c.In(0), c.Grad(0), zero)
		}
		return b.Where(c.In(0), zero, c.Grad(0))
	})
}

// y = min(max(x, lo), hi): ∂x = g where lo < x < hi, ∂lo = Σ g where x < lo, ∂hi = Σ g where x >
// hi; lo ≤ hi is taken for granted.
func clipRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	g, x, zero := c.Grad(0), c.In(0), c.Scalar(0)
	out := make([]onnx.Value, c.Inputs())
	if c.Needs(0) {
		d := g
		if c.Has(1) {
			d = b.Where(b.Greater(x, c.In(1)), d, zero)
		}
		if c.Has(2) {
			d = b.Where(b.Less(x, c.In(2)), d, zero)
		}
		out[0] = d
	}
	if c.Needs(1) {
		out[1] = c.Reduce(b.Where(b.Less(x, c.In(1)), g, zero), c.OutDims(0), 1)
	}
	if c.Needs(2) {
		out[2] = c.Reduce(b.Where(b.Greater(x, c.In(2)), g, zero), c.OutDims(0), 2)
	}
	return out, nil
}
