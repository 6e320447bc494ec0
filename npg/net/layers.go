package net

import (
	"strconv"

	"ucan/runtime/onnx"
)

// growth is the number of maps that each convolution of the dense block adds, and that it begins
// with.
const growth = 16

// blockConvolutions is the number of convolutions inside the dense block.
const blockConvolutions = 4

// hidden are the widths of the perceptron.
func hidden() []int64 { return []int64{128, 256, 512, 1024} }

// certification is G₁ and G₂; lift says that no gradient by x will be taken.
func (n *Net) certification(b *onnx.Builder, x onnx.Value, lift bool) (mu, sigma onnx.Value) {
	if n.config.MuScale == 0 {
		return mu, n.head(b, n.dense(b, "sigma", x, n.startBias(), lift))
	}
	mu = b.Tanh(n.dense(b, "mu", x, 0, lift))
	seen := b.Add(x, b.Mul(mu, b.Scalar(onnx.Float, n.config.MuScale)))
	return mu, n.head(b, n.dense(b, "sigma", seen, n.startBias(), false)) // μ gets a gradient through it
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

// dense is the dense-block network without its last activation; bias is that of the last
// convolution. lift says that no gradient by x will be taken, for which lifted would be the longer
// way.
func (n *Net) dense(b *onnx.Builder, name string, x onnx.Value, bias float32, lift bool) onnx.Value {
	channels := int64(n.config.Shape[0])
	first := n.kernel(b, name+".first", channels, growth, 1, 0)
	var block []onnx.Value
	var linear onnx.Value
	if lift = lift && taps*channels+1 <= growth; lift {
		block = append(block, lifted(b, name, x, channels))
		linear = b.Concat(1, b.Reshape(first.weight, growth, taps*channels), b.Reshape(first.bias, growth, 1))
	} else {
		block = append(block, b.Conv(x, first.weight, first.bias, same()))
	}
	// conv is a convolution of all maps of the block so far, as if they stood one behind the other
	// in one. It is written as the sum of a convolution of each with its part of the weights:
	// runtimes add within the convolutions, whereas putting maps together, and taking gradients
	// apart again, moves every map of the block through memory once a layer.
	conv := func(label string) onnx.Value {
		k := n.kernel(b, name+"."+label, growth*int64(len(block)), growth, 1, 0)
		var sum onnx.Value
		for i, m := range block {
			part := k.weight
			if len(block) > 1 {
				from := int64(i) * growth
				part = b.Slice(k.weight, []int64{from}, []int64{from + growth}, []int64{1}, nil)
			}
			if i == 0 {
				if lift {
					part = b.Transpose(b.MatMul(b.Transpose(part, 0, 2, 3, 1), linear), 0, 3, 1, 2)
				}
				sum = b.Conv(m, part, k.bias, same())
				continue
			}
			sum = b.Add(sum, b.Conv(m, part, onnx.Value{}, same()))
		}
		return sum
	}
	for i := range blockConvolutions {
		block = append(block, b.LeakyRelu(conv("block"+strconv.Itoa(i+1)), slope))
	}
	join := conv("join")
	last := n.kernel(b, name+".last", growth, channels, lastGain, bias)
	return b.Conv(join, last.weight, last.bias, same())
}

// taps is the number of positions of a 3×3 kernel.
const taps = 9

// same is the window of all convolutions: 3×3, and zeros around.
func same() onnx.Window { return onnx.Window{Kernel: []int64{3, 3}, Pads: []int64{1, 1, 1, 1}} }

// kernel is what a convolution multiplies by and adds.
type kernel struct{ weight, bias onnx.Value }

func (n *Net) kernel(b *onnx.Builder, base string, in, out int64, scale float64, bias float32) kernel {
	return kernel{
		weight: n.weight(b, base+".weight", true, n.normal(base+".weight", scale*gain(taps*in), out*in*taps), out, in, 3, 3),
		bias:   n.weight(b, base+".bias", false, constant(bias, out), out),
	}
}

// lifted is what stands in for the first map of a dense block where x has few channels: all shifts
// of x within a 3×3 kernel, zero outside the picture, and a channel of ones. The first map is
// linear in them, position by position, and no activation follows it: weights and bias, [16,
// shifts+1], can be multiplied into the kernels that read the map. These then have fewer channels
// to read, and no gradient by their input is needed.
func lifted(b *onnx.Builder, name string, x onnx.Value, channels int64) onnx.Value {
	shifts := taps * channels
	weight, bias := make([]float32, (shifts+1)*shifts), make([]float32, shifts+1)
	for i := range shifts {
		weight[i*shifts+i] = 1
	}
	bias[shifts] = 1
	return b.Conv(x, onnx.Tensor(b, name+".shifts", []int64{shifts + 1, channels, 3, 3}, weight),
		onnx.Tensor(b, name+".ones", []int64{shifts + 1}, bias), same())
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
