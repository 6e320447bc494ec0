package autodiff

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"ucan/runtime"
	"ucan/runtime/onnx"
)

// CheckOptions configure [Check].
type CheckOptions struct {
	// Wrt names the input to check by; "" takes the first that is real.
	Wrt string
	// Batch is the size of symbolic dimensions, ≥ 1.
	Batch int64
	// Directions is the number of random directions, ≥ 1.
	Directions int
	// Seed makes inputs, directions and the weights of the outputs.
	Seed uint64
}

// DefaultCheckOptions returns 16 directions at batch 1.
func DefaultCheckOptions() CheckOptions { return CheckOptions{Batch: 1, Directions: 16, Seed: 1} }

// CheckResult is how far a gradient graph is from central differences.
type CheckResult struct {
	Wrt        string `json:"wrt"`
	Batch      int64  `json:"batch"`
	Directions int    `json:"directions"`
	// MedianRelativeError and MaxRelativeError are over the directions, each
	// at the best step of a sweep: |g·v − Δ|/max(|g·v|, |Δ|, ‖g‖/10). The last
	// term is a tenth of the typical size of g·v, v being normal; where g·v
	// happens to be smaller, what remains is the rounding of the forward pass
	// to float32, which decides the sign of a few Relus.
	MedianRelativeError float64 `json:"median_relative_error"`
	MaxRelativeError    float64 `json:"max_relative_error"`
	// Reference is "float64", or "float32" where the model cannot be run in
	// float64.
	Reference string `json:"reference"`
	// GradientNorm is ‖g‖.
	GradientNorm float64 `json:"gradient_norm"`
}

// checkSteps are the steps of the sweep, in units of the inputs, which are
// drawn from [0, 1].
func checkSteps(reference string) []float64 {
	if reference == "float64" {
		return []float64{1e-8, 1e-6, 1e-4, 1e-3, 1e-2}
	}
	return []float64{3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4}
}

// Check compares the gradient of a random linear functional of the model's
// first output, by one of its inputs, with central differences along random
// directions. The differences are taken in float64 ([InDouble]) where the
// model can be run so, since those of float32 are wrong by more than the
// gradients.
func Check(ctx context.Context, rt *runtime.Runtime, m *onnx.Model, opts CheckOptions) (_ CheckResult, err error) {
	if opts.Batch < 1 || opts.Directions < 1 {
		return CheckResult{}, fmt.Errorf("autodiff: check at batch %d along %d directions; both must be positive", opts.Batch, opts.Directions)
	}
	wrt := opts.Wrt
	for _, in := range m.Inputs() {
		if wrt == "" && in.Type == onnx.Float {
			wrt = in.Name
		}
	}
	if in, ok := m.Input(wrt); !ok || in.Type != onnx.Float {
		return CheckResult{}, fmt.Errorf("autodiff: the model has no float32 input %q", wrt)
	}
	m, err = fixSymbols(m, opts.Batch)
	if err != nil {
		return CheckResult{}, err
	}
	x, err := NewExecutor(ctx, rt, m, ExecutorOptions{
		Options: Options{Wrt: []string{wrt}, Losses: []Loss{DefaultLinear()}},
		Mode:    WeightsAsConstants,
		Session: runtime.SessionOptions{IntraOp: 1},
	})
	if err != nil {
		return CheckResult{}, err
	}
	defer func() { err = errors.Join(err, x.Close()) }()

	r := rand.New(rand.NewPCG(opts.Seed, 0x5ca1ab1e))
	for _, name := range x.inputNames() {
		for i := range x.Floats(name) {
			x.Floats(name)[i] = r.Float32()
		}
	}
	weights := x.Floats(DefaultLinear().Weights)
	for i := range weights {
		weights[i] = float32(r.NormFloat64())
	}
	if err = x.Step(ctx); err != nil {
		return CheckResult{}, err
	}
	f, reference, err := newReference(ctx, rt, m, x, wrt)
	if err != nil {
		return CheckResult{}, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	res := CheckResult{Wrt: wrt, Batch: opts.Batch, Directions: opts.Directions, Reference: reference}
	err = compare(ctx, &res, f, r, x.Floats(wrt), x.Grad("linear", wrt))
	return res, err
}

// compare fills in the errors of res.
func compare(ctx context.Context, res *CheckResult, f *reference, r *rand.Rand, x, g []float32) error {
	for _, v := range g {
		res.GradientNorm = math.Hypot(res.GradientNorm, float64(v))
	}
	if math.IsNaN(res.GradientNorm) || math.IsInf(res.GradientNorm, 0) {
		return fmt.Errorf("autodiff: the gradient is not finite")
	}
	var all []float64
	at := make([]float64, len(x))
	v := make([]float64, len(x))
	for range res.Directions {
		dot := 0.0
		for i := range v {
			v[i] = r.NormFloat64()
			dot += float64(g[i]) * v[i]
		}
		best := math.Inf(1)
		for _, h := range checkSteps(res.Reference) {
			var side [2]float64
			for s, sign := range []float64{h, -h} {
				for i := range at {
					at[i] = float64(x[i]) + sign*v[i]
				}
				y, err := f.value(ctx, at)
				if err != nil {
					return err
				}
				side[s] = y
			}
			diff := (side[0] - side[1]) / (2 * h)
			scale := max(math.Abs(dot), math.Abs(diff), res.GradientNorm/10)
			if scale == 0 {
				best = 0 // constant along v, and said to be
			} else {
				best = min(best, math.Abs(dot-diff)/scale)
			}
			if best < 1e-5 {
				break
			}
		}
		all = append(all, best)
	}
	slices.Sort(all)
	res.MedianRelativeError = all[len(all)/2]
	res.MaxRelativeError = all[len(all)-1]
	return nil
}

// fixSymbols gives every open dimension of the inputs the size batch.
func fixSymbols(m *onnx.Model, batch int64) (_ *onnx.Model, err error) {
	sizes := make(map[string]int64)
	for _, in := range m.Inputs() {
		for axis, d := range in.Shape {
			switch {
			case d.IsFixed():
			case d.Symbol == "":
				if m, err = m.WithDim(in.Name, axis, onnx.Fixed(batch)); err != nil {
					return nil, err
				}
			default:
				sizes[d.Symbol] = batch
			}
		}
	}
	return prepare(m, nil, Options{Sizes: sizes})
}

// inputNames lists the executor's float32 inputs.
func (x *Executor) inputNames() []string {
	var out []string
	for _, in := range x.grad.Model.Inputs() {
		if x.Floats(in.Name) != nil {
			out = append(out, in.Name)
		}
	}
	return out
}

// reference evaluates the same functional without the gradient graph.
type reference struct {
	sess    *runtime.Session
	in      []*runtime.Tensor
	out     *runtime.Tensor
	at      int // of the input that moves
	weights []float32
}

// newReference opens m in float64, or in float32 where that fails, at the
// inputs of x.
func newReference(ctx context.Context, rt *runtime.Runtime, m *onnx.Model, x *Executor, wrt string) (_ *reference, kind string, err error) {
	kind = "float64"
	dm, err := InDouble(ctx, OnRuntime(rt), m, nil)
	if err != nil {
		dm, kind = m, "float32"
	}
	f, err := openReference(ctx, rt, dm, x, wrt)
	if err != nil && kind == "float64" {
		kind = "float32"
		f, err = openReference(ctx, rt, m, x, wrt)
	}
	return f, kind, err
}

func openReference(ctx context.Context, rt *runtime.Runtime, m *onnx.Model, x *Executor, wrt string) (_ *reference, err error) {
	f := &reference{weights: x.Floats(DefaultLinear().Weights)}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	b, err := m.Marshal()
	if err != nil {
		return nil, err
	}
	output := m.Outputs()[0].Name
	f.sess, err = rt.NewSession(ctx, b, runtime.SessionOptions{IntraOp: 1, Outputs: []string{output}})
	if err != nil {
		return nil, err
	}
	for i, in := range f.sess.Inputs() {
		t, terr := emptyTensor(rt, onnx.DType(in.DType), in.Dims)
		if terr != nil {
			return nil, terr
		}
		f.in = append(f.in, t)
		if in.Name == wrt {
			f.at = i
		}
		for j, v := range x.Floats(in.Name) {
			write(t, j, float64(v))
		}
	}
	dims := x.data[DefaultLinear().Weights].Shape()
	f.out, err = emptyTensor(rt, onnx.DType(f.sess.Outputs()[0].DType), dims)
	return f, err
}

func write(t *runtime.Tensor, i int, v float64) {
	if d := runtime.Data[float64](t); d != nil {
		d[i] = v
	} else if s := runtime.Data[float32](t); s != nil {
		s[i] = float32(v)
	}
}

// value returns the functional at the given input.
func (f *reference) value(ctx context.Context, at []float64) (float64, error) {
	for i, v := range at {
		write(f.in[f.at], i, v)
	}
	if err := f.sess.Run(ctx, f.in, []*runtime.Tensor{f.out}); err != nil {
		return 0, err
	}
	sum := 0.0
	if d := runtime.Data[float64](f.out); d != nil {
		for i, v := range d {
			sum += float64(f.weights[i]) * v
		}
		return sum, nil
	}
	for i, v := range runtime.Data[float32](f.out) {
		sum += float64(f.weights[i]) * float64(v)
	}
	return sum, nil
}

func (f *reference) close() error {
	if f == nil {
		return nil
	}
	err := f.sess.Close()
	for _, t := range append(slices.Clone(f.in), f.out) {
		err = errors.Join(err, t.Close())
	}
	return err
}
