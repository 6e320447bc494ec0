package rows

import "ucan/runtime/onnx"

// elementwiseRule: each element of the output is made of the elements at the same place
// of the inputs, after broadcasting.
func elementwiseRule(c *call) { c.set(0, c.align(c.present()...)) }

// unaryRule: each element is made of one element of the first input; the other inputs
// are parameters that hold for all elements.
func unaryRule(c *call) {
	if c.constants(1) {
		c.set(0, copied(c.in[0]))
	}
}

// identityRule hands the tensor on as it is.
func identityRule(c *call) { c.set(0, c.in[0]) }

// castLikeRule takes only the type of the second input.
func castLikeRule(c *call) { c.set(0, copied(c.in[0])) }

// dropoutRule: the identity and a mask of ones, unless in training mode.
func dropoutRule(c *call) {
	if c.opset < 7 {
		c.mix("operator set %d is older than the rules", c.opset)
		return
	}
	if mode := c.input(2); mode != nil {
		if v, ok := mode.scalar(); !ok || v.n != 0 || v.c != 0 {
			c.mix("it is, or may be, in training mode")
			return
		}
	}
	c.set(0, copied(c.in[0]))
	c.set(1, copied(c.in[0]))
}

// constantRule: the same tensor always.
func constantRule(c *call) {
	t, err := onnx.ConstantValue(c.n)
	if err != nil { // strings, or sparse
		c.set(0, unknownConstant(nil, false))
		return
	}
	c.set(0, constantOf(t))
}

// constantOnlyRule: a deterministic operator whose output on rows is not followed, since
// its extents depend on the data, or its elements on all rows.
func constantOnlyRule(c *call) {
	if !c.allConstant() {
		c.mix("its result is made of all rows of the batch together")
	}
}

// quantisedWholeRule names why dynamic quantisation mixes.
func quantisedWholeRule(c *call) {
	if !c.allConstant() {
		c.mix("its quantisation scale is computed from the whole batch")
	}
}
