// Package base trains base classifiers under noise: a built-in architecture from its initial
// weights, or any ONNX classifier that is fine-tuned.
//
// The loss of an image x with label y over m noisy copies x_j = x + μ + s⊙λε_j is
//
//	1/m · Σ_j CE(F(x_j), y)  +  w·( 1/m · Σ_j KL(F̄ ‖ F(x_j)) + h·H(F̄) ),  F̄ = 1/m · Σ_j F(x_j),
//
// F being the softmax of the logits and CE the cross-entropy with smoothed labels. The first term
// alone is the training of Cohen, Rosenfeld, Kolter (2019); the second is the consistency
// regularisation of Jeong and Shin ("Consistency regularization for certified robustness of
// smoothed classifiers", 2020, equation 7, with η = w·h).
package base

import (
	"context"
	"fmt"
	"slices"

	"ucan/models"
	"ucan/models/arch"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/runtime/onnx/onnxpb"
)

// Net is a classifier to train: a graph whose named initialisers are the weights.
type Net struct {
	graph         *onnx.Model
	input, logits string
	weights       []weight
	statistics    []arch.Statistic
	running       arch.Running
	rules         map[string]autodiff.Rule // beside those of autodiff
	one           single
	ending        autodiff.Ending
	export        func(weights map[string][]float32, running arch.Running) (*onnx.Model, error)
}

type weight struct {
	name  string
	decay bool
}

// FromArch takes a built-in network with its initial weights. Its batch normalisations are trained
// on the statistics of each batch, and folded away at export by their running averages.
func FromArch(n *arch.Network) *Net {
	net := &Net{
		graph: n.Training(), input: arch.Images, logits: arch.Logits,
		statistics: n.Statistics(), running: n.NewRunning(), rules: n.Rules(), export: n.Export,
	}
	for _, w := range n.Weights() {
		net.weights = append(net.weights, weight{w.Name, w.Decay})
	}
	return net
}

// opset is the oldest version of the operators that what is trained is written in; older files are
// converted.
const opset = 17

// FromModel takes an opened classifier to fine-tune: every float32 initialiser that
// autodiff.Trainable lists, those with two dimensions or more with weight decay. Weights that nodes
// make of constants become initialisers first. Its batch normalisations stay the affine maps they
// are, and the preprocessing declared for it stays in front, inside what is exported.
func FromModel(ctx context.Context, eng autodiff.Engine, m *models.Model) (*Net, error) {
	graph := m.Graph()
	scores, ok := graph.Output(models.GraphScores)
	if !ok {
		return nil, fmt.Errorf("fine-tune %s: it returns labels and no scores; take a model that returns logits", m.Name())
	}
	logits := source(graph, models.GraphScores)
	graph, err := graph.Inlined()
	if err == nil {
		graph, err = graph.WithOpset(max(opset, graph.Opset("")))
	}
	if err != nil {
		return nil, fmt.Errorf("fine-tune %s: %w", m.Name(), err)
	}
	b := onnx.Extend(graph)
	b.ClearOutputs()
	b.Output(logits, b.Value(logits), onnx.Float, scores.Shape...)
	if graph, err = b.Build(); err == nil {
		graph, err = graph.WithoutDead()
	}
	if err == nil {
		graph, err = autodiff.WithWeights(ctx, eng, graph)
	}
	var names map[string]string
	if err == nil {
		names = freeNames(graph, map[string]string{models.GraphInput: arch.Images, logits: arch.Logits})
		graph, err = graph.Renamed(names)
	}
	if err != nil {
		return nil, fmt.Errorf("fine-tune %s: %w", m.Name(), err)
	}
	net := &Net{graph: graph, input: names[models.GraphInput], logits: names[logits]}
	net.ending = autodiff.EndingOf(graph, net.logits)
	if n := len(scores.Shape); n > 0 {
		if net.one, err = singleOf(m, scores.Shape[n-1].Size, net.ending); err != nil {
			return nil, fmt.Errorf("fine-tune %s: %w", m.Name(), err)
		}
	}
	if err = net.takeWeights(m.Name()); err != nil {
		return nil, err
	}
	net.export = func(weights map[string][]float32, _ arch.Running) (*onnx.Model, error) {
		return graph.WithFloats(weights)
	}
	return net, nil
}

// takeWeights lists the weights of the graph.
func (n *Net) takeWeights(name string) error {
	n.weights = nil
	for _, w := range autodiff.Trainable(n.graph) {
		if t := n.graph.Initializer(w); onnx.TensorType(t) == onnx.Float {
			n.weights = append(n.weights, weight{w, len(t.GetDims()) >= 2})
		}
	}
	if len(n.weights) == 0 {
		return fmt.Errorf("fine-tune %s: %w: it has no float32 weights that a gradient can move", name, autodiff.ErrNotDifferentiable)
	}
	return nil
}

// Renormalise puts batch normalisations, trained on the statistics of each batch, behind the
// convolutions of a classifier that is fine-tuned; they are folded away at export. They begin by
// the moments of rows images, one after another in images, which the classifier is used to. It
// returns arch.ErrNoRenormalisation, wrapped, where that cannot be done.
func (n *Net) Renormalise(ctx context.Context, eng autodiff.Engine, images []float32, rows int) error {
	in, _ := n.graph.Input(n.input)
	dims := []int64{int64(rows)}
	for _, d := range in.Shape[1:] {
		dims = append(dims, d.Size)
	}
	x, err := onnx.NewTensor(n.input, dims, images)
	if err != nil {
		return fmt.Errorf("normalise the convolutions: %w", err)
	}
	r, err := arch.Renormalise(n.graph, func(m *onnx.Model) (map[string]*onnxpb.TensorProto, error) {
		return eng.Eval(ctx, m, []*onnxpb.TensorProto{x})
	})
	if err != nil {
		return fmt.Errorf("normalise the convolutions: %w", err)
	}
	n.graph, n.statistics, n.running, n.rules, n.export = r.Training(), r.Statistics(), r.NewRunning(), r.Rules(), r.Export
	return n.takeWeights(n.graph.Name())
}

// freeNames makes wanted names, from present ones to new ones, free of those that other values of
// the graph have.
func freeNames(m *onnx.Model, wanted map[string]string) map[string]string {
	out := make(map[string]string, len(wanted))
	for from, to := range wanted {
		if from != to && slices.Contains(m.Values(), to) {
			to = m.FreshName(to)
		}
		out[from] = to
	}
	return out
}

// source follows a value back through Identity nodes, so that a Softmax behind them is seen.
func source(m *onnx.Model, name string) string {
	made := make(map[string]string)
	for _, n := range m.Nodes() {
		if n.GetOpType() == "Identity" {
			made[n.GetOutput()[0]] = n.GetInput()[0]
		}
	}
	for range len(made) {
		from, ok := made[name]
		if !ok {
			break
		}
		name = from
	}
	return name
}

// Normalises reports whether the net has batch normalisations that are trained on batch statistics.
func (n *Net) Normalises() bool { return len(n.statistics) > 0 }

// Single reports whether the net returns one score a row, which is compared with a threshold.
func (n *Net) Single() bool { return n.one.is }

// Ending says what the scores are made by.
func (n *Net) Ending() autodiff.Ending { return n.ending }

// Names returns the names of the input and of the logits in what is exported.
func (n *Net) Names() (input, logits string) { return n.input, n.logits }
