package net

import (
	"math"

	"ucan/npg"
	"ucan/runtime/onnx"
)

// patternStart is the growth factor that a pattern begins with: the ratio of its largest scale to
// its smallest.
const patternStart = 2

// mostLog bounds the logarithms of a pattern's numbers, so that no product of them overflows.
const mostLog = 10

// pattern is the pattern-wise generator with trained numbers, in logarithms so that they stay
// positive:
//
//   - of pixels: s = ι + κ·‖(a, b)‖² on coordinates in [−1, 1] (UCAN, Eq. 12, ℓ2), the weights log
//     κ and log ι;
//   - of frequencies: s = ι·(1 + (κ − 1)·r^γ), r the frequency's norm over the largest, the weights
//     log κ, log ι and log γ.
//
// What leaves the bounds is clipped to them.
func (n *Net) pattern(b *onnx.Builder, x onnx.Value) onnx.Value {
	c := n.config
	most := b.Scalar(onnx.Float, mostLog)
	scalar := func(name string, v float64) onnx.Value {
		w := n.weight(b, "pattern.log_"+name, false, []float32{float32(math.Log(v))}, 1)
		return b.Exp(b.Clip(w, b.Neg(most), most))
	}
	height, width := c.Shape[1], c.Shape[2]
	var s onnx.Value
	if c.Basis == DCT {
		kappa, iota, gamma := scalar("kappa", patternStart), scalar("iota", c.Start), scalar("gamma", 1)
		power := b.Exp(b.Mul(n.grid(b, "log_r", logFrequency(height, width)), gamma))
		s = b.Mul(iota, b.Add(b.Mul(b.Sub(kappa, b.Scalar(onnx.Float, 1)), power), b.Scalar(onnx.Float, 1)))
	} else {
		kappa, iota := scalar("kappa", c.Start*(patternStart-1)/2), scalar("iota", c.Start)
		s = b.Add(b.Mul(kappa, n.grid(b, "square", squaredRadius(height, width))), iota)
	}
	if c.Hold != HoldNothing {
		s = n.rescaled(b, s)
	}
	return n.everywhere(b, n.within(b, s), x)
}

// rescaled divides a pattern by its mean and multiplies it by the start. Coordinates that are
// clipped afterwards move the mean a little.
func (n *Net) rescaled(b *onnx.Builder, s onnx.Value) onnx.Value {
	mean := b.Mean(s, true)
	if n.config.Hold == HoldLogMean {
		mean = b.Exp(b.Mean(b.Log(s), true))
	}
	return b.Mul(b.Div(s, mean), b.Scalar(onnx.Float, n.config.Start))
}

// grid is a constant [1, 1, H, W].
func (n *Net) grid(b *onnx.Builder, name string, values []float32) onnx.Value {
	return onnx.Tensor(b, name, []int64{1, 1, int64(n.config.Shape[1]), int64(n.config.Shape[2])}, values)
}

// squaredRadius is ‖(a, b)‖² of every pixel, rows and columns running over [−1, 1].
func squaredRadius(height, width int) []float32 {
	out := make([]float32, 0, height*width)
	for y := range height {
		for x := range width {
			a, b := npg.Coordinate(y, height, 1), npg.Coordinate(x, width, 1)
			out = append(out, float32(a*a+b*b))
		}
	}
	return out
}

// beyondExponent stands for log 0: its exponential is 0 in float32.
const beyondExponent = -1e4

// logFrequency is log r, r = ‖(u, v)‖/‖(u_max, v_max)‖.
func logFrequency(height, width int) []float32 {
	top := math.Hypot(float64(height-1), float64(width-1))
	out := make([]float32, 0, height*width)
	for u := range height {
		for v := range width {
			r := math.Hypot(float64(u), float64(v))
			if r == 0 {
				out = append(out, beyondExponent)
				continue
			}
			out = append(out, float32(math.Log(r/top)))
		}
	}
	return out
}
