package autodiff

import (
	"fmt"
	"slices"

	"ucan/runtime/onnx"
)

// perChannel gives a vector [C] the form in which it broadcasts against [N, C, …] of the given
// rank.
func perChannel(b *onnx.Builder, v onnx.Value, rank int) onnx.Value {
	if rank <= 2 {
		return v
	}
	return b.Reshape(v, append([]int64{-1}, slices.Repeat([]int64{1}, rank-2)...)...)
}

// spatial returns the axes from 2 on.
func spatial(rank int) []int64 { return upTo(2, rank) }

// y = (x−m)/√(v+ε)·s + t with given statistics m, v: ∂x = g·s/√(v+ε), ∂s = Σ g(x−m)/√(v+ε), ∂t = Σ
// g, ∂m = −s/√(v+ε)·Σ g, ∂v = −½·s·(v+ε)^{−3/2}·Σ g(x−m).
func batchNormRule(c *Context) ([]onnx.Value, error) {
	if onnx.AttrInt(c.Node, "training_mode", 0) != 0 {
		return nil, fmt.Errorf("it is in training mode; build the batch statistics from ReduceMean to differentiate through them")
	}
	b := c.Builder
	g, rank := c.Grad(0), len(c.InDims(0))
	inv := b.Op("Reciprocal", []onnx.Value{b.Sqrt(b.Add(c.In(4), b.Scalar(c.InDType(4), c.Float("epsilon", 1e-5))))})
	out := make([]onnx.Value, 5)
	if c.Needs(0) {
		out[0] = b.Mul(g, perChannel(b, b.Mul(c.In(1), inv), rank))
	}
	var sum, dot onnx.Value // Σ g and Σ g(x−m), by channel
	if c.Needs(2) || c.Needs(3) {
		sum = sumChannels(c, g, rank)
	}
	if c.Needs(1) || c.Needs(4) {
		dot = sumChannels(c, b.Mul(g, b.Sub(c.In(0), perChannel(b, c.In(3), rank))), rank)
	}
	if c.Needs(1) {
		out[1] = b.Mul(dot, inv)
	}
	if c.Needs(2) {
		out[2] = sum
	}
	if c.Needs(3) {
		out[3] = b.Neg(b.Mul(sum, b.Mul(c.In(1), inv)))
	}
	if c.Needs(4) {
		cube := b.Mul(inv, b.Mul(inv, inv))
		out[4] = b.Mul(b.Mul(dot, c.Scalar(-0.5)), b.Mul(c.In(1), cube))
	}
	return out, nil
}

// normalised returns z = (x−mean)/√(var+ε) over axes and 1/√(var+ε).
func normalised(c *Context, x onnx.Value, eps float64, axes []int64) (z, inv onnx.Value) {
	b := c.Builder
	xc := b.Sub(x, b.Mean(x, true, axes...))
	variance := b.Mean(b.Mul(xc, xc), true, axes...)
	inv = b.Op("Reciprocal", []onnx.Value{b.Sqrt(b.Add(variance, c.Scalar(eps)))})
	return b.Mul(xc, inv), inv
}

// throughNorm returns ∂x of z = (x−mean)/√(var+ε) over axes for h = ∂z: (h − mean(h) −
// z·mean(h·z))/√(var+ε).
func throughNorm(b *onnx.Builder, h, z, inv onnx.Value, axes []int64) onnx.Value {
	d := b.Sub(h, b.Mean(h, true, axes...))
	d = b.Sub(d, b.Mul(z, b.Mean(b.Mul(h, z), true, axes...)))
	return b.Mul(d, inv)
}

// y = z·s + t, z = x normalised over the last axes: ∂x through z for g·s, ∂s = Σ g·z, ∂t = Σ g.
// Where the operator can return its statistics they are taken from there.
func layerNormRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	g, rank := c.Grad(0), len(c.InDims(0))
	axes := upTo(int(axisOf(c, -1, rank)), rank)
	var z, inv onnx.Value
	if c.DType() == onnx.Float && c.Needs(0) {
		mean := b.ExtraOutput(c.Out(0), 1)
		inv = b.ExtraOutput(c.Out(0), 2)
		z = b.Mul(b.Sub(c.In(0), mean), inv)
	} else {
		z, inv = normalised(c, c.In(0), c.Float("epsilon", 1e-5), axes)
	}
	out := make([]onnx.Value, 3)
	if c.Needs(0) {
		out[0] = throughNorm(b, b.Mul(g, c.In(1)), z, inv, axes)
	}
	if c.Needs(1) {
		out[1] = c.Reduce(b.Mul(g, z), c.OutDims(0), 1)
	}
	if c.Needs(2) {
		out[2] = c.Reduce(g, c.OutDims(0), 2)
	}
	return out, nil
}

// y = z·s + t by channel, z = x normalised over space for each sample and channel: as
// layerNormRule.
func instanceNormRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	g, rank := c.Grad(0), len(c.InDims(0))
	axes := spatial(rank)
	if len(axes) == 0 {
		return nil, fmt.Errorf("its input has no spatial dimensions")
	}
	z, inv := normalised(c, c.In(0), c.Float("epsilon", 1e-5), axes)
	out := make([]onnx.Value, 3)
	if c.Needs(0) {
		out[0] = throughNorm(b, b.Mul(g, perChannel(b, c.In(1), rank)), z, inv, axes)
	}
	if c.Needs(1) {
		out[1] = sumChannels(c, b.Mul(g, z), rank)
	}
	if c.Needs(2) {
		out[2] = sumChannels(c, g, rank)
	}
	return out, nil
}

// y = z·s + t, z = x normalised over each group of channels. Scale and shift are per channel from
// opset 21 on, per group before.
func groupNormRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	dims := c.InDims(0)
	rank := len(dims)
	groups := onnx.AttrInt(c.Node, "num_groups", 1)
	if rank < 3 || !fixed(dims[1:]) || groups < 1 || dims[1]%groups != 0 {
		return nil, fmt.Errorf("an input of dimensions %v in %d groups is not supported", dims, groups)
	}
	g := c.Grad(0)
	// In groups everything is [N, G, channels of a group, space].
	wide := []int64{-1, groups, dims[1] / groups, product(dims[2:])}
	axes := []int64{2, 3}
	z, inv := normalised(c, b.Reshape(c.In(0), wide...), c.Float("epsilon", 1e-5), axes)
	gw := b.Reshape(g, wide...)
	perGroup := c.InDims(1)[0] == groups
	form := []int64{groups, 1, 1}
	over := []int64{0, 2, 3}
	if !perGroup {
		form[1] = dims[1] / groups
		over = []int64{0, 3}
	}
	out := make([]onnx.Value, 3)
	if c.Needs(0) {
		h := b.Mul(gw, b.Reshape(c.In(1), form...))
		out[0] = c.LikeInput(throughNorm(b, h, z, inv, axes), 0)
	}
	if c.Needs(1) {
		out[1] = b.Reshape(b.Sum(b.Mul(gw, z), false, over...), -1)
	}
	if c.Needs(2) {
		out[2] = b.Reshape(b.Sum(gw, false, over...), -1)
	}
	return out, nil
}

// y = x·D^{−β}, D = k + α/n·Σ x² over a window of n channels: ∂x = g·D^{−β} − 2αβ/n·x·Σ′ g·y/D, Σ′
// over the channels whose window holds this one.
func lrnRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	dims := c.InDims(0)
	if len(dims) != 4 {
		return nil, fmt.Errorf("an input of %d dimensions is not supported", len(dims))
	}
	size := onnx.AttrInt(c.Node, "size", 1)
	alpha, beta := c.Float("alpha", 0.0001), c.Float("beta", 0.75)
	g, x := c.Grad(0), c.In(0)
	before := (size - 1) / 2
	after := size - 1 - before
	// A mean over neighbouring channels is an average pooling of [N, 1, C, space].
	channels := func(v onnx.Value, before, after int64) onnx.Value {
		v = b.Reshape(v, 0, 1, dims[1], -1)
		v = b.Op("AveragePool", []onnx.Value{v}, onnx.Ints("kernel_shape", size, 1),
			onnx.Ints("pads", before, 0, after, 0), onnx.Int("count_include_pad", 1))
		return c.LikeInput(v, 0)
	}
	if dims[1] < 0 {
		return nil, fmt.Errorf("its channels vary from run to run")
	}
	d := b.Add(b.Mul(channels(b.Mul(x, x), before, after), c.Scalar(alpha)), c.Scalar(c.Float("bias", 1)))
	direct := b.Mul(g, b.Pow(d, c.Scalar(-beta)))
	back := channels(b.Mul(g, b.Div(c.Out(0), d)), after, before)
	return one(b.Sub(direct, b.Mul(b.Mul(x, back), c.Scalar(2*alpha*beta))))
}
