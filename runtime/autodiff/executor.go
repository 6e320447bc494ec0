package autodiff

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

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
	opts    runtime.SessionOptions
	sess    *runtime.Session
	in, out []*runtime.Tensor          // of sess, in its order
	data    map[string]*runtime.Tensor // inputs that are not weights
	weights map[string][]float32
	inputs  map[string]*runtime.Tensor // over the weights that are inputs
	order   []string                   // of the weights
	results map[string]*runtime.Tensor
	dirty   bool // weights have changed since the session was made
	closed  bool
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
	if m, err = Initialised(ctx, OnRuntime(rt), m, opts.Wrt...); err != nil {
		return nil, err
	}
	g, err := Differentiate(ctx, OnRuntime(rt), m, opts.Options)
	if err != nil {
		return nil, err
	}
	x := &Executor{
		rt: rt, mode: opts.Mode, grad: g, opts: opts.Session, data: make(map[string]*runtime.Tensor), weights: make(map[string][]float32),
		inputs: make(map[string]*runtime.Tensor), results: make(map[string]*runtime.Tensor),
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
		if data := x.weights[in.Name]; data != nil {
			x.inputs[in.Name], err = runtime.NewTensor(rt, m.Initializer(in.Name).GetDims(), data)
		} else {
			x.data[in.Name], err = declaredTensor(rt, in)
		}
		if err != nil {
			return nil, err
		}
	}
	x.opts.Outputs = slices.Clone(g.Losses)
	for _, l := range g.Losses {
		for _, w := range g.Wrt {
			x.opts.Outputs = append(x.opts.Outputs, g.Output(l, w))
		}
	}
	for _, o := range g.Model.Outputs() {
		if !slices.Contains(x.opts.Outputs, o.Name) && isFixed(o) {
			x.opts.Outputs = append(x.opts.Outputs, o.Name)
		}
	}
	for _, name := range x.opts.Outputs {
		o, _ := g.Model.Output(name)
		if x.results[name], err = declaredTensor(rt, o); err != nil {
			return nil, err
		}
		x.out = append(x.out, x.results[name])
	}
	if x.dirty = x.mode == WeightsAsConstants; x.dirty {
		return x, nil // the first step makes the session
	}
	if err = x.load(ctx, g.Model); err != nil {
		return nil, err
	}
	return x, nil
}

// load makes the session of a graph. The one before goes first, so that its memory can be used
// again.
func (x *Executor) load(ctx context.Context, m *onnx.Model) error {
	b, err := m.Marshal()
	if err != nil {
		return err
	}
	old := x.sess
	x.sess = nil
	if err = old.Close(); err != nil {
		return err
	}
	if x.sess, err = x.rt.NewSession(ctx, b, x.opts); err != nil {
		return err
	}
	x.in = nil
	for _, in := range x.sess.Inputs() {
		x.in = append(x.in, cmp.Or(x.inputs[in.Name], x.data[in.Name]))
	}
	return nil
}

// renew makes a session with the present weights as constants.
func (x *Executor) renew(ctx context.Context) error {
	m, err := x.grad.Model.WithFloats(x.weights)
	if err != nil {
		return err
	}
	return x.load(ctx, m)
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
		return nil, fmt.Errorf("autodiff: the size of %v is open; it has to be fixed in the file", v)
	}
	return emptyTensor(rt, v.Type, sizesOf(v))
}

// sizesOf returns the declared dimensions of a value whose sizes are fixed.
func sizesOf(v onnx.ValueInfo) []int64 {
	dims := make([]int64, len(v.Shape))
	for i, d := range v.Shape {
		dims[i] = d.Size
	}
	return dims
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

// Weights returns the names of the weights, in the order of Wrt.
func (x *Executor) Weights() []string { return slices.Clone(x.order) }

// Weight returns the memory of a weight, or nil when there is none of the name. Call
// [Executor.Changed] after writing to it.
func (x *Executor) Weight(name string) []float32 { return x.weights[name] }

// Changed says that weights have been written to.
func (x *Executor) Changed() { x.dirty = x.mode == WeightsAsConstants }

// Step computes losses and gradients.
func (x *Executor) Step(ctx context.Context) error {
	if x.closed {
		return errors.New("autodiff: the executor is closed")
	}
	if x.dirty {
		if err := x.renew(ctx); err != nil {
			return fmt.Errorf("autodiff: update weights: %w", err)
		}
		x.dirty = false
	}
	if err := x.sess.Run(ctx, x.in, x.out); err != nil {
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

// Close releases the session and the tensors. Further calls do nothing.
func (x *Executor) Close() error {
	if x == nil {
		return nil
	}
	x.closed = true
	err := x.sess.Close()
	for _, tensors := range []map[string]*runtime.Tensor{x.inputs, x.data, x.results} {
		for _, name := range slices.Sorted(maps.Keys(tensors)) {
			err = errors.Join(err, tensors[name].Close())
		}
	}
	return err
}

// measureSteps is how many steps a mode is timed for; the best counts.
const measureSteps = 3

// measureExecutor opens the faster of the two modes, each step counted with the renewal of the
// weights. Without weights among Wrt there is nothing to choose.
func measureExecutor(ctx context.Context, rt *runtime.Runtime, m *onnx.Model, opts ExecutorOptions) (*Executor, error) {
	some := false
	for _, w := range opts.Wrt {
		some = some || m.Initializer(w) != nil
	}
	var best *Executor
	var bestTime time.Duration
	for _, mode := range []WeightMode{WeightsAsConstants, WeightsAsInputs} {
		opts.Mode = mode
		x, err := openExecutor(ctx, rt, m, opts)
		if err != nil {
			return nil, errors.Join(err, best.Close())
		}
		if !some {
			return x, nil
		}
		t, err := timeSteps(ctx, x)
		if err != nil {
			return nil, errors.Join(err, x.Close(), best.Close())
		}
		if best == nil || t < bestTime {
			best, x, bestTime = x, best, t
		}
		if err := x.Close(); err != nil {
			return nil, errors.Join(err, best.Close())
		}
	}
	return best, nil
}

// timeSteps returns the time of the fastest of a few steps.
func timeSteps(ctx context.Context, x *Executor) (time.Duration, error) {
	best := time.Duration(1<<63 - 1)
	for range measureSteps {
		x.Changed()
		start := time.Now()
		if err := x.Step(ctx); err != nil {
			return 0, err
		}
		best = min(best, time.Since(start))
	}
	return best, nil
}
