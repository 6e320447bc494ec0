package autodiff

import (
	"fmt"
	"slices"

	"ucan/runtime/onnx"
)

// Reshape, Flatten, Squeeze, Unsqueeze: the gradient takes the input's shape.
func reshapeRule(c *Context) ([]onnx.Value, error) { return one(c.LikeInput(c.Grad(0), 0)) }

// Identity: ∂x = g.
func identityRule(c *Context) ([]onnx.Value, error) { return one(c.Grad(0)) }

// Cast between real types: ∂x = g, cast back. (A cast to integers passes no gradient and never
// comes here.)
func castRule(c *Context) ([]onnx.Value, error) {
	return one(c.Builder.Cast(c.Grad(0), c.InDType(0)))
}

// Dropout in inference is the identity.
func dropoutRule(c *Context) ([]onnx.Value, error) {
	if c.Has(2) {
		t := c.Const(2)
		if t == nil {
			return nil, fmt.Errorf("whether it is in training mode is not a constant")
		}
		if v, err := onnx.Int64s(t); err != nil || len(v) != 1 || v[0] != 0 {
			return nil, fmt.Errorf("it is in training mode, which draws random numbers")
		}
	}
	return one(c.Grad(0))
}

// y = x with its dimensions permuted: ∂x = g with the inverse permutation.
func transposeRule(c *Context) ([]onnx.Value, error) {
	rank := len(c.InDims(0))
	perm := onnx.AttrInts(c.Node, "perm")
	inverse := make([]int64, rank)
	for i := range inverse {
		inverse[i] = int64(rank - 1 - i) // without perm all are reversed
	}
	if len(perm) > 0 {
		for i, p := range perm {
			inverse[p] = int64(i)
		}
	}
	return one(c.Builder.Transpose(c.Grad(0), inverse...))
}

// axisOf returns attribute axis, counted from the front.
func axisOf(c *Context, def int64, rank int) int64 {
	a := onnx.AttrInt(c.Node, "axis", def)
	if a < 0 {
		a += int64(rank)
	}
	return a
}

// y = [x₁ x₂ …] along an axis: ∂xᵢ = the part of g that xᵢ took.
func concatRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	axis := axisOf(c, 0, len(c.OutDims(0)))
	out := make([]onnx.Value, c.Inputs())
	at := int64(0)
	for i := range out {
		size := c.InDims(i)[axis]
		if size < 0 {
			return concatVarying(c, axis)
		}
		if c.Needs(i) {
			out[i] = c.Grad(0)
			if c.Inputs() > 1 {
				out[i] = b.Slice(c.Grad(0), []int64{at}, []int64{at + size}, []int64{axis}, nil)
			}
		}
		at += size
	}
	return out, nil
}

// concatVarying splits g where the sizes along the axis vary from run to run.
func concatVarying(c *Context, axis int64) ([]onnx.Value, error) {
	b := c.Builder
	sizes := make([]onnx.Value, c.Inputs())
	for i := range sizes {
		sizes[i] = b.Slice(b.Shape(c.In(i)), []int64{axis}, []int64{axis + 1}, []int64{0}, nil)
	}
	return b.OpN("Split", len(sizes), []onnx.Value{c.Grad(0), b.Concat(0, sizes...)}, onnx.Int("axis", axis)), nil
}

// [y₁ y₂ …] = x along an axis: ∂x = the gradients joined, 0 for an output that no loss depends on.
func splitRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	parts := make([]onnx.Value, len(c.Node.GetOutput()))
	for i := range parts {
		if parts[i] = c.Grad(i); parts[i].IsZero() {
			parts[i] = b.Mul(c.Out(i), c.Scalar(0))
		}
	}
	return one(b.Concat(axisOf(c, 0, len(c.InDims(0))), parts...))
}

// y = x broadcast: ∂x = g summed down.
func expandRule(c *Context) ([]onnx.Value, error) {
	return one(c.Reduce(c.Grad(0), c.OutDims(0), 0))
}

// y = x repeated: ∂x = the sum of g over the repetitions.
func tileRule(c *Context) ([]onnx.Value, error) {
	repeats, _, err := c.ConstInts(1, "")
	if err != nil {
		return nil, err
	}
	b := c.Builder
	var shape, axes []int64
	vary := 0
	for i, d := range c.InDims(0) {
		if repeats[i] != 1 {
			axes = append(axes, int64(len(shape)))
			shape = append(shape, repeats[i])
		}
		if d < 0 {
			vary++
		}
		shape = append(shape, d)
	}
	if vary > 1 || slices.Contains(shape, 0) {
		return nil, fmt.Errorf("several of its dimensions vary from run to run")
	}
	if len(axes) == 0 {
		return one(c.Grad(0))
	}
	return one(b.Sum(b.Reshape(c.Grad(0), shape...), false, axes...))
}

// y = x with blocks of channels moved into space: the inverse moves g back.
func depthToSpaceRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	size := onnx.AttrInt(c.Node, "blocksize", 1)
	d := c.InDims(0)
	if onnx.AttrString(c.Node, "mode", "DCR") == "DCR" {
		return one(b.Op("SpaceToDepth", []onnx.Value{c.Grad(0)}, onnx.Int("blocksize", size)))
	}
	if !fixed(d[1:]) {
		return nil, fmt.Errorf("its channels or spatial dimensions vary from run to run")
	}
	g := b.Reshape(c.Grad(0), -1, d[1]/(size*size), d[2], size, d[3], size)
	return one(c.LikeInput(b.Transpose(g, 0, 1, 3, 5, 2, 4), 0))
}

// y = x with blocks of space moved into channels: the inverse moves g back.
func spaceToDepthRule(c *Context) ([]onnx.Value, error) {
	size := onnx.AttrInt(c.Node, "blocksize", 1)
	return one(c.Builder.Op("DepthToSpace", []onnx.Value{c.Grad(0)}, onnx.Int("blocksize", size), onnx.Str("mode", "DCR")))
}
