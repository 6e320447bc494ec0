package arch

import (
	"crypto/sha256"
	"fmt"
	"math"

	"ucan/runtime/onnx"
	"ucan/smooth/stream"
)

const (
	opset = 17
	// epsilon is added to the variance in every normalisation.
	epsilon = 1e-5
	// maxWeight bounds the elements of one weight: 1 GiB.
	maxWeight = 1 << 28
)

// graph is one network under construction: for training, where it draws and
// collects the weights, or for export, where it takes those that it is given
// and folds BatchNormalization into the convolutions.
type graph struct {
	b       *onnx.Builder
	seed    uint64
	weights []Weight
	stats   []Statistic
	means   []onnx.Value // of the batch, as the statistics are
	vars    []onnx.Value

	trained map[string][]float32 // set for export
	running Running
}

func (g *graph) export() bool { return g.trained != nil }

// tensor adds a constant under the exact name.
func (g *graph) tensor(name string, dims []int64, values []float32) onnx.Value {
	t, err := onnx.NewTensor(name, dims, values)
	if err != nil {
		return g.b.Fail(fmt.Errorf("arch: %w", err))
	}
	return g.b.Initializer(t)
}

// values returns the elements of a weight: those given for export, otherwise
// what draw makes; it records the weight.
func (g *graph) values(name string, decay bool, draw func([]float32), dims ...int64) []float32 {
	n, err := onnx.Elements(dims)
	if err != nil || n > maxWeight {
		g.b.Fail(fmt.Errorf("arch: weight %q of dimensions %v is too large; take smaller images", name, dims))
		return nil
	}
	if g.export() {
		v, ok := g.trained[name]
		if !ok || int64(len(v)) != n {
			g.b.Fail(fmt.Errorf("arch: weight %q has %d values, not the %d of dimensions %v", name, len(v), n, dims))
			return nil
		}
		g.weights = append(g.weights, Weight{Name: name})
		return v
	}
	v := make([]float32, n)
	draw(v)
	g.weights = append(g.weights, Weight{Name: name, Shape: dims, Values: v, Decay: decay})
	return v
}

// weight adds a weight of the graph.
func (g *graph) weight(name string, decay bool, draw func([]float32), dims ...int64) onnx.Value {
	v := g.values(name, decay, draw, dims...)
	if v == nil {
		return onnx.Value{}
	}
	return g.tensor(name, dims, v)
}

// normal draws N(0, deviation²) from the stream of the seed and the weight's
// name, so that no weight depends on another.
func (g *graph) normal(name string, deviation float64) func([]float32) {
	return func(v []float32) {
		src := stream.New(g.seed, sha256.Sum256([]byte("ucan/models/arch "+name)), stream.Train).Source(0)
		src.NormalInto(v)
		for i := range v {
			v[i] = float32(float64(v[i]) * deviation)
		}
	}
}

// kaiming draws N(0, gain²/fan), with gain √2 for what a Relu follows (He et
// al. 2015, "Delving deep into rectifiers", eq. 10) and 1 otherwise.
func (g *graph) kaiming(name string, gain float64, fan int64) func([]float32) {
	return g.normal(name, gain/math.Sqrt(float64(fan)))
}

func constant(c float32) func([]float32) {
	return func(v []float32) {
		for i := range v {
			v[i] = c
		}
	}
}

// dense returns x·wᵀ + bias for x [N, in].
func (g *graph) dense(x onnx.Value, name string, in, out int64, gain float64) onnx.Value {
	w := g.weight(name+".weight", true, g.kaiming(name+".weight", gain, in), out, in)
	return g.b.Gemm(x, w, g.weight(name+".bias", false, constant(0), out), true)
}

// square returns a square window of the given kernel and stride that keeps
// the size at stride 1.
func square(kernel, stride int64) onnx.Window {
	p := kernel / 2
	return onnx.Window{Kernel: []int64{kernel, kernel}, Strides: []int64{stride, stride}, Pads: []int64{p, p, p, p}}
}

// conv returns the convolution of x with bias.
func (g *graph) conv(x onnx.Value, name string, in, out, kernel int64) onnx.Value {
	w := g.weight(name+".weight", true, g.kaiming(name+".weight", math.Sqrt2, in*kernel*kernel), out, in, kernel, kernel)
	return g.b.Conv(x, w, g.weight(name+".bias", false, constant(0), out), square(kernel, 1))
}

// convNorm returns the convolution of x without bias, batch-normalised; the
// result has positions places per channel.
func (g *graph) convNorm(x onnx.Value, name string, in, out, kernel, stride, positions int64) onnx.Value {
	return g.convNormBy(x, name, in, out, square(kernel, stride), positions)
}

// convNormBy does the same with any window.
func (g *graph) convNormBy(x onnx.Value, name string, in, out int64, win onnx.Window, positions int64) onnx.Value {
	conv, norm := name+".weight", name+".norm"
	dims := append([]int64{out, in}, win.Kernel...)
	w := g.values(conv, true, g.kaiming(conv, math.Sqrt2, in*win.Kernel[0]*win.Kernel[1]), dims...)
	scale := g.values(norm+".scale", false, constant(1), out)
	shift := g.values(norm+".shift", false, constant(0), out)
	if w == nil || scale == nil || shift == nil {
		return onnx.Value{}
	}
	s := Statistic{Name: norm, Mean: norm + ".mean", Variance: norm + ".variance", Channels: int(out), Positions: int(positions)}
	g.stats = append(g.stats, s)
	if g.export() {
		folded, bias, err := fold(w, scale, shift, g.running[s.Mean], g.running[s.Variance])
		if err != nil {
			return g.b.Fail(fmt.Errorf("arch: %s: %w", norm, err))
		}
		return g.b.Conv(x, g.tensor(conv, dims, folded), g.tensor(name+".bias", dims[:1], bias), win)
	}
	kernel4 := g.tensor(conv, dims, w)
	mean := g.batchMean(x, kernel4, win, out)
	g.means = append(g.means, mean)
	y := g.b.Conv(x, kernel4, g.b.Neg(stopped(g.b, mean)), win)
	return g.batchNorm(y, g.tensor(norm+".scale", dims[:1], scale), g.tensor(norm+".shift", dims[:1], shift), out)
}

// fold returns weights and bias of the convolution that does what one with
// weights w [O, …] followed by BatchNormalization does.
func fold(w, scale, shift, mean, variance []float32) (folded, bias []float32, err error) {
	n := len(scale)
	if len(mean) != n || len(variance) != n {
		return nil, nil, fmt.Errorf("the running mean has %d values and the variance %d; there are %d channels", len(mean), len(variance), n)
	}
	folded, bias = make([]float32, len(w)), make([]float32, n)
	per := len(w) / n
	for o := range n {
		if !(variance[o] >= 0) {
			return nil, nil, fmt.Errorf("the running variance of channel %d is %v; training has diverged", o, variance[o])
		}
		f := float64(scale[o]) / math.Sqrt(float64(variance[o])+epsilon)
		for i := range per {
			folded[o*per+i] = float32(float64(w[o*per+i]) * f)
		}
		bias[o] = float32(float64(shift[o]) - float64(mean[o])*f)
	}
	return folded, bias, nil
}
