package rows

import "slices"

// quantiseRule: QuantizeLinear and DequantizeLinear with constant scales, one for all or
// one an index of an axis that does not hold the rows.
func quantiseRule(c *call) *value {
	x := c.in[0]
	if !c.constants(1) {
		return nil
	}
	if x.kind == perRow {
		scale := c.in[1]
		if c.attr("block_size", 0) != 0 || !scale.ranked || scale.rank() > 1 {
			return c.mix("its scales for blocks are not covered")
		}
		if scale.rank() == 1 && !scale.dims[0].one() {
			if a, ok := c.axis(c.attr("axis", 1), x.rank()); !ok || !c.apart(x, a) {
				return nil
			}
		}
	}
	return copied(x)
}

// single says that a constant is known to hold one element, or is left out.
func (c *call) single(i int) bool {
	v := c.input(i)
	if v == nil {
		return true
	}
	if total, ok := sizeKnown(v.dims); !v.ranked || !ok || total != 1 || v.kind != constant {
		c.mix("input %d is not one constant for all rows", i)
		return false
	}
	return true
}

// singles says so of several inputs.
func (c *call) singles(list ...int) bool {
	return !slices.ContainsFunc(list, func(i int) bool { return !c.single(i) })
}

// qLinearConvRule: x, its scale and zero point, w, … as convRule.
func qLinearConvRule(c *call) *value {
	if !c.singles(1, 2) {
		return nil
	}
	return c.conv(c.in[0], c.in[3], 1)
}

// convIntegerRule: x, w, and their zero points.
func convIntegerRule(c *call) *value {
	if !c.singles(2) {
		return nil
	}
	return c.conv(c.in[0], c.in[1], 1)
}

// qLinearMatMulRule: a and b with scales and zero points, one each for all of a tensor.
func qLinearMatMulRule(c *call) *value {
	if !c.singles(1, 2, 6, 7) || !c.isConstant(4) || !c.isConstant(5) {
		return nil
	}
	return c.quantisedProduct(c.in[0], c.in[3], 4, 5)
}

// matMulIntegerRule: a and b with zero points.
func matMulIntegerRule(c *call) *value {
	if !c.singles(2) {
		return nil
	}
	return c.quantisedProduct(c.in[0], c.in[1], 3)
}

// quantisedProduct multiplies a and b, whose parameters per column stand at the given
// inputs: b must then be constant.
func (c *call) quantisedProduct(a, b *value, columns ...int) *value {
	if b.kind != constant && !c.singles(columns...) || slices.ContainsFunc(columns, func(i int) bool { return !c.isConstant(i) }) {
		return nil
	}
	return c.product(a, b, len(c.in))
}
