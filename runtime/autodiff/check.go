package autodiff

import (
	"context"
	"errors"
	"fmt"
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
	// Tolerance is the relative error from which on a gradient is wrong, > 0.
	Tolerance float64
	// Plain checks the graph for any runtime, made with symbolic dimensions left open, instead of
	// that for the CPU provider ([Options.CPU]).
	Plain bool
	// Rules are those of [Options].
	Rules map[string]Rule
}

// DefaultCheckOptions returns 16 directions at batch 1, and a tolerance of 5e-3.
func DefaultCheckOptions() CheckOptions {
	return CheckOptions{Batch: 1, Directions: 16, Seed: 1, Tolerance: 5e-3}
}

// CheckResult is how far a gradient graph is from central differences.
type CheckResult struct {
	// Loss is the name of the loss.
	Loss       string `json:"loss"`
	Wrt        string `json:"wrt"`
	Batch      int64  `json:"batch"`
	Directions int    `json:"directions"`
	// MedianRelativeError and MaxRelativeError are over the decided directions:
	// |g·v − Δ|/max(|g·v|, |Δ|, ‖g‖/10, r). The third term is a tenth of the typical size of g·v, v
	// being normal; r is the gradient of a loss that changes by 1e-3 of itself over the range of n
	// inputs, 1e-3·(1 + |l|)/√n: one much below is lost in float32.
	MedianRelativeError float64 `json:"median_relative_error"`
	MaxRelativeError    float64 `json:"max_relative_error"`
	// WrongDirections counts the directions along which the gradient is off by more than the
	// tolerance and what the differences themselves may be off by, UndecidedDirections those along
	// which the differences are not known well enough to tell.
	WrongDirections     int `json:"wrong_directions"`
	UndecidedDirections int `json:"undecided_directions"`
	// Zero says that gradient and differences are both 0 to rounding.
	Zero bool `json:"zero"`
	// Reference is "float64", or "float32" where the model cannot be run in float64.
	Reference string `json:"reference"`
	// Undecided counts the activations at which the graph, in float32, is on another side of a kink
	// than the reference. Inputs are drawn until there are none, and none is what this should be;
	// each that is left can move the gradient by more than all rounding does.
	Undecided int `json:"undecided"`
	// GradientNorm is ‖g‖.
	GradientNorm float64 `json:"gradient_norm"`
	// ValueError is the relative error of the loss itself, |l − l′|/(1 + |l′|).
	ValueError float64 `json:"value_error"`
}

// Check compares the gradient of a random linear functional of the model's first output, by one of
// its inputs, with central differences along random directions. See [CheckLosses].
func Check(ctx context.Context, rt *runtime.Runtime, m *onnx.Model, opts CheckOptions) (CheckResult, error) {
	res, err := CheckLosses(ctx, rt, m, opts, DefaultLinear())
	if err != nil {
		return CheckResult{}, err
	}
	return res[0], nil
}

// CheckLosses compares the gradients of losses by one of the model's inputs with central
// differences along random directions, and returns a result for each loss. Inputs of losses that
// are real get normal weights; those that are int64 get classes, one for each sample, that are not
// the model's first choice: there cross-entropy is not saturated.
//
// The differences are taken in float64 (inDouble) where the model can be run so, since those of
// float32 are wrong by more than the gradients. At a kink, such as Relu's, rounding the forward
// pass to float32 may put an activation on the other side than the reference; the gradient graph
// then returns the gradient of the other linear piece, as any float32 computation does. Samples
// where that happens are drawn anew.
func CheckLosses(ctx context.Context, rt *runtime.Runtime, m *onnx.Model, opts CheckOptions, losses ...Loss) (_ []CheckResult, err error) {
	if opts.Batch < 1 || opts.Directions < 1 || !(opts.Tolerance > 0) {
		return nil, fmt.Errorf("autodiff: check at batch %d along %d directions to %v; all must be positive", opts.Batch, opts.Directions, opts.Tolerance)
	}
	wrt := opts.Wrt
	for _, in := range m.Inputs() {
		if wrt == "" && in.Type == onnx.Float {
			wrt = in.Name
		}
	}
	if in, ok := m.Input(wrt); !ok || in.Type != onnx.Float {
		if wrt == "" {
			wrt = infoTypes(m.Inputs())
		}
		if ok && in.Type == onnx.Float16 {
			return nil, fmt.Errorf("%w and checked: %s is of float16, whose rounding alone is beyond the tolerance; check the same model exported in float32", ErrNotDifferentiable, wrt)
		}
		return nil, fmt.Errorf("%w and checked: only inputs of float32 are checked, not %s", ErrNotDifferentiable, wrt)
	}
	k, err := newChecker(ctx, rt, m, wrt, opts, losses)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, k.close()) }()
	undecided, err := k.drawSteep(ctx)
	if err != nil {
		return nil, err
	}
	results, err := k.differences(ctx)
	for i := range results {
		results[i].Undecided = undecided
	}
	return results, err
}

// checker holds what a check runs.
type checker struct {
	opts   CheckOptions
	rt     *runtime.Runtime
	fixed  *onnx.Model // the model, of fixed sizes
	facts  facts
	of     []Loss
	wrt    string
	names  []string // of the losses
	losses []string // the outputs that hold them
	grads  []string // outputs of gradient, one for each loss
	output string   // the model's, that losses read
	sides  []string // outputs that say on which side of a kink elements are
	added  []string // inputs of the losses

	gradient *evaluation // the graph under test
	double   *evaluation // losses of the reference
	kinks    *evaluation // sides of the reference; nil without kinks or float64
	kind     string      // of the reference
	single   bool        // the reference computes some operators in float32
	scale    float64     // inputs are drawn from [0, scale]
	rng      *rand.Rand
}

func newChecker(ctx context.Context, rt *runtime.Runtime, m *onnx.Model, wrt string, opts CheckOptions, losses []Loss) (_ *checker, err error) {
	k := &checker{opts: opts, rt: rt, of: losses, wrt: wrt, output: defaultOutput(m), rng: rand.New(rand.NewPCG(opts.Seed, 0x5ca1ab1e))}
	defer func() {
		if err != nil {
			err = errors.Join(err, k.close())
		}
	}()
	eng := OnRuntime(rt)
	open, err := prepare(m, nil, Options{})
	if err != nil {
		return nil, err
	}
	if open, k.sides, err = withSides(open, wrt); err != nil {
		return nil, err
	}
	fixed, sizes, err := fixSymbols(open, opts.Batch)
	if err != nil {
		return nil, err
	}
	for _, l := range losses {
		k.names = append(k.names, l.Name())
	}
	o := Options{Wrt: []string{wrt}, Losses: losses, Output: k.output, CPU: !opts.Plain, Rules: opts.Rules}
	source := fixed
	if opts.Plain {
		source = open
	}
	g, err := Differentiate(ctx, eng, source, o)
	if err != nil {
		return nil, err
	}
	if g.Model, err = prepare(g.Model, nil, Options{Sizes: sizes}); err != nil {
		return nil, err
	}
	// The reference, and the dimensions of everything.
	ref, _, _, err := addLosses(ctx, eng, fixed, k.output, o)
	if err != nil {
		return nil, err
	}
	fs, err := probe(ctx, eng, ref, nil)
	if err != nil {
		return nil, err
	}
	for _, l := range losses {
		k.losses = append(k.losses, g.Loss(l.Name()))
		name := g.Output(l.Name(), wrt)
		k.grads = append(k.grads, name)
		fs[name] = fs[wrt]
	}
	for _, in := range ref.Inputs() {
		if _, ok := m.Input(in.Name); !ok {
			k.added = append(k.added, in.Name)
		}
	}
	k.fixed, k.facts = fixed, fs
	wanted := slices.Concat(k.losses, k.grads, []string{k.output}, k.sides)
	if k.gradient, err = evaluate(ctx, rt, g.Model, wanted, fs); err != nil {
		return nil, err
	}
	return k, k.openReference(ctx, rt, ref, fs)
}

// openReference opens the losses in float64, or in float32 where that fails.
func (k *checker) openReference(ctx context.Context, rt *runtime.Runtime, ref *onnx.Model, fs facts) error {
	k.kind = "float64"
	dm, single, err := inDouble(ctx, OnRuntime(rt), ref, nil)
	if err == nil {
		k.single = single
		if k.double, err = evaluateOnly(ctx, rt, dm, k.losses, fs); err == nil && len(k.sides) > 0 {
			k.kinks, err = evaluateOnly(ctx, rt, dm, k.sides, fs)
		}
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	k.kind, k.single = "float32", true
	if err = k.double.close(); err != nil {
		return err
	}
	k.double, err = evaluateOnly(ctx, rt, ref, k.losses, fs)
	return err
}

// fixSymbols gives every open dimension of the inputs the size batch, and returns what sizes the
// symbols have.
func fixSymbols(m *onnx.Model, batch int64) (_ *onnx.Model, sizes map[string]int64, err error) {
	sizes = make(map[string]int64)
	for _, in := range m.Inputs() {
		for axis, d := range in.Shape {
			switch {
			case d.IsFixed():
			case d.Symbol == "":
				if m, err = m.WithDim(in.Name, axis, onnx.Fixed(batch)); err != nil {
					return nil, nil, err
				}
			default:
				sizes[d.Symbol] = batch
			}
		}
	}
	m, err = prepare(m, nil, Options{Sizes: sizes})
	return m, sizes, err
}

func (k *checker) close() error {
	return errors.Join(k.gradient.close(), k.double.close(), k.kinks.close())
}
