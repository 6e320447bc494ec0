package autodiff

import (
	"fmt"

	"ucan/runtime/onnx"
)

// weightMethod is one way to compute ∂w of y = w ⋆ x from x and g = ∂y:
//
//	∂w[o,i,t] = Σₙ Σₚ g[n,o,p]·x̄[n,i,p·stride + t·dilation]
//
// with x̄ the padded input, o and i channels, t a position of the kernel, n a sample and p a
// position of y.
type weightMethod struct {
	name string
	// applies says where the formula holds, pays where it is to be preferred to those below it.
	applies, pays func(c *Context, v conv) bool
	make          func(c *Context, v conv, x, g onnx.Value) onnx.Value
}

// maxShifts is the largest number of kernel positions for which ∂w is a sum over shifted products.
const maxShifts = 64

// fewChannels is up to how many input channels stacking all shifts pays: those of pictures.
const fewChannels = 4

// weightMethods lists the methods; the first that applies and pays is taken. Times were measured on
// onnxruntime's CPU provider; a row without one is preferred for the reason given.
func weightMethods() []weightMethod {
	always := func(*Context, conv) bool { return true }
	oneGroup := func(_ *Context, v conv) bool { return v.group == 1 }
	return []weightMethod{
		// One product for all positions, and no slice.
		{"tiles", func(_ *Context, v conv) bool { return v.tiles() }, always, convWeightTiles},

		// One convolution, in place of a product for each of many positions.
		{"swapped", always, func(_ *Context, v conv) bool { return v.count() > maxShifts }, convWeightSwapped},

		// With few channels the shifts are little to copy, and their products apart would be thin.
		{"columns", oneGroup, func(c *Context, v conv) bool {
			return v.wd[1] <= fewChannels && v.count() > 1 && !c.kernelPays(v)
		}, convWeightColumns},

		// Forward and ∂w, batch 128, against groups: 0.75 of the time for 512 channels of 4×4, 0.85
		// for 256 of 4×4, 1.2 for 256 of 8×8.
		{"product", oneGroup, func(_ *Context, v conv) bool { return v.productPays() }, convWeightProduct},

		// As groups, where y has few channels and so would fill little of a block.
		{"exchanged groups", func(_ *Context, v conv) bool {
			return v.groups() && v.exchanges()
		}, func(c *Context, v conv) bool {
			return c.shared.groups && v.wd[0] < blockSize && groupsPay(c, v)
		}, convWeightExchanged},

		// Batch 128, against a channel for each row of x and a kernel of g stacked with itself for
		// the shifts by rows: 0.7–1 of the time, least for small pictures. That took 0.7 of one
		// product per column of the kernel with copies of x̄ (rows).
		{"groups", func(_ *Context, v conv) bool { return v.groups() }, groupsPay,
			func(c *Context, v conv, x, g onnx.Value) onnx.Value { return convWeightGroups(c.pass, v, x, g)[0] }},

		// Fewer copies and larger products than shifts.
		{"rows", func(_ *Context, v conv) bool {
			return v.group == 1 && len(v.kernel) == 2 && all(v.stride, 1)
		}, func(_ *Context, v conv) bool { return v.kernel[0] > 1 }, convWeightRows},

		// The general case.
		{"shifts", always, always, convWeightShifts},
	}
}

// groupsPay says where convolutions with a group for each sample pay.
func groupsPay(c *Context, v conv) bool { return c.groupedPays(v) || c.kernelPays(v) }

// weightMethodOf returns the method for ∂w of v.
func weightMethodOf(c *Context, v conv) (weightMethod, error) {
	if !fixed(v.xd[1:]) || !fixed(v.yd[1:]) {
		return weightMethod{}, fmt.Errorf("its channels or spatial sizes vary from run to run")
	}
	for _, m := range weightMethods() {
		if m.applies(c, v) && m.pays(c, v) {
			return m, nil
		}
	}
	return weightMethod{}, fmt.Errorf("no method computes the gradient by its weights")
}

// convWeight returns ∂w of y = w ⋆ x for g = ∂y.
func convWeight(c *Context, v conv, x, g onnx.Value) (onnx.Value, error) {
	m, err := weightMethodOf(c, v)
	if err != nil {
		return onnx.Value{}, err
	}
	return m.make(c, v, x, g), nil
}
