package generator

import (
	"context"
	"fmt"
	"slices"

	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/train"
	"ucan/train/optim"
)

// Objective computes the loss of a generator and its gradients. Close it after use; it is not safe
// for concurrent use.
type Objective struct {
	config     Config
	classes    int
	executor   *autodiff.Executor
	parameters []optim.Parameter
}

var _ train.Objective = (*Objective)(nil)

// New builds the step graph, differentiates it and opens it on the CPU provider. An operator of the
// classifier that has no gradient is an error that matches [autodiff.ErrNotDifferentiable].
func New(ctx context.Context, rt *runtime.Runtime, c Config) (_ *Objective, err error) {
	if err = c.Validate(); err != nil {
		return nil, err
	}
	forward, err := forwardGraph(c)
	if err != nil {
		return nil, fmt.Errorf("train a generator: %w", err)
	}
	classes, err := c.Base.Classes()
	if err != nil {
		return nil, fmt.Errorf("train a generator: %w", err)
	}
	step, err := lossGraph(forward, c, classes)
	if err != nil {
		return nil, fmt.Errorf("train a generator: build the loss: %w", err)
	}
	o := &Objective{config: c, classes: int(classes)}
	weights := o.weights()
	names := make([]string, len(weights))
	for i, w := range weights {
		names[i] = w.Name
	}
	o.executor, err = autodiff.NewExecutor(ctx, rt, step, autodiff.ExecutorOptions{
		Options: autodiff.Options{
			Wrt: names, Losses: []autodiff.Loss{autodiff.Existing{Value: lossOutput}}, Output: logitOutput, CPU: true,
		},
		Mode:    autodiff.WeightMode(c.Mode),
		Session: runtime.SessionOptions{IntraOp: c.Threads},
	})
	if err != nil {
		return nil, fmt.Errorf("train a generator: differentiate the step: %w", err)
	}
	for _, w := range weights {
		values := o.executor.Weight(w.Name)
		o.parameters = append(o.parameters, optim.Parameter{
			Name: w.Name, Values: values, Grad: o.executor.Grad(lossOutput, w.Name), Decay: w.Decay, Rate: w.Rate,
		})
	}
	return o, nil
}

// Classes reads the number of classes off the classifier's declaration.
func (c Base) Classes() (int64, error) {
	if c.Head == Binary {
		return 2, nil
	}
	out, ok := c.Graph.Output(c.Scores)
	if !ok || len(out.Shape) != 2 || !out.Shape[1].IsFixed() || out.Shape[1].Size < 2 {
		return 0, fmt.Errorf("the scores of the base classifier (%v) are not a matrix [N, classes] of two classes or more", out)
	}
	return out.Shape[1].Size, nil
}

// weights are those of the generator, then those of the classifier under the names of the step
// graph.
func (o *Objective) weights() []Weight {
	all := slices.Clone(o.config.Weights)
	for _, w := range o.config.Base.Weights {
		w.Name = basePrefix + w.Name
		all = append(all, w)
	}
	return all
}

// Mode returns how changing weights reach the runtime: what a checkpoint keeps.
func (o *Objective) Mode() string { return string(o.executor.Mode()) }

// Parameters returns the weights of the generator, then those of the classifier, whose names begin
// with "f.".
func (o *Objective) Parameters() []optim.Parameter { return o.parameters }

// State returns nil: everything that training changes is a weight.
func (o *Objective) State() []train.State { return nil }

// Step computes loss and gradients at b, whose size must be that of the configuration.
func (o *Objective) Step(ctx context.Context, b *train.Batch) (train.Metrics, error) {
	if b.Rows != o.config.Rows || b.Draws != o.config.Draws || b.Noise == nil {
		return train.Metrics{}, fmt.Errorf("train a generator: a batch of %d inputs with %d draws does not fit the step of %d with %d",
			b.Rows, b.Draws, o.config.Rows, o.config.Draws)
	}
	copy(o.executor.Floats("x"), b.Clean)
	copy(o.executor.Floats(noiseInput), b.Noise)
	copy(o.executor.Ints(labelsInput), b.Labels)
	o.executor.Changed()
	if err := o.executor.Step(ctx); err != nil {
		return train.Metrics{}, fmt.Errorf("train a generator: step %d: %w", b.Step, err)
	}
	return o.metrics(b.Labels), nil
}

// Generator returns the generator's weights by the names of its own graph, in memory that steps
// change.
func (o *Objective) Generator() map[string][]float32 {
	out := make(map[string][]float32)
	for _, w := range o.config.Weights {
		out[w.Name] = o.executor.Weight(w.Name)
	}
	return out
}

// Classifier returns the jointly trained weights by the names of the classifier's own graph; empty
// when it is frozen.
func (o *Objective) Classifier() map[string][]float32 {
	out := make(map[string][]float32)
	for _, w := range o.config.Base.Weights {
		out[w.Name] = o.executor.Weight(basePrefix + w.Name)
	}
	return out
}

// Close releases the session. Further calls do nothing.
func (o *Objective) Close() error {
	if o.executor == nil {
		return nil
	}
	return o.executor.Close()
}
