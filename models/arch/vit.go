package arch

import (
	"fmt"
	"math"

	"ucan/runtime/onnx"
)

const (
	vitDim    = 128
	vitDepth  = 6
	vitHeads  = 4
	vitHidden = 2 * vitDim
	// vitPatches is the largest number of patches.
	vitPatches = 256
)

// vitPatch returns the edge of the patches: the smallest of 4, 8, 16 and 32
// pixels that cuts the image into at most vitPatches.
func vitPatch(h, w int64) (int64, error) {
	for _, p := range []int64{4, 8, 16, 32} {
		if (h/p)*(w/p) > vitPatches {
			continue
		}
		if h%p != 0 || w%p != 0 || h < 2*p || w < 2*p {
			return 0, fmt.Errorf("arch: vit-tiny cuts images of %d×%d pixels into patches of %d×%d; height and width must be multiples of %d, at least %d", h, w, p, p, p, 2*p)
		}
		return p, nil
	}
	return 0, fmt.Errorf("arch: vit-tiny takes at most %d patches of 32×32 pixels, which an image of %d×%d exceeds", vitPatches, h, w)
}

// vitTiny is a small vision transformer (Dosovitskiy et al. 2020): patches by
// a linear map, learned positions, 6 pre-norm blocks of attention with 4 heads
// and an MLP with GELU, all of width 128, a last LayerNormalization, the mean
// over the patches, dense. There is no class token.
func vitTiny(g *graph, x onnx.Value, c Config) (onnx.Value, error) {
	h, w := int64(c.Input[1]), int64(c.Input[2])
	p, err := vitPatch(h, w)
	if err != nil {
		return onnx.Value{}, err
	}
	b, channels, tokens := g.b, int64(c.Input[0]), (h/p)*(w/p)
	// [N, C, H/p, p, W/p, p] → [N, H/p·W/p, C·p·p]: a patch is a row.
	y := b.Transpose(b.Reshape(x, 0, channels, h/p, p, w/p, p), 0, 2, 4, 1, 3, 5)
	y = g.linear(b.Reshape(y, 0, tokens, channels*p*p), "patch", channels*p*p, vitDim, 1)
	y = b.Add(y, g.weight("position", false, g.normal("position", 0.02), 1, tokens, vitDim))
	for i := range vitDepth {
		y = g.transformer(y, fmt.Sprintf("block%d", i+1), tokens)
	}
	y = b.Mean(g.layerNorm(y, "norm"), false, 1)
	return g.dense(y, "dense", vitDim, int64(c.Classes), 1), nil
}

// transformer is one pre-norm block.
func (g *graph) transformer(x onnx.Value, name string, tokens int64) onnx.Value {
	b := g.b
	const head = vitDim / vitHeads
	y := g.layerNorm(x, name+".norm1")
	heads := func(part string, perm ...int64) onnx.Value {
		v := g.linear(y, name+"."+part, vitDim, vitDim, 1)
		return b.Transpose(b.Reshape(v, 0, tokens, vitHeads, head), perm...)
	}
	// The scale goes to the queries, which are fewer than the scores.
	q := b.Mul(heads("query", 0, 2, 1, 3), b.Scalar(onnx.Float, 1/math.Sqrt(head)))
	a := b.Softmax(b.MatMul(q, heads("key", 0, 2, 3, 1)), -1)
	a = b.MatMul(a, heads("value", 0, 2, 1, 3))
	a = b.Reshape(b.Transpose(a, 0, 2, 1, 3), 0, tokens, vitDim)
	x = b.Add(x, g.linear(a, name+".out", vitDim, vitDim, 1))
	y = g.linear(g.layerNorm(x, name+".norm2"), name+".hidden", vitDim, vitHidden, 1)
	return b.Add(x, g.linear(b.Gelu(y, onnx.Float), name+".mlp", vitHidden, vitDim, 1))
}

// linear returns x·w + bias over the last dimension of x [N, tokens, in].
func (g *graph) linear(x onnx.Value, name string, in, out int64, gain float64) onnx.Value {
	w := g.weight(name+".weight", true, g.kaiming(name+".weight", gain, in), in, out)
	return g.b.Add(g.b.MatMul(x, w), g.weight(name+".bias", false, constant(0), out))
}

// layerNorm normalises the last dimension.
func (g *graph) layerNorm(x onnx.Value, name string) onnx.Value {
	scale := g.weight(name+".scale", false, constant(1), vitDim)
	shift := g.weight(name+".shift", false, constant(0), vitDim)
	return g.b.LayerNorm(x, scale, shift, -1, epsilon)
}
