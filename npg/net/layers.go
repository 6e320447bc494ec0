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
	maps := []onnx.Value{n.conv(b, name+".first", []onnx.Value{x}, channels, growth, 1, 0)}
	for i := range blockConvolutions {
		y := n.conv(b, name+".block"+strconv.Itoa(i+1), maps, growth, growth, 1, 0)
		maps = append(maps, b.LeakyRelu(y, slope))
	}
	y := n.conv(b, name+".join", maps, growth, growth, 1, 0)
	return n.conv(b, name+".last", []onnx.Value{y}, growth, channels, lastGain, bias)
}

// conv is a 3×3 convolution of several maps of equal width, as if they stood one behind the other in one. It is written
// as the sum of a convolution of each with its part of the weights: runtimes add within the convolutions, whereas
// putting maps together, and taking gradients apart again, moves every map of the block through memory once a layer.
func (n *Net) conv(b *onnx.Builder, base string, maps []onnx.Value, width, out int64, scale float64, bias float32) onnx.Value {
	in := width * int64(len(maps))
	w := n.weight(b, base+".weight", true, n.normal(base+".weight", scale*gain(9*in), out*in*9), out, in, 3, 3)
	c := n.weight(b, base+".bias", false, constant(bias, out), out)
	window := onnx.Window{Kernel: []int64{3, 3}, Pads: []int64{1, 1, 1, 1}}
	if len(maps) == 1 {
		return b.Conv(maps[0], w, c, window)
	}
	var sum onnx.Value
	for i, m := range maps {
		from := int64(i) * width
		part := b.Slice(w, []int64{from}, []int64{from + width}, []int64{1}, nil)
		if i == 0 {
			sum = b.Conv(m, part, c, window)
			continue
		}
		sum = b.Add(sum, b.Conv(m, part, onnx.Value{}, window))
	}
	return sum
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
