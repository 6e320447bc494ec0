package base

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"ucan/runtime"
	"ucan/runtime/autodiff"
	"ucan/runtime/onnx"
	"ucan/train"
	"ucan/train/optim"
)

// Config configures what is minimised and how the gradients are computed.
type Config struct {
	// Rows is the number of images of a batch, Draws that of noisy copies of each, ≥ 1.
	Rows, Draws int
	// Smoothing is the fraction of the label's probability that is spread over all classes, in [0,
	// 1).
	Smoothing float64
	// Consistency is the weight of the consistency term, ≥ 0; it needs two draws. Entropy is that
	// of the mean prediction's entropy within it, ≥ 0; Jeong and Shin take 0.5 over the consistency
	// weight.
	Consistency, Entropy float64
	// Attack moves images before each step.
	Attack Attack
	// Momentum is that of the running averages of batch statistics, in (0, 1]; 0.1 is usual.
	Momentum float64
	// Mode is how weights reach the runtime. It can change bits: give a resumed run what
	// [Objective.Mode] returned.
	Mode autodiff.WeightMode
	// Session says on which provider and how many threads the gradient graph runs. Threads can
	// change bits.
	Session runtime.SessionOptions
}

// Validate reports every fault.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Rows >= 1 && c.Draws >= 1, "batches of %d images with %d draws; both must be 1 or more", c.Rows, c.Draws)
	check(c.Smoothing >= 0 && c.Smoothing < 1, "label smoothing %v; it must lie in [0, 1)", c.Smoothing)
	check(c.Consistency >= 0 && c.Entropy >= 0, "consistency weights %v and %v; they must be 0 or more", c.Consistency, c.Entropy)
	check(c.Consistency == 0 || c.Draws >= 2, "consistency compares draws of an image; take 2 draws or more")
	check(c.Attack.Radius >= 0 && !math.IsInf(c.Attack.Radius, 0), "an attack of radius %v; it must be 0 or more", c.Attack.Radius)
	check(c.Attack.Radius == 0 || c.Attack.Steps >= 1, "an attack of %d steps; take 1 or more", c.Attack.Steps)
	check(!slices.ContainsFunc(c.Attack.Scale, func(s float32) bool { return !(s > 0) }), "the scales of an attack must be positive")
	check(c.Momentum > 0 && c.Momentum <= 1, "momentum %v of the batch statistics; it must lie in (0, 1]", c.Momentum)
	if len(errs) > 0 {
		return fmt.Errorf("%w: %w", optim.ErrConfig, errors.Join(errs...))
	}
	return nil
}

// Objective trains a [Net]. It implements train.Objective and owns sessions: close it.
type Objective struct {
	net        *Net
	config     Config
	executor   *autodiff.Executor
	parameters []optim.Parameter
	state      []train.State
	images     []float32
	labels     []int64
	logits     []float32
	classes    int
	attacker   *attacker // nil: images are not moved
}

var _ train.Objective = (*Objective)(nil)

// New differentiates the net at the configured batch and opens its session. Operators without a
// rule for gradients are an error that matches autodiff.ErrNotDifferentiable and names them all.
func New(ctx context.Context, rt *runtime.Runtime, net *Net, c Config) (_ *Objective, err error) {
	if err = c.Validate(); err != nil {
		return nil, err
	}
	wrt := make([]string, len(net.weights))
	for i, w := range net.weights {
		wrt[i] = w.name
	}
	in, ok := net.graph.Input(net.input)
	if !ok || len(in.Shape) == 0 {
		return nil, fmt.Errorf("the classifier has no input %q with a batch", net.input)
	}
	sizes := map[string]int64{}
	if batch := in.Shape[0]; !batch.IsFixed() {
		sizes[batch.Symbol] = int64(c.Rows * c.Draws)
	} else if batch.Size != int64(c.Rows*c.Draws) {
		return nil, fmt.Errorf("the classifier takes batches of %d only; train with --batch %d", batch.Size, max(1, int(batch.Size)/c.Draws))
	}
	o := &Objective{net: net, config: c}
	o.executor, err = autodiff.NewExecutor(ctx, rt, net.graph, autodiff.ExecutorOptions{
		Options: autodiff.Options{
			Wrt: wrt, Losses: []autodiff.Loss{loss{c, net.one.shift}}, Output: net.logits, Sizes: sizes, CPU: onCPU(c.Session),
			Rules: net.rules,
		},
		Mode: c.Mode, Session: c.Session,
	})
	if err != nil {
		return nil, fmt.Errorf("differentiate the classifier: %w", err)
	}
	o.bind()
	if c.Attack.Radius > 0 {
		if o.attacker, err = newAttacker(ctx, rt, net, c, wrt, sizes); err != nil {
			return nil, errors.Join(err, o.executor.Close())
		}
	}
	return o, nil
}

// onCPU reports whether everything runs on the CPU provider.
func onCPU(o runtime.SessionOptions) bool {
	return !slices.ContainsFunc(o.Providers, func(p runtime.Provider) bool { return p.Name != runtime.CPU })
}

// bind collects the memory that steps read and write.
func (o *Objective) bind() {
	x := o.executor
	for _, w := range o.net.weights {
		o.parameters = append(o.parameters, optim.Parameter{
			Name: w.name, Values: x.Weight(w.name), Grad: x.Grad(lossName, w.name), Decay: w.decay, Rate: 1,
		})
	}
	for _, name := range slices.Sorted(maps.Keys(o.net.running)) {
		o.state = append(o.state, train.State{Name: name, Values: o.net.running[name]})
	}
	o.images, o.labels, o.logits = x.Floats(o.net.input), x.Ints(x.Gradient().Input(lossName, labelsInput)), x.Result(o.net.logits)
	o.classes = max(2, len(o.logits)/(o.config.Rows*o.config.Draws))
}

// Mode is how weights reach the runtime.
func (o *Objective) Mode() autodiff.WeightMode { return o.executor.Mode() }

// Parameters returns the weights.
func (o *Objective) Parameters() []optim.Parameter { return o.parameters }

// State returns the running averages of batch statistics.
func (o *Objective) State() []train.State { return o.state }

// Step computes loss and gradients of a batch with noisy images.
func (o *Objective) Step(ctx context.Context, b *train.Batch) (train.Metrics, error) {
	if len(b.Noisy) != len(o.images) || len(b.Labels) != len(o.labels) {
		return train.Metrics{}, fmt.Errorf("a batch of %d noisy values and %d labels; the gradient graph takes %d and %d", len(b.Noisy), len(b.Labels), len(o.images), len(o.labels))
	}
	if o.attacker != nil {
		if err := o.attacker.move(ctx, o.images, b, o.executor.Weight); err != nil {
			return train.Metrics{}, fmt.Errorf("move the images: %w", err)
		}
	} else {
		copy(o.images, b.Noisy)
	}
	copy(o.labels, b.Labels)
	o.executor.Changed()
	if err := o.executor.Step(ctx); err != nil {
		return train.Metrics{}, err
	}
	if len(o.net.statistics) > 0 {
		if err := o.net.running.Update(o.net.statistics, len(b.Labels)*b.Draws, o.config.Momentum, o.executor.Result); err != nil {
			return train.Metrics{}, err
		}
	}
	return train.Metrics{Loss: o.executor.Loss(lossName), Noisy: train.CorrectShare(o.net.one.pairs(o.logits), b.Labels, b.Draws, o.classes)}, nil
}

// Export returns the classifier with its present weights, as plain ONNX with a symbolic batch. The
// same weights give the same bytes.
func (o *Objective) Export() (*onnx.Model, error) {
	weights := make(map[string][]float32, len(o.parameters))
	for _, p := range o.parameters {
		weights[p.Name] = p.Values
	}
	m, err := o.net.export(weights, o.net.running)
	if err != nil {
		return nil, fmt.Errorf("export the classifier: %w", err)
	}
	return m, nil
}

// Close releases the sessions. Further calls do nothing.
func (o *Objective) Close() error {
	err := o.executor.Close()
	if o.attacker != nil {
		err = errors.Join(err, o.attacker.executor.Close())
	}
	return err
}
