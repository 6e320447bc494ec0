package arch

import (
	"fmt"
	"math"

	"ucan/runtime/onnx"
)

// mnistCNN is the convolutional network of the MNIST experiments: 3×3
// convolutions to 32 and 32 channels, max-pooling by 2, to 64 and 64,
// max-pooling by 2, dense to 256 and to the classes, a Relu behind each layer
// but the last. Convolutions are padded by 1 and keep the size.
func mnistCNN(g *graph, x onnx.Value, c Config) (onnx.Value, error) {
	h, w := int64(c.Input[1]), int64(c.Input[2])
	if h < 4 || w < 4 {
		return onnx.Value{}, fmt.Errorf("arch: mnist-cnn halves its images twice and needs at least 4×4 pixels, not %d×%d", h, w)
	}
	b := g.b
	pool := onnx.Window{Kernel: []int64{2, 2}, Strides: []int64{2, 2}}
	y := b.Relu(g.conv(x, "conv1", int64(c.Input[0]), 32, 3))
	y = b.MaxPool(b.Relu(g.conv(y, "conv2", 32, 32, 3)), pool)
	y = b.Relu(g.conv(y, "conv3", 32, 64, 3))
	y = b.MaxPool(b.Relu(g.conv(y, "conv4", 64, 64, 3)), pool)
	y = b.Flatten(y, 1)
	y = b.Relu(g.dense(y, "dense1", 64*(h/2/2)*(w/2/2), 256, math.Sqrt2))
	return g.dense(y, "dense2", 256, int64(c.Classes), 1), nil
}

// mlp is a perceptron with two hidden layers of 256 units and Relu.
func mlp(g *graph, x onnx.Value, c Config) (onnx.Value, error) {
	in := int64(1)
	for _, d := range c.Input {
		in *= int64(d)
	}
	y := g.b.Flatten(x, 1)
	y = g.b.Relu(g.dense(y, "dense1", in, 256, math.Sqrt2))
	y = g.b.Relu(g.dense(y, "dense2", 256, 256, math.Sqrt2))
	return g.dense(y, "dense3", 256, int64(c.Classes), 1), nil
}
