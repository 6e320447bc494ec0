package arch

import (
	"fmt"
	"math"
	"strings"

	"ucan/runtime/onnx"
)

// network adds the layers between the normalised input and the logits.
type network func(g *graph, x onnx.Value, c Config) (onnx.Value, error)

func networks() map[string]network {
	return map[string]network{
		"mnist-cnn": mnistCNN,
		"resnet20":  resnet(3),
		"resnet110": resnet(18),
		"vit-tiny":  vitTiny,
		"mlp":       mlp,
	}
}

// Names returns the names of the built-in architectures.
func Names() []string { return []string{"mnist-cnn", "resnet20", "resnet110", "vit-tiny", "mlp"} }

// New makes a network with initial weights. It fails for a configuration that
// [Config.Validate] rejects and for inputs too small, or otherwise unfit, for
// the architecture.
func New(c Config) (*Network, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return newNetwork(graphName(c), c.Seed, func(g *graph) (*onnx.Model, error) { return g.build(c) })
}

// newNetwork makes a network whose graph make builds, for training now and for each export.
func newNetwork(name string, seed uint64, make func(g *graph) (*onnx.Model, error)) (*Network, error) {
	g := &graph{b: onnx.NewBuilder(name, opset), seed: seed}
	m, err := make(g)
	if err != nil {
		return nil, err
	}
	return &Network{make: make, name: name, training: m, weights: g.weights, stats: g.stats}, nil
}

// Export returns the classifier with the given weights (by name, all of
// [Network.Weights]) and running averages: BatchNormalization folded into the
// convolutions, plain ONNX of opset 17 with a symbolic batch, input [Images],
// output [Logits]. The same values give the same bytes. It fails for values
// that are missing, of the wrong number or not finite, and for variances below
// 0.
func (n *Network) Export(weights map[string][]float32, running Running) (*onnx.Model, error) {
	if err := allFinite(weights, running); err != nil {
		return nil, err
	}
	if weights == nil {
		weights = map[string][]float32{}
	}
	return n.make(&graph{b: onnx.NewBuilder(n.name, opset), trained: weights, running: running})
}

// allFinite fails for values that are not finite.
func allFinite(weights map[string][]float32, running Running) error {
	for _, values := range []map[string][]float32{weights, running} {
		for name, v := range values {
			for i, x := range v {
				if f := float64(x); math.IsNaN(f) || math.IsInf(f, 0) {
					return fmt.Errorf("arch: value %d of %q is %v; training has diverged, try a lower learning rate", i, name, x)
				}
			}
		}
	}
	return nil
}

func graphName(c Config) string { return strings.ReplaceAll(c.Name, "-", "_") }

// build makes the whole graph.
func (g *graph) build(c Config) (*onnx.Model, error) {
	b := g.b
	dims := []onnx.Dim{onnx.Sym("N")}
	for _, d := range c.Input {
		dims = append(dims, onnx.Fixed(int64(d)))
	}
	x := b.Input(Images, onnx.Float, dims...)
	if len(c.Mean) > 0 {
		per := []int64{1, int64(c.Input[0])}
		for range c.Input[1:] {
			per = append(per, 1)
		}
		x = b.Sub(x, g.tensor("normalise.mean", per, floats(c.Mean)))
		x = b.Div(x, g.tensor("normalise.std", per, floats(c.Std)))
	}
	y, err := networks()[c.Name](g, x, c)
	if err != nil {
		return nil, err
	}
	b.Output(Logits, y, onnx.Float, onnx.Sym("N"), onnx.Fixed(int64(c.Classes)))
	g.returnStatistics()
	return b.Build()
}

// returnStatistics adds the outputs that a training graph has for its statistics.
func (g *graph) returnStatistics() {
	if g.export() {
		return
	}
	for i, s := range g.stats {
		g.b.Output(s.Mean, g.means[i], onnx.Float, onnx.Fixed(int64(s.Channels)))
		g.b.Output(s.Variance, g.vars[i], onnx.Float, onnx.Fixed(int64(s.Channels)))
	}
}

func floats(v []float64) []float32 {
	out := make([]float32, len(v))
	for i := range v {
		out[i] = float32(v[i])
	}
	return out
}
