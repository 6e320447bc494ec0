package net

import (
	"math"

	"ucan/npg"
	"ucan/runtime/onnx"
)

// newtonSteps are taken for the shift that holds a mean. Six bring log of the mean within 1e-4 of
// the target unless nearly every coordinate is at a bound.
const newtonSteps = 6

// leastSlope bounds the mean of 1 − tanh² from below in a Newton step, so that it stays finite
// where all coordinates are at a bound.
const leastSlope = 0.05

// startBias is the z at which the head yields Start.
func (n *Net) startBias() float32 {
	c := n.config
	return float32(math.Atanh(2*math.Log(c.Start/c.Floor)/math.Log(c.Ceiling/c.Floor) - 1))
}

// head maps the last layer's values z [·, shape…] to the scale.
func (n *Net) head(b *onnx.Builder, z onnx.Value) onnx.Value {
	b = b.Scope("head")
	if n.config.Hold != HoldNothing {
		z = b.Add(z, n.shift(b, z))
	}
	return n.within(b, b.Exp(n.logScale(b, b.Tanh(z))))
}

// logScale is log s for the hyperbolic tangent of z.
func (n *Net) logScale(b *onnx.Builder, tanh onnx.Value) onnx.Value {
	low, high := math.Log(n.config.Floor), math.Log(n.config.Ceiling)
	return b.Add(b.Mul(tanh, b.Scalar(onnx.Float, (high-low)/2)), b.Scalar(onnx.Float, (high+low)/2))
}

// within clips to the bounds what rounding, or a pattern, takes beyond them.
func (n *Net) within(b *onnx.Builder, s onnx.Value) onnx.Value {
	low, high := npg.Limits{Floor: n.config.Floor, Ceiling: n.config.Ceiling}.Float32()
	return b.Clip(s, b.Scalar(onnx.Float, float64(low)), b.Scalar(onnx.Float, float64(high)))
}

// shift returns t [·, 1, …] such that the held mean of s at z + t is Start, by Newton's method from
// t = 0.
//
// With T = tanh(z + t), log s = a + h·T and ∂log s/∂t = h(1 − T²). For the logarithm of the
// geometric mean the derivative is the mean of that; for the logarithm of the arithmetic mean it is
// Σ s·h(1 − T²)/Σ s.
func (n *Net) shift(b *onnx.Builder, z onnx.Value) onnx.Value {
	c := n.config
	axes := make([]int64, len(c.Shape))
	for i := range axes {
		axes[i] = int64(i + 1)
	}
	mean := func(v onnx.Value) onnx.Value { return b.Mean(v, true, axes...) }
	one, least := b.Scalar(onnx.Float, 1), b.Scalar(onnx.Float, leastSlope)
	half := b.Scalar(onnx.Float, math.Log(c.Ceiling/c.Floor)/2)
	target := b.Scalar(onnx.Float, math.Log(c.Start))
	var t onnx.Value
	for range newtonSteps {
		at := z
		if !t.IsZero() {
			at = b.Add(z, t)
		}
		T := b.Tanh(at)
		u := n.logScale(b, T)
		flat := b.Sub(one, b.Mul(T, T))
		var value, derivative onnx.Value
		if c.Hold == HoldMean {
			s := b.Exp(u)
			total := mean(s)
			value, derivative = b.Log(total), b.Div(mean(b.Mul(s, flat)), total)
		} else {
			value, derivative = mean(u), mean(flat)
		}
		step := b.Div(b.Sub(target, value), b.Mul(half, b.Clip(derivative, least, onnx.Value{})))
		if t.IsZero() {
			t = step
		} else {
			t = b.Add(t, step)
		}
	}
	return t
}
