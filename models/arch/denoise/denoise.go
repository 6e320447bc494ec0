// Package denoise makes denoisers as ONNX graphs: once for training and once, trained, for use. A
// denoiser D takes noisy inputs y of the data's layout and returns inputs of the same shape.
//
// Every one of them corrects a first estimate e(y), which is y itself or a fixed filter of it:
//
//	D(y) = e(y) + p ⊙ net(ŷ, ê),   ŷ = (y − m) ⊘ q,   ê = (e(y) − m) ⊘ p
//
// m is the mean of the data, p its standard deviation and q that of noisy data, each by channel, so
// that the net's inputs and outputs have a size of about 1 under any noise. Its last layer starts
// at 0: before the first step D(y) = e(y). Where there is no filter, ê is left out.
package denoise

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"ucan/models/arch"
	"ucan/runtime/onnx"
)

// Names of the graphs' input and output, float32 [N, shape…].
const (
	Noisy = "noisy"
	Clean = "clean"
)

// Config configures a denoiser.
type Config struct {
	// Name is one of [Names].
	Name string
	// Shape is that of one input: [C, H, W] for dncnn, ffdnet and unet, [C, L] or [L] for conv1d,
	// anything for mlp.
	Shape []int
	// Width is the number of channels of a layer (for unet of those at the finest scale), and Depth
	// that of layers with weights (for unet of pairs of convolutions a scale); 0 for the usual one.
	Width, Depth int
	// Front adds the first estimate e(y) to a graph; nil for y itself.
	Front func(b *onnx.Builder, noisy onnx.Value) onnx.Value
	// Mean is m, Signal p and Spread q, one value a channel, or for inputs of one axis one a value;
	// all nil for 0 and 1.
	Mean, Signal, Spread []float64
	// Map are the standard deviations of the noise by coordinate, of the shape of an input, a
	// further input of the net; nil for noise of one size.
	Map []float32
	// Estimate gives the net an estimate of the noise's standard deviation, made of each input
	// itself, in place of a Map: for noise whose size varies. Images only.
	Estimate bool
	// Seed makes the initial weights.
	Seed uint64
}

// network adds the layers between the net's inputs, of the given channels, and its output.
type network struct {
	width, depth int // usual ones
	least        int // smallest depth
	rank         func(axes int) bool
	add          func(l *arch.Layers, x onnx.Value, in int64, c Config) (onnx.Value, error)
}

func networks() map[string]network {
	images := func(axes int) bool { return axes == 3 }
	return map[string]network{
		"dncnn":  {32, 6, 2, images, dncnn},
		"ffdnet": {64, 6, 2, images, ffdnet},
		"unet":   {32, 1, 1, images, unet},
		"mlp":    {128, 3, 2, func(axes int) bool { return axes >= 1 }, mlp},
		"conv1d": {32, 6, 2, func(axes int) bool { return axes == 1 || axes == 2 }, conv1d},
	}
}

// Names returns the names of the architectures.
func Names() []string { return []string{"dncnn", "ffdnet", "unet", "mlp", "conv1d"} }

// Usual returns the usual width and depth of an architecture.
func Usual(name string) (width, depth int) {
	n := networks()[name]
	return n.width, n.depth
}

// Bounds of widths and depths.
const (
	maxWidth = 1024
	maxDepth = 64
)

// Validate reports all faults at once.
func (c Config) Validate() error {
	if !slices.Contains(Names(), c.Name) {
		return fmt.Errorf("denoise: no denoiser is called %q; there are %s", c.Name, strings.Join(Names(), ", "))
	}
	n := networks()[c.Name]
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf("denoise: "+format, args...)) }
	if !n.rank(len(c.Shape)) || slices.Min(append([]int{1}, c.Shape...)) < 1 {
		fault("%s takes no inputs of shape %v; dncnn, ffdnet and unet take images [C, H, W], conv1d series, mlp any", c.Name, c.Shape)
		return errors.Join(errs...)
	}
	if c.Width < 0 || c.Width > maxWidth {
		fault("a width of %d; give 1 to %d, or 0 for the usual one", c.Width, maxWidth)
	}
	if c.Depth != 0 && (c.Depth < n.least || c.Depth > maxDepth) {
		fault("a depth of %d; %s takes %d to %d, or 0 for the usual one", c.Depth, c.Name, n.least, maxDepth)
	}
	for _, v := range [][]float64{c.Mean, c.Signal, c.Spread} {
		if len(v) != len(c.Mean) || len(v) != 0 && len(v) != c.Shape[0] {
			fault("%d values that normalise %d channels", len(v), c.Shape[0])
		}
	}
	for _, v := range slices.Concat(c.Signal, c.Spread) {
		if !(float32(v) > 0) || math.IsInf(v, 0) {
			fault("the standard deviation %v of a channel is not a positive number", v)
			break
		}
	}
	if c.Map != nil && len(c.Map) != product(c.Shape) {
		fault("a noise map of %d values for inputs of shape %v", len(c.Map), c.Shape)
	}
	if c.Estimate && (len(c.Shape) != 3 || c.Shape[1] < 3 || c.Shape[2] < 3) {
		fault("the noise of inputs of shape %v cannot be estimated; give images of 3×3 pixels or more", c.Shape)
	}
	return errors.Join(errs...)
}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// New makes a denoiser with initial weights: a training graph with input [Noisy] and output
// [Clean].
func New(c Config) (*arch.Network, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	n := networks()[c.Name]
	if c.Width == 0 {
		c.Width = n.width
	}
	if c.Depth == 0 {
		c.Depth = n.depth
	}
	return arch.Build(c.Name, c.Seed, func(l *arch.Layers) error { return c.add(l, n) })
}

// add adds the whole denoiser.
func (c Config) add(l *arch.Layers, n network) error {
	dims := []onnx.Dim{onnx.Sym("N")}
	one := []int64{1}
	for _, d := range c.Shape {
		dims, one = append(dims, onnx.Fixed(int64(d))), append(one, int64(d))
	}
	y := l.Input(Noisy, onnx.Float, dims...)
	channels := int64(c.Shape[0])
	scales := c.scales(l)
	inputs := []onnx.Value{scales.in(l, y, scales.spread)}
	first := y
	if c.Front != nil {
		first = c.Front(l.Scope("front"), y)
		inputs = append(inputs, scales.in(l, first, scales.signal))
	}
	in := channels * int64(len(inputs))
	switch {
	case c.Map != nil:
		inputs = append(inputs, c.noiseMap(l, y, one))
		in += channels
	case c.Estimate:
		inputs = append(inputs, l.Expand(c.estimate(l, inputs[0]), l.Shape(l.Slice(y, []int64{0}, []int64{1}, []int64{1}, []int64{1}))))
		in++
	}
	x := inputs[0]
	if len(inputs) > 1 {
		x = l.Concat(1, inputs...)
	}
	x, err := n.add(l, x, in, c)
	if err != nil {
		return err
	}
	if !scales.signal.IsZero() {
		x = l.Mul(x, scales.signal)
	}
	l.Output(Clean, l.Add(first, x), onnx.Float, dims...)
	return nil
}

// scales are m, p and q as constants; zero Values for none.
type scales struct{ mean, signal, spread onnx.Value }

func (c Config) scales(l *arch.Layers) scales {
	if c.Mean == nil {
		return scales{}
	}
	dims := []int64{1, int64(c.Shape[0])}
	for range c.Shape[1:] {
		dims = append(dims, 1)
	}
	constant := func(name string, v []float64) onnx.Value {
		out := make([]float32, len(v))
		for i := range v {
			out[i] = float32(v[i])
		}
		return l.Constant(name, dims, out)
	}
	return scales{constant("mean", c.Mean), constant("signal", c.Signal), constant("spread", c.Spread)}
}

// in is (x − m) ⊘ by.
func (s scales) in(l *arch.Layers, x, by onnx.Value) onnx.Value {
	if s.mean.IsZero() {
		return x
	}
	return l.Div(l.Sub(x, s.mean), by)
}

// noiseMap repeats the map for every row. Its values are divided by their root mean square: the
// net needs to know where the noise is strong, and its inputs are of size 1.
func (c Config) noiseMap(l *arch.Layers, y onnx.Value, one []int64) onnx.Value {
	sum := 0.0
	for _, v := range c.Map {
		sum += float64(v) * float64(v)
	}
	scale := 1.0
	if sum > 0 {
		scale = math.Sqrt(float64(len(c.Map)) / sum)
	}
	out := make([]float32, len(c.Map))
	for i, v := range c.Map {
		out[i] = float32(float64(v) * scale)
	}
	return l.Expand(l.Constant("noise_map", one, out), l.Shape(y))
}
