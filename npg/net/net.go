package net

import (
	"crypto/sha256"
	"fmt"
	"math"
	"slices"

	"ucan/npg"
	"ucan/runtime/onnx"
	"ucan/smooth/stream"
)

// opset is the version of the operators that generators are written in.
const opset = 17

// slope is that of LeakyReLU on the negative side.
const slope = 0.2

// Names of the input and the outputs of a generator's graph.
const (
	Input = "x"
	Mu    = "mu"
	Sigma = "sigma"
)

// Weight is one tensor of a generator.
type Weight struct {
	// Name is that of the initialiser in the graph.
	Name string
	// Shape is its dimensions.
	Shape []int64
	// Values are the weights, row-major.
	Values []float32
	// Decay says whether weight decay is usual for it: for what is multiplied, not for biases.
	Decay bool
}

// Net is a generator with its first weights. It does not change.
type Net struct {
	config   Config
	weights  []Weight
	model    *onnx.Model
	training *onnx.Model
}

// New makes the generator that c describes, with weights drawn from its seed: He's normal
// initialisation for LeakyReLU, zero biases, and last layers as the package describes. Faults of c
// are reported together.
func New(c Config) (*Net, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c.Shape = slices.Clone(c.Shape)
	n := &Net{config: c}
	var err error
	if n.model, err = n.build(false); err != nil {
		return nil, fmt.Errorf("build the %s generator: %w", c.Kind, err)
	}
	n.training = n.model
	if c.Kind == npg.KindCertification {
		if n.training, err = (&Net{config: c}).build(true); err != nil {
			return nil, fmt.Errorf("build the %s generator for training: %w", c.Kind, err)
		}
	}
	return n, nil
}

// Weights returns copies of the first weights, in the order in which the graph uses them.
func (n *Net) Weights() []Weight {
	out := make([]Weight, len(n.weights))
	for i, w := range n.weights {
		out[i] = Weight{Name: w.Name, Shape: slices.Clone(w.Shape), Values: slices.Clone(w.Values), Decay: w.Decay}
	}
	return out
}

// Training returns the graph with the first weights in the form that is quickest to train. It
// computes the same function as what [Net.Export] returns, but for rounding, and its gradients by
// the weights take fewer products.
func (n *Net) Training() *onnx.Model { return n.training }

// Export returns the graph with the given weights, all of them by name: input "x" float [N,
// shape…], outputs "mu" (unless the mean is fixed), which is μ/c within [−1, 1], and "sigma", float
// [N, shape…]. The same values give the same bytes.
func (n *Net) Export(values map[string][]float32) (*onnx.Model, error) {
	m := n.model
	for _, w := range n.weights {
		v, ok := values[w.Name]
		if !ok {
			return nil, fmt.Errorf("export the generator: there are no values for %q", w.Name)
		}
		t, err := onnx.NewTensor(w.Name, w.Shape, v)
		if err != nil {
			return nil, fmt.Errorf("export the generator: %w", err)
		}
		if m, err = m.WithInitializers(t); err != nil {
			return nil, fmt.Errorf("export the generator: %w", err)
		}
	}
	return m, nil
}

func (n *Net) build(training bool) (*onnx.Model, error) {
	c := n.config
	b := onnx.NewBuilder("ucan."+string(c.Kind), opset)
	dims := []onnx.Dim{onnx.Sym("N")}
	for _, d := range c.Shape {
		dims = append(dims, onnx.Fixed(int64(d)))
	}
	x := b.Input(Input, onnx.Float, dims...)
	var mu, sigma onnx.Value
	switch c.Kind {
	case npg.KindCertification:
		mu, sigma = n.certification(b, x, training)
	case npg.KindDataset:
		mu, sigma = n.dataset(b, x)
	case npg.KindPattern:
		sigma = n.pattern(b, x)
	}
	if !mu.IsZero() {
		b.Output(Mu, mu, onnx.Float, dims...)
	}
	b.Output(Sigma, sigma, onnx.Float, dims...)
	return b.Build()
}

// weight adds a trainable tensor.
func (n *Net) weight(b *onnx.Builder, name string, decay bool, values []float32, dims ...int64) onnx.Value {
	n.weights = append(n.weights, Weight{Name: name, Shape: dims, Values: values, Decay: decay})
	t, err := onnx.NewTensor(name, dims, values)
	if err != nil {
		return b.Fail(err)
	}
	return b.Initializer(t)
}

// normal draws values of standard deviation std from the stream of the weight's name, so that no
// weight depends on which others there are.
func (n *Net) normal(name string, std float64, count int64) []float32 {
	source := stream.New(n.config.Seed, sha256.Sum256([]byte("ucan generator "+name)), stream.NPG).Source(0)
	v := make([]float32, count)
	source.NormalInto(v)
	for i := range v {
		v[i] *= float32(std)
	}
	return v
}

// gain is the standard deviation of He's initialisation for LeakyReLU and the number of inputs of a
// unit.
func gain(fanIn int64) float64 { return math.Sqrt(2 / (1 + slope*slope) / float64(fanIn)) }

// lastGain makes the weights of a last layer smaller than usual: the field begins near its start,
// and far from where tanh is flat.
const lastGain = 0.1

func constant(v float32, count int64) []float32 { return slices.Repeat([]float32{v}, int(count)) }
