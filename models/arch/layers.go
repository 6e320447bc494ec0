package arch

import (
	"math"

	"ucan/runtime/onnx"
)

// Layers adds layers with trainable weights to a network that another package builds ([Build]). In
// a training graph they have their initial weights, in an export those that were trained.
type Layers struct {
	// Builder adds everything that has no weights.
	*onnx.Builder
	g *graph
}

// Build makes a network of its own kind: add adds input, layers and output, the same at every call,
// since it runs again for each export. Names of weights must differ. The outputs of the statistics
// are added behind those of add.
func Build(name string, seed uint64, add func(l *Layers) error) (*Network, error) {
	return newNetwork(name, seed, func(g *graph) (*onnx.Model, error) {
		if err := add(&Layers{g.b, g}); err != nil {
			return nil, err
		}
		g.returnStatistics()
		return g.b.Build()
	})
}

// Constant adds a tensor that is not trained.
func (l *Layers) Constant(name string, dims []int64, values []float32) onnx.Value {
	return l.g.tensor(name, dims, values)
}

// Conv returns the convolution of x, of in channels, with bias, at the same size. kernel is height
// and width, both odd. zero starts with weights of 0, otherwise they are those for a Relu behind
// it.
func (l *Layers) Conv(x onnx.Value, name string, in, out int64, kernel [2]int64, zero bool) onnx.Value {
	dims := []int64{out, in, kernel[0], kernel[1]}
	draw := constant(0)
	if !zero {
		draw = l.g.kaiming(name+".weight", math.Sqrt2, in*kernel[0]*kernel[1])
	}
	w := l.g.weight(name+".weight", true, draw, dims...)
	return l.g.b.Conv(x, w, l.g.weight(name+".bias", false, constant(0), out), window(kernel, 1))
}

// ConvNorm returns the convolution of x without bias, batch-normalised and folded at export, at the
// given stride; the result has positions places per channel.
func (l *Layers) ConvNorm(x onnx.Value, name string, in, out int64, kernel [2]int64, stride, positions int64) onnx.Value {
	return l.g.convNormBy(x, name, in, out, window(kernel, stride), positions)
}

// Dense returns x·wᵀ + bias for x [N, in]. zero is that of [Layers.Conv].
func (l *Layers) Dense(x onnx.Value, name string, in, out int64, zero bool) onnx.Value {
	if !zero {
		return l.g.dense(x, name, in, out, math.Sqrt2)
	}
	w := l.g.weight(name+".weight", true, constant(0), out, in)
	return l.g.b.Gemm(x, w, l.g.weight(name+".bias", false, constant(0), out), true)
}

// window keeps the size at stride 1, for odd kernels.
func window(kernel [2]int64, stride int64) onnx.Window {
	h, w := kernel[0]/2, kernel[1]/2
	return onnx.Window{Kernel: kernel[:], Strides: []int64{stride, stride}, Pads: []int64{h, w, h, w}}
}
