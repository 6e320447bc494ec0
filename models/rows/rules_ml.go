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

// arrayFeatureRule picks constant features of the last axis.
func arrayFeatureRule(c *call) *value {
	x := c.in[0]
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
