package autodiff

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"ucan/runtime"
	"ucan/runtime/onnx"
)

// WeightMode is how changing weights reach the runtime.
type WeightMode string

const (
	// WeightsAsInputs reads the weights from the caller's memory in every step.
	WeightsAsInputs WeightMode = "inputs"
	// WeightsAsConstants rebuilds the session whenever the weights have changed: more work in
	// advance, for faster convolutions.
	WeightsAsConstants WeightMode = "constants"
	// MeasureWeightMode tries both and keeps the faster. Which one runs changes the last bits of
	// results; a resumed run must be given the mode that [Executor.Mode] returned.
	MeasureWeightMode WeightMode = "measure"
)

// ExecutorOptions configure an [Executor].
type ExecutorOptions struct {
	// Options say what to differentiate. Promote is ignored: Mode decides. Sizes must fix every
	// symbolic dimension. Output dimensions too. CPU holds where Session has no other provider.
	Options
	// Mode is how initialisers among Wrt reach the runtime.
	Mode WeightMode
	// Session are the options of the sessions, all but Outputs.
	Session runtime.SessionOptions
}

// Executor computes losses and their gradients step after step: it runs a gradient graph over
// memory that the caller fills and reads. It is not safe for
// concurrent use.
type Executor struct {
	rt      *runtime.Runtime
	mode    WeightMode
	grad    *Gradient
	backend weightBackend
	data    map[string]*runtime.Tensor // inputs that are no weights
	weights map[string][]float32
	order   []string // of the weights
	results map[string]*runtime.Tensor
	outputs []string
	dirty   bool
}

// weightBackend is one way of bringing weights to a session.
type weightBackend interface {
	// update makes the next run use the present weights.
	update(ctx context.Context) error
	// run executes the graph.
	run(ctx context.Context) error
	close() error
}

// NewExecutor differentiates m and opens it. The weights start as the initialisers of m; inputs
// start as zeros.
func NewExecutor(ctx context.Context, rt *runtime.Runtime, m *onnx.Model, opts ExecutorOptions) (*Executor, error) {
	switch opts.Mode {
	case WeightsAsInputs, WeightsAsConstants:
		return openExecutor(ctx, rt, m, opts)
	case MeasureWeightMode:
		return measureExecutor(ctx, rt, m, opts)
	}
	return nil, fmt.Errorf("autodiff: unknown weight mode %q", opts.Mode)
}

func openExecutor(ctx context.Context, rt *runtime.Runtime, m *onnx.Model, opts ExecutorOptions) (_ *Executor, err error) {
	opts.Promote = opts.Mode == WeightsAsInputs
	opts.CPU = opts.CPU || !slices.ContainsFunc(opts.Session.Providers, func(p runtime.Provider) bool { return p.Name != runtime.CPU })
	g, err := Differentiate(ctx, OnRuntime(rt), m, opts.Options)
	if err != nil {
		return nil, err
	}
	x := &Executor{
		rt: rt, mode: opts.Mode, grad: g, dirty: true,
		data: make(map[string]*runtime.Tensor), weights: make(map[string][]float32), results: make(map[string]*runtime.Tensor),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, x.Close())
		}
	}()
	for _, w := range g.Wrt {
		t := m.Initializer(w)
		if t == nil {
			continue
		}
		if x.weights[w], err = onnx.Float32s(t); err != nil {
			return nil, err
		}
		x.order = append(x.order, w)
	}
	for _, in := range g.Model.Inputs() {
		if x.weights[in.Name] != nil {
			continue
		}
		if x.data[in.Name], err = declaredTensor(rt, in); err != nil {
			return nil, err
		}
	}
	x.outputs = append(x.outputs, g.Losses...)
	for _, l := range g.Losses {
		for _, w := range g.Wrt {
			x.outputs = append(x.outputs, g.Output(l, w))
		}
	}
	for _, o := range g.Model.Outputs() {
		if !slices.Contains(x.outputs, o.Name) && isFixed(o) {
			x.outputs = append(x.outputs, o.Name)
		}
	}
	for _, name := range x.outputs {
		o, _ := g.Model.Output(name)
		if x.results[name], err = declaredTensor(rt, o); err != nil {
			return nil, err
		}
	}
	session := opts.Session
	session.Outputs = x.outputs
	// A nil pointer in backend would not be a nil backend.
	if opts.Mode == WeightsAsInputs {
		w, err := newInputWeights(ctx, x, session)
		if err != nil {
			return nil, err
		}
		x.backend = w
	} else {
		w, err := newConstantWeights(x, session)
		if err != nil {
			return nil, err
		}
		x.backend = w
	}
	return x, nil
}

func isFixed(v onnx.ValueInfo) bool {
	for _, d := range v.Shape {
		if !d.IsFixed() {
			return false
		}
	}
	return v.HasShape
}

// declaredTensor returns a zeroed tensor of the declared type and shape.
func declaredTensor(rt *runtime.Runtime, v onnx.ValueInfo) (*runtime.Tensor, error) {
	if !isFixed(v) {
		return nil, fmt.Errorf("autodiff: the size of %v is open; fix it in Options.Sizes", v)
	}
	dims := make([]int64, len(v.Shape))
	for i, d := range v.Shape {
		dims[i] = d.Size
	}
	return emptyTensor(rt, v.Type, dims)
}

// Mode returns the weight mode that runs.
func (x *Executor) Mode() WeightMode { return x.mode }

// Gradient returns the graph that runs.
func (x *Executor) Gradient() *Gradient { return x.grad }

// Floats returns the memory of a float32 input, to be filled before a step, or nil when there is
// none of the name. [Gradient.Input] tells what an input of a loss is called.
func (x *Executor) Floats(input string) []float32 { return dataOf[float32](x.data[input]) }

// Ints returns the memory of an int64 input, such as labels, or nil when there is none of the name.
func (x *Executor) Ints(input string) []int64 { return dataOf[int64](x.data[input]) }

// Result returns the memory of a float32 output of the last step, or nil.
func (x *Executor) Result(output string) []float32 { return dataOf[float32](x.results[output]) }

func dataOf[T onnx.Element](t *runtime.Tensor) []T {
	if t == nil {
		return nil
	}
	return runtime.Data[T](t)
}

// Weights returns the names of the weights, in the order of Wrt.
func (x *Executor) Weights() []string { return slices.Clone(x.order) }

// Weight returns the memory of a weight, or nil when there is none of the name. Call
// [Executor.Changed] after writing to it.
func (x *Executor) Weight(name string) []float32 { return x.weights[name] }

// Changed says that weights have been written to.
func (x *Executor) Changed() { x.dirty = true }

// Step computes losses and gradients.
func (x *Executor) Step(ctx context.Context) error {
	if x.backend == nil {
		return errors.New("autodiff: the executor is closed")
	}
	if x.dirty {
		if err := x.backend.update(ctx); err != nil {
			return fmt.Errorf("autodiff: update weights: %w", err)
		}
		x.dirty = false
	}
	if err := x.backend.run(ctx); err != nil {
		return fmt.Errorf("autodiff: %w", err)
	}
	return nil
}

// Loss returns the value of a loss in the last step.
func (x *Executor) Loss(loss string) float64 {
	t := x.results[x.grad.Loss(loss)]
	if f := dataOf[float32](t); len(f) == 1 {
		return float64(f[0])
	}
	if f := dataOf[float64](t); len(f) == 1 {
		return f[0]
	}
	return 0
}

// Grad returns a gradient of the last step, row-major, in memory that the next step overwrites; nil
// for names that were not asked for.
func (x *Executor) Grad(loss, wrt string) []float32 {
	return x.Result(x.grad.Output(loss, wrt))
}

// Close releases sessions and tensors. Further calls do nothing.
func (x *Executor) Close() error {
	var err error
	if x.backend != nil {
		err = x.backend.close()
		x.backend = nil
	}
	for _, ts := range []map[string]*runtime.Tensor{x.data, x.results} {
		for _, name := range slices.Sorted(maps.Keys(ts)) {
			if ts[name] != nil {
				err = errors.Join(err, ts[name].Close())
			}
		}
	}
	return err
}
