package autodiff

import (
	"math"

	"ucan/runtime/onnx"
)

// y = max(x, 0): ∂x = g where y > 0. The output serves as the mask, so that the input need not be
// kept (and Conv and Relu may be fused).
func reluRule(c *Context) ([]onnx.Value, error) {
	if c.shared.masked[c.Node.Output[0]] {
		return one(c.Grad(0))
	}
	return one(c.maskPositive(c.Grad(0), c.Out(0), c.OutDims(0)))
}

// y = x where x > 0, αx elsewhere: ∂x = g or αg. With α > 0 the output has the sign of the input.
func leakyReluRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	alpha := c.Float("alpha", 0.01)
	if alpha > 0 {
		return one(c.maskLeaky(c.Grad(0), c.Out(0), c.OutDims(0), alpha))
	}
	slope := b.Where(b.Greater(c.In(0), c.Scalar(0)), c.Scalar(1), c.Scalar(alpha))
	return one(b.Mul(c.Grad(0), slope))
}

// y = x where x > 0, a·x elsewhere: ∂x = g or a·g, ∂a = Σ g·x where x ≤ 0.
func preluRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	g, x, zero := c.Grad(0), c.In(0), c.Scalar(0)
	positive := b.Greater(x, zero)
	out := make([]onnx.Value, 2)
	if c.Needs(0) {
		out[0] = b.Where(positive, g, b.Mul(g, c.In(1)))
	}
	if c.Needs(1) {
		out[1] = c.Reduce(b.Where(positive, zero, b.Mul(g, x)), c.OutDims(0), 1)
	}
	return out, nil
}

// y = x where x > α, 0 elsewhere: ∂x = g where x > α.
func thresholdedReluRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	return one(b.Where(b.Greater(c.In(0), c.Scalar(c.Float("alpha", 1))), c.Grad(0), c.Scalar(0)))
}

// y = x where x > 0, α(eˣ−1) elsewhere: ∂x = g or g(y+α).
func eluRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	slope := b.Add(c.Out(0), c.Scalar(c.Float("alpha", 1)))
	return one(b.Mul(c.Grad(0), b.Where(b.Greater(c.In(0), c.Scalar(0)), c.Scalar(1), slope)))
}

// y = γx where x > 0, γα(eˣ−1) elsewhere: ∂x = γg or g(y+γα).
func seluRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	alpha, gamma := c.Float("alpha", 1.67326319217681884765625), c.Float("gamma", 1.05070102214813232421875)
	slope := b.Add(c.Out(0), c.Scalar(gamma*alpha))
	return one(b.Mul(c.Grad(0), b.Where(b.Greater(c.In(0), c.Scalar(0)), c.Scalar(gamma), slope)))
}

// y = max(0,x) + min(0, α(e^{x/α}−1)): ∂x = g where x > 0, g·e^{x/α} elsewhere.
func celuRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	x, zero := c.In(0), c.Scalar(0)
	low := b.Op("Min", []onnx.Value{x, zero}) // no overflow where it is not used
	slope := b.Exp(b.Mul(low, c.Scalar(1/c.Float("alpha", 1))))
	return one(b.Mul(c.Grad(0), slope))
}

// y = x·Φ(x): ∂x = g(Φ(x) + x·φ(x)). With approximate="tanh", y = x/2·(1+tanh u), u = √(2/π)(x +
// 0.044715x³): ∂x = g/2·(1 + t + x(1−t²)u′), t = tanh u.
func geluRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	x := c.In(0)
	half := c.Scalar(0.5)
	one_ := c.Scalar(1)
	sq := b.Mul(x, x)
	if onnx.AttrString(c.Node, "approximate", "none") == "tanh" {
		k := math.Sqrt(2 / math.Pi)
		u := b.Mul(x, b.Add(b.Mul(sq, c.Scalar(0.044715*k)), c.Scalar(k)))
		t := b.Tanh(u)
		du := b.Add(b.Mul(sq, c.Scalar(3*0.044715*k)), c.Scalar(k))
		curve := b.Mul(b.Mul(x, du), b.Sub(one_, b.Mul(t, t)))
		return one(b.Mul(b.Mul(c.Grad(0), half), b.Add(b.Add(t, one_), curve)))
	}
	phi := b.Mul(b.Exp(b.Mul(sq, c.Scalar(-0.5))), c.Scalar(1/math.Sqrt(2*math.Pi)))
	cdf := b.Mul(b.Add(b.Erf(b.Mul(x, c.Scalar(math.Sqrt2/2))), one_), half)
	return one(b.Mul(c.Grad(0), b.Add(cdf, b.Mul(x, phi))))
}

// y = x·min(max(x/6 + ½, 0), 1): ∂x = 0 for x ≤ −3, g for x ≥ 3, and g(x/3 + ½) between.
func hardSwishRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	x := c.In(0)
	mid := b.Add(b.Mul(x, c.Scalar(1.0/3)), c.Scalar(0.5))
	slope := b.Where(b.Greater(x, c.Scalar(-3)), mid, c.Scalar(0))
	slope = b.Where(b.Less(x, c.Scalar(3)), slope, c.Scalar(1))
	return one(b.Mul(c.Grad(0), slope))
}

// y = min(max(αx + β, 0), 1): ∂x = αg where 0 < y < 1.
func hardSigmoidRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	y := c.Out(0)
	d := b.Where(b.Greater(y, c.Scalar(0)), b.Mul(c.Grad(0), c.Scalar(c.Float("alpha", 0.2))), c.Scalar(0))
	return one(b.Where(b.Less(y, c.Scalar(1)), d, c.Scalar(0)))
}

// y = 1/(1+e⁻ˣ): ∂x = g·y(1−y).
func sigmoidRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	y := c.Out(0)
	return one(b.Mul(c.Grad(0), b.Mul(y, b.Sub(c.Scalar(1), y))))
}

// y = tanh x: ∂x = g(1−y²).
func tanhRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	y := c.Out(0)
	return one(b.Mul(c.Grad(0), b.Sub(c.Scalar(1), b.Mul(y, y))))
}

// y = ln(1+eˣ): ∂x = g/(1+e⁻ˣ).
func softplusRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	return one(b.Mul(c.Grad(0), b.Sigmoid(c.In(0))))
}

// y = x/(1+|x|): ∂x = g/(1+|x|)².
func softsignRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	d := b.Add(b.Abs(c.In(0)), c.Scalar(1))
	return one(b.Div(c.Grad(0), b.Mul(d, d)))
}

// y = softmax(x) along an axis: ∂x = y(g − Σ g·y).
func softmaxRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	y := c.Out(0)
	gy := b.Mul(c.Grad(0), y)
	return one(b.Sub(gy, b.Mul(y, b.Sum(gy, true, softmaxAxis(c)))))
}

// y = log softmax(x) along an axis: ∂x = g − eʸ·Σ g.
func logSoftmaxRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	g := c.Grad(0)
	return one(b.Sub(g, b.Mul(b.Exp(c.Out(0)), b.Sum(g, true, softmaxAxis(c)))))
}

// softmaxAxis is the axis by the rules of opset 13; older graphs have been converted.
func softmaxAxis(c *Context) int64 { return onnx.AttrInt(c.Node, "axis", -1) }
