package denoise

import (
	"fmt"
	"math"

	"ucan/models/arch"
	"ucan/runtime/onnx"
)

var kernel3 = [2]int64{3, 3}

// chain is a first convolution with bias, layers with batch normalisation, and a last convolution
// that starts at 0, with a Relu between them.
func chain(l *arch.Layers, x onnx.Value, in, out int64, kernel [2]int64, positions int64, c Config) onnx.Value {
	width := int64(c.Width)
	x = l.Relu(l.Conv(x, "conv1", in, width, kernel, false))
	for i := 2; i < c.Depth; i++ {
		x = l.Relu(l.ConvNorm(x, fmt.Sprint("conv", i), width, width, kernel, 1, positions))
	}
	return l.Conv(x, fmt.Sprint("conv", c.Depth), width, out, kernel, true)
}

// dncnn is the network of Zhang et al. 2017 ("Beyond a Gaussian denoiser"): 3×3 convolutions at the
// size of the image.
func dncnn(l *arch.Layers, x onnx.Value, in int64, c Config) (onnx.Value, error) {
	h, w := int64(c.Shape[1]), int64(c.Shape[2])
	return chain(l, x, in, int64(c.Shape[0]), kernel3, h*w, c), nil
}

// ffdnet is the network of Zhang, Zuo, Zhang 2018 ("FFDNet"): blocks of 2×2 pixels become channels
// of an image of half the size, on which all convolutions work.
func ffdnet(l *arch.Layers, x onnx.Value, in int64, c Config) (onnx.Value, error) {
	f := halve(l, x, c, 2)
	h, w := f.h/2, f.w/2
	y := chain(l, f.x, 4*in, 4*int64(c.Shape[0]), kernel3, h*w, c)
	return f.back(l, y), nil
}

// folded is an image whose blocks of 2×2 pixels have become channels.
type folded struct {
	x          onnx.Value
	h, w       int64 // padded height and width, before
	rows, cols int64 // those of the image
}

// halve pads an image by zeros at its lower and right border to a multiple, and folds it.
func halve(l *arch.Layers, x onnx.Value, c Config, multiple int64) folded {
	rows, cols := int64(c.Shape[1]), int64(c.Shape[2])
	up := func(n int64) int64 { return (n + multiple - 1) / multiple * multiple }
	f := folded{h: up(rows), w: up(cols), rows: rows, cols: cols}
	if f.h != rows || f.w != cols {
		x = l.Pad(x, 0, 0, 0, 0, 0, 0, f.h-rows, f.w-cols)
	}
	f.x = l.Op("SpaceToDepth", []onnx.Value{x}, onnx.Int("blocksize", 2))
	return f
}

// back unfolds an image and cuts off what was padded.
func (f folded) back(l *arch.Layers, x onnx.Value) onnx.Value {
	x = unfold(l, x)
	if f.h != f.rows || f.w != f.cols {
		x = l.Slice(x, []int64{0, 0}, []int64{f.rows, f.cols}, []int64{2, 3}, []int64{1, 1})
	}
	return x
}

func unfold(l *arch.Layers, x onnx.Value) onnx.Value {
	return l.Op("DepthToSpace", []onnx.Value{x}, onnx.Int("blocksize", 2), onnx.Str("mode", "DCR"))
}

// unet works at three scales (after Ronneberger et al. 2015), the finest of which is half the size
// of the image, folded as in ffdnet. Each halving doubles the channels; what comes back is added to
// what went down. At each scale there are pairs of convolutions with a shortcut, twice as many at
// the coarsest, where they see all of a small image and cost least time.
func unet(l *arch.Layers, x onnx.Value, in int64, c Config) (onnx.Value, error) {
	if c.Shape[1] < 8 || c.Shape[2] < 8 {
		return onnx.Value{}, fmt.Errorf("denoise: unet halves its images three times and needs at least 8×8 pixels, not %d×%d", c.Shape[1], c.Shape[2])
	}
	f := halve(l, x, c, 8)
	h, w, width := f.h/2, f.w/2, int64(c.Width)
	blocks := func(x onnx.Value, name string, width, positions int64, n int) onnx.Value {
		for i := range n {
			at := fmt.Sprintf("%s.block%d", name, i+1)
			y := l.Relu(l.ConvNorm(x, at+".conv1", width, width, kernel3, 1, positions))
			x = l.Relu(l.Add(x, l.ConvNorm(y, at+".conv2", width, width, kernel3, 1, positions)))
		}
		return x
	}
	top := l.Relu(l.ConvNorm(f.x, "in", 4*in, width, kernel3, 1, h*w))
	top = blocks(top, "down1", width, h*w, c.Depth)
	middle := l.Relu(l.ConvNorm(top, "halve1", width, 2*width, kernel3, 2, h*w/4))
	middle = blocks(middle, "down2", 2*width, h*w/4, c.Depth)
	low := l.Relu(l.ConvNorm(middle, "halve2", 2*width, 4*width, kernel3, 2, h*w/16))
	low = blocks(low, "bottom", 4*width, h*w/16, 2*c.Depth)
	one := [2]int64{1, 1}
	middle = l.Relu(l.Add(middle, unfold(l, l.ConvNorm(low, "double2", 4*width, 8*width, one, 1, h*w/16))))
	middle = blocks(middle, "up2", 2*width, h*w/4, c.Depth)
	top = l.Relu(l.Add(top, unfold(l, l.ConvNorm(middle, "double1", 2*width, 4*width, one, 1, h*w/4))))
	top = blocks(top, "up1", width, h*w, c.Depth)
	return f.back(l, l.Conv(top, "out", width, 4*int64(c.Shape[0]), kernel3, true)), nil
}

// mlp has layers that are wholly connected: for the columns of tables.
func mlp(l *arch.Layers, x onnx.Value, in int64, c Config) (onnx.Value, error) {
	d := int64(product(c.Shape))
	values := in * d / int64(c.Shape[0])
	if len(c.Shape) > 1 {
		x = l.Flatten(x, 1)
	}
	width := int64(c.Width)
	for i := 1; i < c.Depth; i++ {
		x = l.Relu(l.Dense(x, fmt.Sprint("dense", i), values, width, false))
		values = width
	}
	x = l.Dense(x, fmt.Sprint("dense", c.Depth), values, d, true)
	if len(c.Shape) == 1 {
		return x, nil
	}
	dims := []int64{0}
	for _, n := range c.Shape {
		dims = append(dims, int64(n))
	}
	return l.Reshape(x, dims...), nil
}

// conv1d is dncnn along a series, with windows of 7 values.
func conv1d(l *arch.Layers, x onnx.Value, in int64, c Config) (onnx.Value, error) {
	length := int64(c.Shape[len(c.Shape)-1])
	channels, out := in, int64(c.Shape[0])
	if len(c.Shape) == 1 { // the inputs lie behind one another along the axis of values
		channels, out = in/length, 1
	}
	x = l.Reshape(x, 0, channels, 1, length)
	x = chain(l, x, channels, out, [2]int64{1, 7}, length, c)
	dims := []int64{0}
	for _, n := range c.Shape {
		dims = append(dims, int64(n))
	}
	return l.Reshape(x, dims...), nil
}

// estimate is the standard deviation of the noise in each image x [N, C, H, W], as [N, 1, 1, 1]:
// the mean size of what a filter leaves that answers to neither planes nor edges (Immerkær 1996,
// "Fast noise variance estimation"), times √(π/2)/6. Noise of independent pixels is assumed.
// Details of the image make it larger, which the net learns to allow for.
func (c Config) estimate(l *arch.Layers, x onnx.Value) onnx.Value {
	channels := int64(c.Shape[0])
	mask := make([]float32, 0, 9*channels)
	for range channels {
		mask = append(mask, 1, -2, 1, -2, 4, -2, 1, -2, 1)
	}
	w := l.Constant("estimate.mask", []int64{channels, 1, 3, 3}, mask)
	rest := l.Builder.Conv(x, w, onnx.Value{}, onnx.Window{Kernel: kernel3[:], Group: channels})
	return l.Mul(l.Mean(l.Abs(rest), true, 1, 2, 3), l.Scalar(onnx.Float, math.Sqrt(math.Pi/2)/6))
}
