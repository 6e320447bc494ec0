package rows

import (
	"slices"

	"ucan/runtime/onnx"
)

// fusedMatMulRule: MatMul with transposed operands and a factor.
func fusedMatMulRule(c *call) *value {
	a, b := c.in[0], c.in[1]
	swap := func(v *value, on int64) *value {
		if on == 0 || v.rank() < 2 {
			return v
		}
		dims, axis := slices.Clone(v.dims), v.axis
		k := len(dims)
		dims[k-1], dims[k-2] = dims[k-2], dims[k-1]
		switch axis {
		case k - 1:
			axis = k - 2
		case k - 2:
			axis = k - 1
		}
		return v.like(dims, axis)
	}
	if c.attr("transBatchA", 0) != 0 || c.attr("transBatchB", 0) != 0 {
		return c.mix("its transposed batches are not covered")
	}
	return c.product(swap(a, c.attr("transA", 0)), swap(b, c.attr("transB", 0)), 2)
}

// fusedConvRule: Conv, an addition of the same shape, and an activation.
func fusedConvRule(c *call) *value {
	if z := c.input(3); z != nil {
		return c.mix("its addition is not covered")
	}
	return convRule(c)
}

// skipNormRule: a layer normalisation of input + skip (+ bias) over the last axis.
func skipNormRule(c *call) *value {
	last := 4
	if c.n.GetOpType() == "SkipSimplifiedLayerNormalization" {
		last = 3
	}
	for i := 2; i <= last; i++ {
		if !c.isConstant(i) {
			return nil
		}
	}
	sum := c.align(c.in[0], c.in[1])
	if sum == nil || !sum.ranked {
		return sum
	}
	if sum.kind == perRow && (sum.axis == sum.rank()-1 || c.in[0].kind == perRow && !slices.Equal(sum.dims, c.in[0].dims)) {
		return c.mix("it normalises over the axis that holds the rows of the batch")
	}
	reduced := slices.Clone(sum.dims)
	reduced[len(reduced)-1] = fixed(1)
	c.set(1, sum.like(reduced, sum.axis))
	c.set(2, sum.like(reduced, sum.axis))
	c.set(3, sum)
	return sum
}

// packedAttentionRule: attention over each sequence of [batch, sequence, …] by itself,
// with constant weights.
func packedAttentionRule(c *call) *value {
	x := c.in[0]
	for i := 3; i < len(c.in); i++ {
		if c.in[i] != nil {
			return c.mix("its masks and pasts are not covered")
		}
	}
	if x.kind != perRow || x.rank() != 3 || !c.firstAxis(x) || !c.constants(1) {
		return c.mix("its input is not a batch of sequences")
	}
	width := openDim
	if len(onnx.AttrInts(c.n, "qkv_hidden_sizes")) == 0 && c.in[1].ranked && c.in[1].rank() == 2 && c.in[1].dims[1].known() {
		width = fixed(c.in[1].dims[1].c / 3)
	}
	return x.like([]dim{x.dims[0], x.dims[1], width}, 0)
}

// multiHeadAttentionRule: queries, keys and values of [batch, sequence, …], each of its
// own row.
func multiHeadAttentionRule(c *call) *value {
	for i, v := range c.in {
		switch {
		case v == nil:
		case i > 3:
			return c.mix("its masks and pasts are not covered")
		case i == 3:
			if !c.isConstant(3) {
				return nil
			}
		case v.kind != perRow || v.rank() != 3 || v.axis != 0 || !v.sameRows(c.in[0]):
			return c.mix("its queries, keys and values are not all batches of sequences")
		}
	}
	q, v := c.in[0], c.input(2)
	if v == nil || len(c.in) < 3 || c.in[1] == nil {
		return c.mix("its packed operands are not covered")
	}
	return q.like([]dim{q.dims[0], q.dims[1], v.dims[2]}, 0)
}

// attentionRule is the standard attention: queries, keys and values of 3 or 4 axes, each
// of its own row, and a constant mask that is the same for all rows.
func attentionRule(c *call) *value {
	q := c.in[0]
	for i, v := range c.in {
		switch {
		case v == nil:
		case i > 3:
			return c.mix("its pasts are not covered")
		case i == 3:
			if v.kind != constant || !v.ranked || v.rank() > 4 || v.rank() == 4 && !v.dims[0].one() {
				return c.mix("its mask differs from row to row of the batch")
			}
		case v.kind != perRow || v.axis != 0 || v.rank() != q.rank() || !v.sameRows(q):
			return c.mix("its queries, keys and values are not all rows of the batch")
		}
	}
	if len(c.in) < 3 || c.in[2] == nil || q.rank() != 3 && q.rank() != 4 {
		return c.mix("its operands are not covered")
	}
	dims := slices.Clone(q.dims)
	dims[len(dims)-1] = openDim
	if q.rank() == 4 {
		dims[3] = c.in[2].dims[3]
	}
	return q.like(dims, 0)
}

// embedLayerNormRule: ids of [batch, sequence] pick from constant tables, and the sum is
// normalised over its last axis.
func embedLayerNormRule(c *call) *value {
	ids := c.in[0]
	segment := c.input(1)
	if ids.kind != perRow || ids.rank() != 2 || ids.axis != 0 ||
		segment != nil && (segment.kind != perRow || segment.rank() != 2 || segment.axis != 0 || !segment.sameRows(ids)) || !c.constants(2) {
		return c.mix("its ids are not rows of the batch")
	}
	if c.input(7) != nil || c.input(8) != nil {
		return c.mix("its mask and positions are not covered")
	}
	return ids.like([]dim{ids.dims[0], ids.dims[1], openDim}, 0)
}

// qLinearBinaryRule: an operation element by element on a and b with constant scales and
// zero points: a, scale, zero, b, scale, zero, scale, zero.
func qLinearBinaryRule(c *call) *value {
	if !c.singles(1, 2, 4, 5, 6, 7) {
		return nil
	}
	return c.align(c.in[0], c.in[3])
}

// qLinearUnaryRule: x, and scales and zero points, one each for all of it.
func qLinearUnaryRule(c *call) *value {
	if !c.singles(1, 2, 3, 4) {
		return nil
	}
	return copied(c.in[0])
}

// qLinearGlobalPoolRule: as globalPoolRule, channels first.
func qLinearGlobalPoolRule(c *call) *value {
	if c.attr("channels_last", 0) != 0 {
		return c.mix("its channels stand last, which is not covered")
	}
	if !c.singles(1, 2, 3, 4) {
		return nil
	}
	return globalPoolRule(c)
}
