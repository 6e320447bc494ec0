package net

import (
	"strconv"

	"ucan/runtime/onnx"
)

// growth is the number of maps that each convolution of the dense block adds, and that it begins with.
const growth = 16

// blockConvolutions is the number of convolutions inside the dense block.
const blockConvolutions = 4

// hidden are the widths of the perceptron.
func hidden() []int64 { return []int64{128, 256, 512, 1024} }

// certification is G₁ and G₂.
func (n *Net) certification(b *onnx.Builder, x onnx.Value) (mu, sigma onnx.Value) {
	seen := x
	if n.config.MuScale > 0 {
		mu = b.Tanh(n.dense(b, "mu", x, 0))
		seen = b.Add(x, b.Mul(mu, b.Scalar(onnx.Float, n.config.MuScale)))
	}
	return mu, n.head(b, n.dense(b, "sigma", seen, n.startBias()))
}

// dataset is one perceptron for each field.
func (n *Net) dataset(b *onnx.Builder, x onnx.Value) (mu, sigma onnx.Value) {
	if n.config.MuScale > 0 {
		mu = n.everywhere(b, b.Tanh(n.perceptron(b, "mu", 0)), x)
	}
	return mu, n.everywhere(b, n.head(b, n.perceptron(b, "sigma", n.startBias())), x)
}

// everywhere repeats a field [1, shape…] for every input.
func (n *Net) everywhere(b *onnx.Builder, field, x onnx.Value) onnx.Value {
	return b.Expand(field, b.Shape(x))
}

// dense is the dense-block network without its last activation; bias is that of the last convolution.
func (n *Net) dense(b *onnx.Builder, name string, x onnx.Value, bias float32) onnx.Value {
	channels := int64(n.config.Shape[0])
	conv := func(x onnx.Value, layer string, in, out int64, scale float64, bias float32) onnx.Value {
		base := name + "." + layer
		w := n.weight(b, base+".weight", true, n.normal(base+".weight", scale*gain(9*in), out*in*9), out, in, 3, 3)
		c := n.weight(b, base+".bias", false, constant(bias, out), out)
		return b.Conv(x, w, c, onnx.Window{Kernel: []int64{3, 3}, Pads: []int64{1, 1, 1, 1}})
	}
	maps := []onnx.Value{conv(x, "first", channels, growth, 1, 0)}
	all := func() onnx.Value {
		if len(maps) == 1 {
			return maps[0]
		}
		return b.Concat(1, maps...)
	}
	for i := range int64(blockConvolutions) {
		y := conv(all(), "block"+strconv.FormatInt(i+1, 10), growth*(i+1), growth, 1, 0)
		maps = append(maps, b.LeakyRelu(y, slope))
	}
	y := conv(all(), "join", growth*(blockConvolutions+1), growth, 1, 0)
	return conv(y, "last", growth, channels, lastGain, bias)
}

// perceptron maps the constant 1 to a field [1, shape…], without its last activation.
func (n *Net) perceptron(b *onnx.Builder, name string, bias float32) onnx.Value {
	h := onnx.Tensor(b, name+".one", []int64{1, 1}, []float32{1})
	in := int64(1)
	layer := func(h onnx.Value, label string, out int64, scale float64, bias float32) onnx.Value {
		base := name + "." + label
		w := n.weight(b, base+".weight", true, n.normal(base+".weight", scale*gain(in), in*out), in, out)
		c := n.weight(b, base+".bias", false, constant(bias, out), out)
		in = out
		return b.Gemm(h, w, c, false)
	}
	for i, width := range hidden() {
		h = b.LeakyRelu(layer(h, "hidden"+strconv.Itoa(i+1), width, 1, 0), slope)
	}
	h = layer(h, "last", int64(n.config.Dim()), lastGain, bias)
	dims := []int64{1}
	for _, d := range n.config.Shape {
		dims = append(dims, int64(d))
	}
	return b.Reshape(h, dims...)
}
