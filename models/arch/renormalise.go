package arch

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/proto"

	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// ErrNoRenormalisation is what [Renormalise] returns, wrapped, for a graph
// that it cannot normalise.
var ErrNoRenormalisation = errors.New("its convolutions cannot be batch-normalised")

// Renormalised is a classifier whose convolutions have BatchNormalization
// again. Files are published with their normalisations folded into the
// convolutions, and that is a poor state to fine-tune from: under noise of
// another size the activations of every layer have another scale, and only
// many steps bring them back. By batch statistics the scales are right from
// the first step on.
type Renormalised struct {
	plain    *onnx.Model // the classifier, with a bias at every convolution
	training *onnx.Model
	convs    []normalisedConv
	running  Running
}

// normalisedConv is one convolution: its node in the classifier, and the names
// of the constants that training adds.
type normalisedConv struct {
	node         *onnxpb.NodeProto
	scale, shift string
	stat         Statistic
}

func (c normalisedConv) weight() string { return c.node.Input[1] }
func (c normalisedConv) bias() string   { return c.node.Input[2] }
func (c normalisedConv) output() string { return c.node.Output[0] }

// Measure runs a graph over images that the classifier is used to, and returns
// its outputs by name.
type Measure func(*onnx.Model) (map[string]*onnxpb.TensorProto, error)

// Renormalise gives every convolution of m over pictures whose weights are
// float32 constants of its own a BatchNormalization that is trained on batch
// statistics. Scale and shift begin as deviation and mean of what the
// convolution returns for the images of measure: for those the network
// computes what it did. Everything else stays.
//
// It fails, with [ErrNoRenormalisation], where there is no such convolution
// and where another BatchNormalization, or a Sum, depends on one: the rules of
// [Renormalised.Rules] are for its own.
func Renormalise(m *onnx.Model, measure Measure) (*Renormalised, error) {
	r := &Renormalised{running: make(Running)}
	var err error
	if r.plain, r.convs, err = ownConvs(m); err != nil {
		return nil, err
	}
	if err = r.measure(measure); err != nil {
		return nil, err
	}
	if r.training, err = r.normalised(); err != nil {
		return nil, err
	}
	return r, nil
}

// ownConvs returns m with a bias at every convolution that can be normalised,
// and those convolutions.
func ownConvs(m *onnx.Model) (*onnx.Model, []normalisedConv, error) {
	readers := make(map[string]int)
	for _, n := range m.Nodes() {
		for _, u := range onnx.Uses(n) {
			readers[u]++
		}
	}
	own := func(name string, rank int) bool {
		t := m.Initializer(name)
		return t != nil && readers[name] == 1 && onnx.TensorType(t) == onnx.Float && len(t.GetDims()) == rank
	}
	fits := func(n *onnxpb.NodeProto) bool {
		in := n.GetInput()
		return n.GetOpType() == "Conv" && onnx.NormalDomain(n.GetDomain()) == "" && len(in) >= 2 && own(in[1], 4) &&
			(len(in) < 3 || in[2] == "" || own(in[2], 1))
	}
	var convs []normalisedConv
	plain, err := m.Edit(func(p *onnxpb.ModelProto) error {
		for i, n := range p.Graph.Node {
			if !fits(n) {
				continue
			}
			channels := m.Initializer(n.Input[1]).GetDims()[0]
			if len(n.Input) < 3 || n.Input[2] == "" {
				name := m.FreshName(n.Input[1] + ".bias")
				t, err := onnx.NewTensor(name, []int64{channels}, make([]float32, channels))
				if err != nil {
					return err
				}
				p.Graph.Initializer = append(p.Graph.Initializer, t)
				n = proto.CloneOf(n)
				n.Input = append(n.Input[:2:2], name)
				p.Graph.Node[i] = n
			}
			norm := n.Input[1] + ".norm"
			convs = append(convs, normalisedConv{
				node: n, scale: m.FreshName(norm + ".scale"), shift: m.FreshName(norm + ".shift"),
				stat: Statistic{Name: norm, Mean: m.FreshName(norm + ".mean"), Variance: m.FreshName(norm + ".variance"), Channels: int(channels)},
			})
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if len(convs) == 0 {
		return nil, nil, fmt.Errorf("%w: it has none over pictures with constant weights of its own", ErrNoRenormalisation)
	}
	if op := behind(plain, convs); op != "" {
		return nil, nil, fmt.Errorf("%w: a %s depends on one", ErrNoRenormalisation, op)
	}
	return plain, convs, nil
}

// behind returns an operator that depends on a convolution and that
// [Renormalised.Rules], or what rewires the graph, would get wrong.
func behind(m *onnx.Model, convs []normalisedConv) string {
	depends := make(map[string]bool)
	for _, c := range convs {
		depends[c.output()] = true
	}
	for _, n := range m.Nodes() {
		if !slices.ContainsFunc(onnx.Uses(n), func(u string) bool { return depends[u] }) {
			continue
		}
		if slices.Contains([]string{"BatchNormalization", "Sum", "If", "Loop", "Scan"}, n.GetOpType()) {
			return n.GetOpType()
		}
		for _, o := range n.GetOutput() {
			depends[o] = true
		}
	}
	return ""
}

// measure takes mean and variance of every convolution's result over the
// images as the running averages, the mean without the bias.
func (r *Renormalised) measure(run Measure) error {
	b := onnx.Extend(r.plain)
	b.ClearOutputs()
	square := func(i int) string { return fmt.Sprintf("ucan.square.%d", i) }
	size := func(i int) string { return fmt.Sprintf("ucan.size.%d", i) }
	for i, c := range r.convs {
		y := b.Value(c.output())
		b.OutputUntyped(c.stat.Mean, b.Mean(y, false, 0, 2, 3))
		b.OutputUntyped(square(i), b.Mean(b.Mul(y, y), false, 0, 2, 3))
		b.OutputUntyped(size(i), b.Shape(y))
	}
	m, err := b.Build()
	if err != nil {
		return err
	}
	got, err := run(m)
	if err != nil {
		return fmt.Errorf("measure the activations: %w", err)
	}
	for i := range r.convs {
		c := &r.convs[i]
		mean, err1 := onnx.Float32s(got[c.stat.Mean])
		second, err2 := onnx.Float32s(got[square(i)])
		dims, err3 := onnx.Int64s(got[size(i)])
		bias, err4 := onnx.Float32s(r.plain.Initializer(c.bias()))
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			return fmt.Errorf("measure the activations: %w", err)
		}
		mean, second = slices.Clone(mean), slices.Clone(second)
		for j := range mean {
			second[j] = max(0, second[j]-mean[j]*mean[j])
			mean[j] -= bias[j]
			if math.IsNaN(float64(second[j])) || math.IsInf(float64(second[j]), 0) {
				return fmt.Errorf("%w: channel %d of %q is not finite on the data", ErrNoRenormalisation, j, c.output())
			}
		}
		c.stat.Positions = int(dims[2] * dims[3])
		r.running[c.stat.Mean], r.running[c.stat.Variance] = mean, second
	}
	return nil
}

// normalised makes the graph to train.
func (r *Renormalised) normalised() (*onnx.Model, error) {
	b := onnx.Extend(r.plain)
	g := &graph{b: b}
	replaced := make(map[string]string)
	for _, c := range r.convs {
		n, dims := c.node, []int64{int64(c.stat.Channels)}
		bias, err := onnx.Float32s(r.plain.Initializer(c.bias()))
		if err != nil {
			return nil, err
		}
		scale, shift := make([]float32, c.stat.Channels), make([]float32, c.stat.Channels)
		for i := range scale {
			scale[i] = float32(math.Sqrt(float64(r.running[c.stat.Variance][i]) + epsilon))
			shift[i] = r.running[c.stat.Mean][i] + bias[i]
		}
		x, w := b.Value(n.Input[0]), b.Value(n.Input[1])
		mean := b.Reshape(b.GlobalAveragePool(b.Append(n, []onnx.Value{b.Mean(x, true, 0), w})[0]), dims...)
		z := b.Append(n, []onnx.Value{x, w, b.Neg(stopped(b, mean))})[0]
		y := g.batchNorm(z, g.tensor(c.scale, dims, scale), g.tensor(c.shift, dims, shift), dims[0])
		replaced[c.output()] = y.Name()
		b.Output(c.stat.Mean, mean, onnx.Float, onnx.Dims(dims...)...)
		b.Output(c.stat.Variance, g.vars[len(g.vars)-1], onnx.Float, onnx.Dims(dims...)...)
	}
	m, err := b.Build()
	if err != nil {
		return nil, err
	}
	if m, err = m.Edit(func(p *onnxpb.ModelProto) error {
		for i, n := range p.Graph.Node {
			if !slices.ContainsFunc(n.GetInput(), func(u string) bool { return replaced[u] != "" }) {
				continue
			}
			n = proto.CloneOf(n)
			for j, u := range n.Input {
				if to := replaced[u]; to != "" {
					n.Input[j] = to
				}
			}
			p.Graph.Node[i] = n
		}
		return nil
	}); err != nil {
		return nil, err
	}
	if m, err = m.WithoutDead(); err != nil {
		return nil, err
	}
	return m.Sorted()
}

// Training returns the graph to train: what the classifier returned, then mean
// and variance of every [Statistic].
func (r *Renormalised) Training() *onnx.Model { return r.training }

// Statistics returns the layers whose running averages the trainer keeps.
func (r *Renormalised) Statistics() []Statistic {
	out := make([]Statistic, len(r.convs))
	for i, c := range r.convs {
		out[i] = c.stat
	}
	return out
}

// NewRunning returns the averages before the first batch: those of the images
// that [Renormalise] measured.
func (r *Renormalised) NewRunning() Running {
	out := make(Running, len(r.running))
	for name, v := range r.running {
		out[name] = slices.Clone(v)
	}
	return out
}

// Rules are those of [Network.Rules].
func (r *Renormalised) Rules() map[string]autodiff.Rule {
	return map[string]autodiff.Rule{"BatchNormalization": batchNormRule, "Sum": nil}
}

// Export returns the classifier with the given weights (by name, all that were
// trained) and running averages, the normalisations folded away again. It
// fails as [Network.Export] does.
func (r *Renormalised) Export(weights map[string][]float32, running Running) (*onnx.Model, error) {
	if err := allFinite(weights, running); err != nil {
		return nil, err
	}
	rest := maps.Clone(weights)
	for _, c := range r.convs {
		w := weights[c.weight()]
		if len(w) == 0 || len(weights[c.scale]) != c.stat.Channels || len(weights[c.shift]) != c.stat.Channels {
			return nil, fmt.Errorf("arch: weights of %s are missing or of another size", c.stat.Name)
		}
		folded, bias, err := fold(w, weights[c.scale], weights[c.shift], running[c.stat.Mean], running[c.stat.Variance])
		if err != nil {
			return nil, fmt.Errorf("arch: %s: %w", c.stat.Name, err)
		}
		delete(rest, c.scale)
		delete(rest, c.shift)
		rest[c.weight()], rest[c.bias()] = folded, bias
	}
	m, err := r.plain.WithFloats(rest)
	if err != nil {
		return nil, fmt.Errorf("arch: %w", err)
	}
	return m, nil
}
