package rows

import "ucan/runtime/onnx"

// elementwiseRule: each element of the output is made of the elements at the same place
// of the inputs, after broadcasting.
func elementwiseRule(c *call) *value { return c.align(c.present()...) }

// unaryRule: each element is made of one element of the first input; the other inputs
// are parameters that hold for all elements.
func unaryRule(c *call) *value {
	if !c.constants(1) {
		return nil
	}
	return copied(c.in[0])
}

// identityRule hands the tensor on as it is.
func identityRule(c *call) *value { return c.in[0] }

// castLikeRule takes only the type of the second input.
func castLikeRule(c *call) *value { return copied(c.in[0]) }

// dropoutRule: the identity and a mask of ones, unless in training mode.
func dropoutRule(c *call) *value {
	if c.opset < 7 {
		return c.mix("operator set %d is older than the rules", c.opset)
	}
	if mode := c.input(2); mode != nil {
		if v, ok := mode.scalar(); !ok || v.n != 0 || v.c != 0 {
			return c.mix("it is, or may be, in training mode")
		}
	}
	c.set(1, copied(c.in[0]))
	return copied(c.in[0])
}

// constantRule: the same tensor always.
func constantRule(c *call) *value {
	t, err := onnx.ConstantValue(c.n)
	if err != nil { // strings, or sparse
		return unknownConstant(nil, false)
	}
	return constantOf(t)
}

// constantOnlyRule: a deterministic operator whose output on rows is not followed, since
// its extents depend on the data, or its elements on all rows.
func constantOnlyRule(c *call) *value {
	return c.mix("its result is made of all rows of the batch together")
}

// quantisedWholeRule names why dynamic quantisation mixes.
func quantisedWholeRule(c *call) *value {
	return c.mix("its quantisation scale is computed from the whole batch")
}
