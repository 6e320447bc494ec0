package arch

import (
	"slices"

	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
)

// BatchNormalization in training. Let y = w ⋆ x be the convolution before it,
// m and v the batch's mean and variance of y by channel. Written plainly that
// reads the whole of y for m, again for v, and again to centre it. Here
//
//   - m is the mean over space of w ⋆ x̄, x̄ the mean image of the batch, since
//     a convolution is linear: 1/N of its cost;
//   - the convolution gets −m as its bias and returns z = y − m;
//   - v = mean(z²), which is never negative and loses no digits where |m| is
//     large beside √v;
//   - BatchNormalization with mean 0 and variance v does the rest.
//
// Differentiating all that operator by operator is correct and slow; [Rules]
// has the closed form.

// batchMean returns the mean [C] of w ⋆ x over batch and space.
func (g *graph) batchMean(x, w onnx.Value, win onnx.Window, channels int64) onnx.Value {
	b := g.b
	m := b.Conv(b.Mean(x, true, 0), w, onnx.Value{}, win)
	return b.Reshape(b.GlobalAveragePool(m), channels)
}

// stopped marks what [Rules] lets no gradient through: a sum of one term.
func stopped(b *onnx.Builder, v onnx.Value) onnx.Value { return b.Op("Sum", []onnx.Value{v}) }

// batchNorm normalises z [N, C, H, W], of mean 0 by channel, to variance 1,
// scales and shifts it.
func (g *graph) batchNorm(z, scale, shift onnx.Value, channels int64) onnx.Value {
	b := g.b
	v := b.Mean(b.Mul(z, z), false, 0, 2, 3)
	g.vars = append(g.vars, v)
	zero := onnx.Tensor(b, "zeros", []int64{channels}, make([]float32, channels))
	return b.BatchNorm(z, scale, shift, zero, v, epsilon)
}

// Rules returns the rules for autodiff.Options that make gradients of training
// graphs of this package cheap. Without them the gradients are the same, to
// rounding, and take longer. They hold for these graphs only: they take every
// BatchNormalization for one by the statistics of its own batch.
func (n *Network) Rules() map[string]autodiff.Rule {
	if len(n.stats) == 0 {
		return nil
	}
	return map[string]autodiff.Rule{"BatchNormalization": batchNormRule, "Sum": nil}
}

// batchNormRule differentiates y = ẑ·s + t, ẑ = z/√(v+ε), through v and the
// centring of z too (Ioffe, Szegedy 2015, §3), over k values a channel:
//
//	∂t = Σ g,  ∂s = Σ g·ẑ,  ∂z = s/√(v+ε)·(g − ∂t/k − ẑ·∂s/k)
//
// ∂z sums to 0 over each channel, so that nothing is left for the mean. It is
// a·g + (b·z + c) with a, b, c by channel, written as convolutions of one
// channel each, which onnxruntime runs in one pass each and fuses with the
// addition.
func batchNormRule(c *autodiff.Context) ([]onnx.Value, error) {
	b, g, z := c.Builder, c.Grad(0), c.In(0)
	dims := c.InDims(0)
	inv := b.Op("Reciprocal", []onnx.Value{b.Sqrt(b.Add(c.In(4), c.Scalar(c.Float("epsilon", epsilon))))})
	shift := b.Sum(g, false, 0, 2, 3)
	scale := b.Mul(b.Sum(b.Mul(g, z), false, 0, 2, 3), inv)
	out := []onnx.Value{{}, scale, shift}
	if !c.Needs(0) {
		return out, nil
	}
	var perValue onnx.Value // 1/k
	if n, err := onnx.Elements(dims); err == nil && !slices.Contains(dims, -1) {
		perValue = c.Scalar(float64(dims[1]) / float64(n))
	} else {
		size := b.Cast(b.Op("Size", []onnx.Value{z}), c.DType())
		perValue = b.Div(c.Scalar(float64(dims[1])), size)
	}
	factor := b.Mul(c.In(1), inv)
	mean := b.Mul(factor, perValue)
	slope := b.Neg(b.Mul(mean, b.Mul(scale, inv)))
	offset := b.Neg(b.Mul(mean, shift))
	out[0] = b.Add(affine(b, z, slope, offset, dims[1]), affine(b, g, factor, onnx.Value{}, dims[1]))
	return out, nil
}

// affine returns x·factor + offset by channel, for x [N, C, H, W] and vectors
// [C]; offset may be zero.
func affine(b *onnx.Builder, x, factor, offset onnx.Value, channels int64) onnx.Value {
	return b.Conv(x, b.Reshape(factor, channels, 1, 1, 1), offset, onnx.Window{Kernel: []int64{1, 1}, Group: channels})
}
