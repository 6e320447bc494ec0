package autodiff

import (
	"slices"

	"ucan/runtime/onnx"
)

// gemm adds αAB with optional transpositions.
func gemm(b *onnx.Builder, x, y onnx.Value, transA, transB bool, alpha float32) onnx.Value {
	var attrs []onnx.Attr
	if transA {
		attrs = append(attrs, onnx.Int("transA", 1))
	}
	if transB {
		attrs = append(attrs, onnx.Int("transB", 1))
	}
	if alpha != 1 {
		attrs = append(attrs, onnx.FloatAttr("alpha", alpha))
	}
	return b.Op("Gemm", []onnx.Value{x, y}, attrs...)
}

// y = αA′B′ + βC, A′ = A or Aᵀ, B′ = B or Bᵀ: ∂A = αgB′ᵀ or αB′gᵀ, ∂B = αA′ᵀg or αgᵀA′, ∂C = βg.
func gemmRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	g := c.Grad(0)
	alpha := onnx.AttrFloat(c.Node, "alpha", 1)
	ta := onnx.AttrInt(c.Node, "transA", 0) != 0
	tb := onnx.AttrInt(c.Node, "transB", 0) != 0
	out := make([]onnx.Value, 3)
	if c.Needs(0) {
		if ta {
			out[0] = gemm(b, c.In(1), g, tb, true, alpha)
		} else {
			out[0] = gemm(b, g, c.In(1), false, !tb, alpha)
		}
	}
	if c.Needs(1) {
		if tb {
			out[1] = gemm(b, g, c.In(0), true, ta, alpha)
		} else {
			out[1] = gemm(b, c.In(0), g, !ta, false, alpha)
		}
	}
	if c.Needs(2) {
		d := c.Reduce(g, c.OutDims(0), 2)
		if beta := c.Float("beta", 1); beta != 1 {
			d = b.Mul(d, c.Scalar(beta))
		}
		out[2] = d
	}
	return out, nil
}

// y = AB over the last two dimensions, the others broadcast: ∂A = gBᵀ, ∂B = Aᵀg. A vector counts as
// a row on the left and as a column on the right.
func matMulRule(c *Context) ([]onnx.Value, error) {
	b := c.Builder
	g, x, y := c.Grad(0), c.In(0), c.In(1)
	gd, xd, yd := slices.Clone(c.OutDims(0)), slices.Clone(c.InDims(0)), slices.Clone(c.InDims(1))
	if len(yd) == 1 {
		yd = append(yd, 1)
		y = b.Unsqueeze(y, 1)
		gd = append(gd, 1)
		g = b.Unsqueeze(g, -1)
	}
	if len(xd) == 1 {
		xd = append([]int64{1}, xd...)
		x = b.Unsqueeze(x, 0)
		gd = slices.Insert(gd, len(gd)-1, 1)
		g = b.Unsqueeze(g, -2)
	}
	out := make([]onnx.Value, 2)
	if c.Needs(0) {
		d := b.MatMul(g, transposeLast(b, y, len(yd)))
		dd := append(slices.Clone(gd[:len(gd)-1]), yd[len(yd)-2])
		out[0] = c.shaped(reduceTo(b, d, dd, xd), 0, len(xd))
	}
	if c.Needs(1) {
		var d onnx.Value
		if len(yd) == 2 && len(xd) > 2 {
			// One product over all leading dimensions at once, not a batch of products that are
			// then added.
			k, n := xd[len(xd)-1], gd[len(gd)-1]
			if k > 0 && n > 0 {
				d = gemm(b, b.Reshape(x, -1, k), b.Reshape(g, -1, n), true, false, 1)
			}
		}
		if d.IsZero() {
			d = b.MatMul(transposeLast(b, x, len(xd)), g)
			dd := slices.Clone(gd)
			dd[len(dd)-2] = xd[len(xd)-1]
			d = reduceTo(b, d, dd, yd)
		}
		out[1] = c.shaped(d, 1, len(yd))
	}
	return out, nil
}

// shaped gives d, of rank have, the shape of input i if that has another rank.
func (c *Context) shaped(d onnx.Value, i, have int) onnx.Value {
	if len(c.InDims(i)) == have {
		return d
	}
	return c.LikeInput(d, i)
}

// transposeLast swaps the last two of rank dimensions.
func transposeLast(b *onnx.Builder, v onnx.Value, rank int) onnx.Value {
	perm := upTo(0, rank)
	perm[rank-1], perm[rank-2] = perm[rank-2], perm[rank-1]
	return b.Transpose(v, perm...)
}
