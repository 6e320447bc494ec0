package rows

import (
	"slices"

	"ucan/runtime/onnx"
)

// tabularRule: the classifiers and regressors of ai.onnx.ml on a table [N, features], a
// row each: labels [N] and scores [N, …].
func tabularRule(c *call) {
	x := c.in[0]
	if c.allConstant() {
		return
	}
	if x.kind != perRow || x.rank() != 2 || x.axis != 0 || !c.constants(1) {
		c.mix("its input is no table with a row of the batch each")
		return
	}
	n := x.dims[0]
	switch onnx.OperatorName(c.n) {
	case "ai.onnx.ml.TreeEnsembleClassifier", "ai.onnx.ml.LinearClassifier", "ai.onnx.ml.SVMClassifier":
		c.set(0, x.like([]dim{n}, 0))
		c.set(1, x.like([]dim{n, openDim}, 0))
	default:
		c.set(0, x.like([]dim{n, openDim}, 0))
	}
}

// featuresRule: each feature by itself; parameters stand in attributes, one for all or
// one a feature of the last axis.
func featuresRule(c *call) {
	x := c.in[0]
	if c.allConstant() {
		return
	}
	if x.kind != perRow || x.rank() != 2 || x.axis != 0 {
		c.mix("its input is no table with a row of the batch each")
		return
	}
	c.set(0, copied(x))
}

// arrayFeatureRule picks constant features of the last axis.
func arrayFeatureRule(c *call) {
	x := c.in[0]
	if c.allConstant() {
		return
	}
	if x.kind != perRow || x.rank() < 2 || x.axis == x.rank()-1 || !c.isConstant(1) {
		c.mix("it picks rows of the batch by their place")
		return
	}
	dims := slices.Clone(x.dims)
	dims[len(dims)-1] = openDim
	if at := c.in[1]; at.ranked {
		if total, ok := sizeKnown(at.dims); ok {
			dims[len(dims)-1] = fixed(total)
		}
	}
	c.set(0, x.like(dims, x.axis))
}

// featureVectorizerRule joins tables of rows along their features.
func featureVectorizerRule(c *call) {
	if c.allConstant() {
		return
	}
	r := c.in[0]
	for _, v := range c.in {
		if v == nil || v.kind != perRow || v.rank() != 2 || v.axis != 0 || !v.sameRows(r) {
			c.mix("its inputs are no tables with a row of the batch each")
			return
		}
	}
	c.set(0, r.like([]dim{r.dims[0], openDim}, 0))
}

// oneHotEncoderRule adds an axis of categories behind the others.
func oneHotEncoderRule(c *call) {
	x := c.in[0]
	if c.allConstant() {
		return
	}
	c.set(0, x.like(append(slices.Clone(x.dims), openDim), x.axis))
}
