package rows

import (
	"slices"
	"strings"

	"ucan/runtime/onnx"
)

// matMulRule: products of matrices, their leading axes broadcast. Rows may lie on a
// leading axis or on an axis that the product keeps, not on the one that it sums over.
func matMulRule(c *call) *value { return c.product(c.in[0], c.in[1], 2) }

// product multiplies a and b; the inputs from the given one on must be constant.
func (c *call) product(a, b *value, from int) *value {
	if !c.constants(from) {
		return nil
	}
	if !a.ranked || !b.ranked || a.rank() == 0 || b.rank() == 0 {
		return c.unknown("the shape of a constant is not known")
	}
	// A vector on the left is a matrix of one row, on the right one of one column.
	left, right := a, b
	if a.rank() == 1 {
		left = a.like([]dim{fixed(1), a.dims[0]}, 1)
	}
	if b.rank() == 1 {
		right = b.like([]dim{b.dims[0], fixed(1)}, 0)
	}
	la, lb := left.rank(), right.rank()
	if left.kind == perRow && left.axis == la-1 || right.kind == perRow && right.axis == lb-2 {
		return c.mix("it sums over the rows of the batch")
	}
	// In place of what the other operand contributes, each has extent 1: the product is
	// then a broadcast.
	x := left.like(slices.Concat(left.dims[:la-1], []dim{fixed(1)}), left.axis)
	y := right.like(slices.Concat(right.dims[:lb-2], []dim{fixed(1), right.dims[lb-1]}), right.axis)
	out := c.align(x, y)
	if out == nil {
		return nil
	}
	drop := make([]bool, out.rank())
	drop[out.rank()-2], drop[out.rank()-1] = a.rank() == 1, b.rank() == 1
	return without(out, drop, false)
}

// transposed swaps the axes of a matrix.
func transposed(v *value) *value {
	if v.rank() != 2 {
		return v
	}
	return v.like([]dim{v.dims[1], v.dims[0]}, 1-v.axis)
}

// gemmRule: alpha·A'B' + beta·C.
func gemmRule(c *call) *value {
	a, b := c.in[0], c.in[1]
	if c.attr("transA", 0) != 0 {
		a = transposed(a)
	}
	if c.attr("transB", 0) != 0 {
		b = transposed(b)
	}
	if a.ranked && b.ranked && (a.rank() != 2 || b.rank() != 2) {
		return c.mix("its operands are not matrices")
	}
	out := c.product(a, b, 3)
	if add := c.input(2); add != nil && out != nil {
		return c.align(out, add)
	}
	return out
}

// einsumRule: the rows' label must be the same in all operands that hold rows, be kept,
// and not stand in a constant.
func einsumRule(c *call) *value {
	equation := strings.ReplaceAll(onnx.AttrString(c.n, "equation", ""), " ", "")
	left, right, explicit := strings.Cut(equation, "->")
	terms := strings.Split(left, ",")
	if !explicit || len(terms) != len(c.in) || strings.Contains(equation, ".") {
		return c.mix("its equation %q is not covered", equation)
	}
	batch := byte(0)
	var r *value
	extents := map[byte]dim{}
	for i, term := range terms {
		v := c.in[i]
		if v == nil || !v.ranked || len(term) != v.rank() {
			return c.mix("its equation %q does not fit its operands", equation)
		}
		for j := range term {
			if d, ok := extents[term[j]]; !ok || d.one() || d.open && !v.dims[j].one() {
				extents[term[j]] = v.dims[j]
			}
		}
		if v.kind != perRow {
			continue
		}
		label := term[v.axis]
		if r != nil && (label != batch || !v.sameRows(r)) || strings.Count(term, string(label)) != 1 {
			return c.mix("rows of the batch meet on different labels of %q", equation)
		}
		batch, r = label, v
	}
	for i, term := range terms {
		if c.in[i].kind != perRow && strings.Contains(term, string(batch)) {
			return c.mix("a constant differs from row to row of the batch")
		}
	}
	if strings.Count(right, string(batch)) != 1 {
		return c.mix("it sums over the rows of the batch (%q)", equation)
	}
	dims := make([]dim, len(right))
	for i := range right {
		dims[i] = extents[right[i]]
	}
	return r.like(dims, strings.IndexByte(right, batch))
}

// detRule: of the last two axes.
func detRule(c *call) *value {
	v := c.in[0]
	if v.rank() < 3 || v.axis >= v.rank()-2 {
		return c.mix("it works along the axis that holds the rows of the batch")
	}
	return v.like(slices.Clone(v.dims[:v.rank()-2]), v.axis)
}
