package rows

import (
	"slices"

	"ucan/runtime/onnx"
)

// tabularRule: the classifiers and regressors of ai.onnx.ml on a table [N, features], a
// row each: labels [N] and scores [N, …].
func tabularRule(c *call) *value {
	x := c.in[0]
	if x.kind != perRow || x.rank() != 2 || x.axis != 0 || !c.constants(1) {
		return c.mix("its input is not a table with one row for each row of the batch")
	}
	n := x.dims[0]
	switch onnx.OperatorName(c.n) {
	case "ai.onnx.ml.TreeEnsembleClassifier", "ai.onnx.ml.LinearClassifier", "ai.onnx.ml.SVMClassifier":
		c.set(1, x.like([]dim{n, openDim}, 0))
		return x.like([]dim{n}, 0)
	}
	return x.like([]dim{n, openDim}, 0)
}

// featuresRule: each feature by itself; parameters stand in attributes, one for all or
// one a feature of the last axis.
func featuresRule(c *call) *value {
	x := c.in[0]
	if x.kind != perRow || x.rank() != 2 || x.axis != 0 {
		return c.mix("its input is not a table with one row for each row of the batch")
	}
	return copied(x)
}

// arrayFeatureRule picks constant features of the last axis, or with the indices of rows entries of
// a constant table.
func arrayFeatureRule(c *call) *value {
	x := c.in[0]
	if x.kind == constant && c.in[1].kind == perRow {
		return c.entries(x, c.in[1])
	}
	if x.kind != perRow || x.rank() < 2 || x.axis == x.rank()-1 || !c.isConstant(1) {
		return c.mix("it picks rows of the batch by their place")
	}
	dims := slices.Clone(x.dims)
	dims[len(dims)-1] = openDim
	if at := c.in[1]; at.ranked {
		if total, ok := sizeKnown(at.dims); ok {
			dims[len(dims)-1] = fixed(total)
		}
	}
	return x.like(dims, x.axis)
}

// entries picks from the last axis of a table by all indices in row-major order: Y[l, m] = X[l,
// I[m]]. What index m picks belongs to the row that m belongs to. A vector is a table of one line.
func (c *call) entries(table, at *value) *value {
	if !table.ranked || table.rank() == 0 {
		return c.unknown("the shape of a constant is not known")
	}
	total, ok := size(at.dims)
	if !ok {
		return c.unknown("the number of indices is not known")
	}
	flat := c.reshaped(at, []dim{total})
	if flat == nil || flat.kind != perRow {
		return flat
	}
	lines := slices.Clone(table.dims[:table.rank()-1])
	if len(lines) == 0 {
		lines = []dim{fixed(1)}
	}
	return flat.like(append(lines, total), len(lines))
}

// featureVectorizerRule joins tables of rows along their features.
func featureVectorizerRule(c *call) *value {
	r := c.in[0]
	for _, v := range c.in {
		if v == nil || v.kind != perRow || v.rank() != 2 || v.axis != 0 || !v.sameRows(r) {
			return c.mix("its inputs are not tables with one row for each row of the batch")
		}
	}
	return r.like([]dim{r.dims[0], openDim}, 0)
}

// oneHotEncoderRule adds an axis of categories behind the others.
func oneHotEncoderRule(c *call) *value {
	x := c.in[0]
	return x.like(append(slices.Clone(x.dims), openDim), x.axis)
}
