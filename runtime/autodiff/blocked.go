package autodiff

import "ucan/runtime/onnx"

// onnxruntime's CPU provider computes convolutions with constant weights in a
// layout of blocks of channels, and converts to and from it wherever an
// operator between them does not know that layout. Comparisons and Where do
// not; convolutions, Mul and Add of equal shapes do. So a graph meant for that
// provider ([Options.CPU]) keeps the gradients of pictures in blocks: a mask
// is made by a convolution with unit weights, of one channel each, whose
// activation HardSigmoid turns every positive number into 1. Measured on
// ResNet-20 that takes a sixth off the input gradient.

// blockSize is the number of channels that fits every block size in use
// (8 and 16).
const blockSize = 16

// steep turns every positive normal number above 1e-30 into at least 1.
const steep = 1e30

// pictures reports whether values of the given dimensions can be blocked.
func (c *Context) pictures(dims []int64) bool {
	return c.cpu && len(dims) == 4 && dims[1] > 0 && dims[1]%blockSize == 0 && c.DType() == onnx.Float
}

// units returns the weights of the convolution that changes nothing, [C,1,1,1].
func (c *Context) units(channels int64) onnx.Value {
	return c.shared.units(c.Builder, channels)
}

// blocks marks v as a value that the provider will hold in blocks.
func (c *Context) blocks(v onnx.Value) onnx.Value {
	if c.cpu {
		c.shared.blocked[v.Name()] = true
	}
	return v
}

// inBlocks returns v, of the given channels, as a value held in blocks.
func (c *Context) inBlocks(v onnx.Value, channels int64) onnx.Value {
	if c.shared.blocked[v.Name()] {
		return v
	}
	return c.blocks(c.Builder.Op("Conv", []onnx.Value{v, c.units(channels)}, onnx.Int("group", channels), onnx.Ints("kernel_shape", 1, 1)))
}

// maskPositive returns g where y > 0 and 0 elsewhere, for y ≥ 0 of g's shape.
func (c *Context) maskPositive(g, y onnx.Value, dims []int64) onnx.Value {
	b := c.Builder
	if !c.pictures(dims) {
		return b.Where(b.Greater(y, c.Scalar(0)), g, c.Scalar(0))
	}
	m := b.Op("Conv", []onnx.Value{y, c.units(dims[1])}, onnx.Int("group", dims[1]), onnx.Ints("kernel_shape", 1, 1))
	m = b.Op("HardSigmoid", []onnx.Value{m}, onnx.FloatAttr("alpha", steep), onnx.FloatAttr("beta", 0))
	return c.blocks(b.Mul(c.inBlocks(g, dims[1]), m))
}

// shared is what the rules of one pass have in common.
type shared struct {
	blocked map[string]bool
	ones    map[int64]onnx.Value
}

func newShared() *shared {
	return &shared{blocked: make(map[string]bool), ones: make(map[int64]onnx.Value)}
}

func (s *shared) units(b *onnx.Builder, channels int64) onnx.Value {
	v, ok := s.ones[channels]
	if !ok {
		v = onnx.Tensor(b, "units", []int64{channels, 1, 1, 1}, repeat(channels, float32(1)))
		s.ones[channels] = v
	}
	return v
}
