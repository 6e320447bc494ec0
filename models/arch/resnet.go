package arch

import (
	"fmt"

	"ucan/runtime/onnx"
)

// resnet is the residual network for CIFAR of He et al. 2015 ("Deep residual
// learning for image recognition", §4.2) with the given number of blocks a
// stage: a 3×3 convolution to 16 channels; three stages of 16, 32 and 64
// channels, the later two beginning with stride 2; blocks of two 3×3
// convolutions; the mean over space; dense. Every convolution is followed by
// BatchNormalization. Where a stage changes the size, the shortcut is a 1×1
// convolution of stride 2 (option B), as in the published smoothing work on
// CIFAR-10.
func resnet(blocks int) network {
	return func(g *graph, x onnx.Value, c Config) (onnx.Value, error) {
		h, w := int64(c.Input[1]), int64(c.Input[2])
		if h < 8 || w < 8 {
			return onnx.Value{}, fmt.Errorf("arch: %s halves its images twice and needs at least 8×8 pixels, not %d×%d", c.Name, h, w)
		}
		b := g.b
		y := b.Relu(g.convNorm(x, "conv", int64(c.Input[0]), 16, 3, 1, h*w))
		in := int64(16)
		for stage, out := range []int64{16, 32, 64} {
			for block := range blocks {
				stride := int64(1)
				if stage > 0 && block == 0 {
					stride = 2
					h, w = (h+1)/2, (w+1)/2
				}
				y = g.residual(y, fmt.Sprintf("stage%d.block%d", stage+1, block+1), in, out, stride, h*w)
				in = out
			}
		}
		y = b.Flatten(b.GlobalAveragePool(y), 1)
		return g.dense(y, "dense", in, int64(c.Classes), 1), nil
	}
}

// residual is one block of a resnet.
func (g *graph) residual(x onnx.Value, name string, in, out, stride, positions int64) onnx.Value {
	b := g.b
	y := b.Relu(g.convNorm(x, name+".conv1", in, out, 3, stride, positions))
	y = g.convNorm(y, name+".conv2", out, out, 3, 1, positions)
	if stride != 1 || in != out {
		x = g.convNorm(x, name+".shortcut", in, out, 1, stride, positions)
	}
	return b.Relu(b.Add(y, x))
}
