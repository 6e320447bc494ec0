package denoiser

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"

	"ucan/models/arch"
	"ucan/models/arch/denoise"
	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/smooth/stream"
	"ucan/train"
	"ucan/train/optim"
)

// Objective trains a denoiser through its stages. Close it after use; it is not safe for concurrent
// use.
type Objective struct {
	config     Config
	rt         *runtime.Runtime
	parameters []optim.Parameter // their memory is the objective's own: stages have graphs of their own
	running    arch.Running
	state      []train.State

	current  string // objective of the executor
	executor *autodiff.Executor
	noisy    []float32
}

var _ train.Objective = (*Objective)(nil)

// New opens every stage once, so that what cannot be trained is found before the first step. An
// operator of a classifier that has no gradient is an error that matches
// [autodiff.ErrNotDifferentiable].
func New(ctx context.Context, rt *runtime.Runtime, c Config) (_ *Objective, err error) {
	if err = c.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", optim.ErrConfig, err)
	}
	o := &Objective{config: c, rt: rt, running: c.Net.NewRunning()}
	dim := 1
	for _, n := range c.Shape {
		dim *= n
	}
	o.noisy = make([]float32, c.Rows*c.Draws*dim)
	for _, w := range c.Net.Weights() {
		o.parameters = append(o.parameters, optim.Parameter{
			Name: w.Name, Values: w.Values, Grad: make([]float32, len(w.Values)), Decay: w.Decay, Rate: 1,
		})
	}
	for _, name := range slices.Sorted(maps.Keys(o.running)) {
		o.state = append(o.state, train.State{Name: name, Values: o.running[name]})
	}
	for _, s := range slices.Backward(c.Stages) { // the first one stays open
		if err = o.open(ctx, s.Objective); err != nil {
			return nil, errors.Join(err, o.Close())
		}
		o.config.Mode = o.executor.Mode()
	}
	return o, nil
}

// open makes an objective's gradient graph the one that runs.
func (o *Objective) open(ctx context.Context, objective string) error {
	if o.current == objective {
		return nil
	}
	if err := o.Close(); err != nil {
		return err
	}
	c := o.config
	graph, err := stepGraph(c, objective)
	if err != nil {
		return fmt.Errorf("train a denoiser: build the step: %w", err)
	}
	options := autodiff.Options{
		Losses: []autodiff.Loss{autodiff.Existing{Value: lossOutput}}, Sizes: map[string]int64{"N": int64(c.Rows * c.Draws)},
		CPU: onCPU(c.Session), Rules: rules(c.Net.Rules()),
	}
	if objective != MSE {
		options.Output = logitsOutput
	}
	for _, p := range o.parameters {
		options.Wrt = append(options.Wrt, p.Name)
	}
	x, err := autodiff.NewExecutor(ctx, o.rt, graph, autodiff.ExecutorOptions{Options: options, Mode: c.Mode, Session: c.Session})
	if err != nil {
		return fmt.Errorf("train a denoiser: differentiate the step of %s: %w", objective, err)
	}
	o.executor, o.current = x, objective
	return nil
}

// onCPU reports whether everything runs on the CPU provider.
func onCPU(o runtime.SessionOptions) bool {
	return !slices.ContainsFunc(o.Providers, func(p runtime.Provider) bool { return p.Name != runtime.CPU })
}

// Mode is how weights reach the runtime.
func (o *Objective) Mode() autodiff.WeightMode { return o.config.Mode }

// Parameters returns the denoiser's weights.
func (o *Objective) Parameters() []optim.Parameter { return o.parameters }

// State returns the running averages of batch statistics.
func (o *Objective) State() []train.State { return o.state }

// Step computes loss and gradients of a batch with noisy inputs, by the objective of its epoch.
// Noisy is the share of copies in which the first classifier sees the label; 0 under mse, which
// asks none.
func (o *Objective) Step(ctx context.Context, b *train.Batch) (train.Metrics, error) {
	c := o.config
	if len(b.Noisy) != len(o.noisy) || len(b.Labels) != c.Rows {
		return train.Metrics{}, fmt.Errorf("train a denoiser: a batch of %d noisy values and %d labels; the step takes %d and %d", len(b.Noisy), len(b.Labels), len(o.noisy), c.Rows)
	}
	objective := c.objectiveAt(b.Epoch)
	if err := o.open(ctx, objective); err != nil {
		return train.Metrics{}, err
	}
	labels := b.Labels
	if objective == Stability {
		labels = make([]int64, c.Rows)
		if err := o.label(ctx, b.Clean, labels); err != nil {
			return train.Metrics{}, err
		}
	}
	x := o.executor
	for _, p := range o.parameters {
		copy(x.Weight(p.Name), p.Values)
	}
	x.Changed()
	o.fill(x.Floats(denoise.Noisy), b)
	if objective == MSE {
		copy(x.Floats(cleanInput), b.Clean)
	} else {
		copy(x.Ints(labelsInput), labels)
	}
	if err := x.Step(ctx); err != nil {
		return train.Metrics{}, fmt.Errorf("train a denoiser: step %d: %w", b.Step, err)
	}
	for _, p := range o.parameters {
		copy(p.Grad, x.Grad(lossOutput, p.Name))
	}
	if s := c.Net.Statistics(); len(s) > 0 {
		if err := o.running.Update(s, c.Rows*c.Draws, c.Momentum, x.Result); err != nil {
			return train.Metrics{}, err
		}
	}
	m := train.Metrics{Loss: x.Loss(lossOutput)}
	if z := x.Result(logitsOutput); objective != MSE {
		m.Noisy = train.CorrectShare(z, labels, c.Draws, len(z)/(c.Rows*c.Draws))
	}
	return m, nil
}

// levelsTag keeps the draws of noise levels apart from all others.
var levelsTag = sha256.Sum256([]byte("ucan/train/denoiser/levels"))

// fill writes the noisy inputs, the noise scaled where levels are drawn.
func (o *Objective) fill(dst []float32, b *train.Batch) {
	lo, hi := o.config.Levels[0], o.config.Levels[1]
	if lo == hi {
		copy(dst, b.Noisy)
		return
	}
	dim := len(b.Clean) / b.Rows
	key := stream.New(o.config.Seed, levelsTag, stream.Train)
	source := key.Source(uint64(b.Step))
	for i := range b.Rows * b.Draws {
		t := float32(lo + (hi-lo)*source.Float64Open())
		clean := b.Clean[i/b.Draws*dim:][:dim]
		noisy, out := b.Noisy[i*dim:][:dim], dst[i*dim:][:dim]
		for j, x := range clean {
			out[j] = x + t*(noisy[j]-x)
		}
	}
}

// label asks the classifier for the classes of clean inputs.
func (o *Objective) label(ctx context.Context, clean []float32, labels []int64) error {
	f := o.config.Labeler
	dim := len(clean) / len(labels)
	batch := len(f.Input()) / dim
	for from := 0; from < len(labels); from += batch {
		rows := min(batch, len(labels)-from)
		copy(f.Input(), clean[from*dim:(from+rows)*dim])
		got, err := f.Classify(ctx, rows)
		if err != nil {
			return fmt.Errorf("train a denoiser: classify the clean inputs: %w", err)
		}
		for i, l := range got[:rows] {
			labels[from+i] = int64(l)
		}
	}
	return nil
}

// Export returns the denoiser with its present weights, as plain ONNX with a symbolic batch. The
// same weights give the same bytes.
func (o *Objective) Export() (*onnx.Model, error) {
	weights := make(map[string][]float32, len(o.parameters))
	for _, p := range o.parameters {
		weights[p.Name] = p.Values
	}
	m, err := o.config.Net.Export(weights, o.running)
	if err != nil {
		return nil, fmt.Errorf("export the denoiser: %w", err)
	}
	return m, nil
}

// Close releases the session. Further calls do nothing.
func (o *Objective) Close() error {
	if o.executor == nil {
		return nil
	}
	x := o.executor
	o.executor, o.current = nil, ""
	return x.Close()
}
