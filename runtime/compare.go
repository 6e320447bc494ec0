package runtime

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"ucan/runtime/onnx"
)

// CompareOptions configure Compare.
type CompareOptions struct {
	A, B SessionOptions
	// Rows is the number of inputs to compare, ≥ 1, rounded up to whole
	// batches where the graph has a fixed batch.
	Rows int
	// Input, when given, holds the values of the inputs, row-major, repeated
	// as often as Rows needs; otherwise they are 0.5 + 0.25·N(0,1).
	Input []float32
	// Sigma is the standard deviation of Gaussian noise added to Input.
	Sigma float64
	// Seed of the noise.
	Seed uint64
}

// Comparison is the outcome of Compare.
type Comparison struct {
	ProviderA string `json:"provider_a"` // that really ran
	ProviderB string `json:"provider_b"`
	// FallbacksA and FallbacksB are the sessions' Fallbacks.
	FallbacksA []Fallback `json:"fallbacks_a,omitempty"`
	FallbacksB []Fallback `json:"fallbacks_b,omitempty"`

	Rows    int `json:"rows"`
	Classes int `json:"classes"` // values of the first output per row
	// LargestDifference is the largest |a − b| of the first output.
	LargestDifference float64 `json:"largest_difference"`
	// Scale is the largest |a|, to read the difference by.
	Scale float64 `json:"scale"`
	// Changed counts the rows whose arg-max differs; a row with a NaN or a tie
	// for the maximum has none, which differs from any.
	Changed int `json:"changed"`
	// Identical: every value has the same bits.
	Identical bool `json:"identical"`
}

// Compare runs the same batch through a model under two settings (providers,
// threads) and compares the first output. The model must have one float32
// input, whose first dimension is the batch, and a float32 first output.
func (rt *Runtime) Compare(ctx context.Context, model []byte, o CompareOptions) (c Comparison, err error) {
	if o.Rows < 1 {
		return c, fmt.Errorf("%w: %d rows to compare; give 1 or more", ErrOptions, o.Rows)
	}
	if math.IsNaN(o.Sigma) || o.Sigma < 0 || math.IsInf(o.Sigma, 0) {
		return c, fmt.Errorf("%w: noise of standard deviation %v; give a number ≥ 0", ErrOptions, o.Sigma)
	}
	if err = firstOutput(model, &o.A, &o.B); err != nil {
		return c, err
	}
	a, err := rt.NewSession(ctx, model, o.A)
	if err != nil {
		return c, fmt.Errorf("first setting: %w", err)
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	b, err := rt.NewSession(ctx, model, o.B)
	if err != nil {
		return c, fmt.Errorf("second setting: %w", err)
	}
	defer func() { err = errors.Join(err, b.Close()) }()

	r, err := newRows(a, o)
	if err != nil {
		return c, err
	}
	c = Comparison{
		ProviderA: a.Provider(), ProviderB: b.Provider(), FallbacksA: a.Fallbacks(), FallbacksB: b.Fallbacks(),
		Classes: r.classes, Identical: true,
	}
	for c.Rows < o.Rows {
		x := r.next()
		ya, err := rt.rowsThrough(ctx, a, r, x)
		if err != nil {
			return c, fmt.Errorf("first setting: %w", err)
		}
		yb, err := rt.rowsThrough(ctx, b, r, x)
		if err != nil {
			return c, fmt.Errorf("second setting: %w", err)
		}
		c.add(ya, yb, r.classes)
		c.Rows += r.batch
	}
	return c, nil
}

// firstOutput restricts both settings to the first output of the graph, or the
// first of those that the first setting names.
func firstOutput(model []byte, a, b *SessionOptions) error {
	names := a.Outputs
	if len(names) == 0 {
		_, outputs, err := graphIO(model)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrModel, err)
		}
		for _, d := range outputs {
			if d.Tensor {
				names = append(names, d.Name)
			}
		}
	}
	if len(names) == 0 {
		return fmt.Errorf("%w: it has no tensor output", ErrModel)
	}
	a.Outputs, b.Outputs = names[:1], names[:1]
	return nil
}

// add compares the outputs of one batch.
func (c *Comparison) add(ya, yb []float32, classes int) {
	for i := range ya {
		if math.Float32bits(ya[i]) != math.Float32bits(yb[i]) {
			c.Identical = false
		}
		// A NaN on one side only is an infinite difference.
		switch d := math.Abs(float64(ya[i]) - float64(yb[i])); {
		case !math.IsNaN(d):
			c.LargestDifference = max(c.LargestDifference, d)
		case ya[i] != yb[i] && (ya[i] == ya[i] || yb[i] == yb[i]):
			c.LargestDifference = math.Inf(1)
		}
		if s := math.Abs(float64(ya[i])); s > c.Scale {
			c.Scale = s
		}
	}
	for i := 0; i < len(ya); i += classes {
		if Argmax(ya[i:i+classes]) != Argmax(yb[i:i+classes]) {
			c.Changed++
		}
	}
}

// Argmax is the index of the only largest value, −1 for a NaN or a tie.
func Argmax(v []float32) int {
	best, unique := 0, true
	for i, x := range v {
		switch {
		case x != x:
			return -1
		case i == 0:
		case x > v[best]:
			best, unique = i, true
		case x == v[best]:
			unique = false
		}
	}
	if !unique {
		return -1
	}
	return best
}

// rows makes the batches of a comparison.
type rows struct {
	shape, out     []int64
	batch, classes int
	o              CompareOptions
	rng            *rand.Rand
	at             int // next value of o.Input
}

func newRows(s *Session, o CompareOptions) (*rows, error) {
	if len(s.inputs) != 1 || s.inputs[0].DType != onnx.Float || !s.inputs[0].Ranked || len(s.inputs[0].Dims) == 0 {
		return nil, fmt.Errorf("%w: comparing needs a model with one float32 input of known rank, not %v", ErrModel, s.inputs)
	}
	out := s.outputs[0]
	if out.DType != onnx.Float || !out.Ranked || len(out.Dims) == 0 {
		return nil, fmt.Errorf("%w: comparing needs a float32 output of known rank, not %s", ErrModel, out)
	}
	const chunk = 64 // rows at a time where the batch is open
	r := &rows{
		shape: slices.Clone(s.inputs[0].Dims), out: slices.Clone(out.Dims),
		o: o, rng: rand.New(rand.NewPCG(o.Seed, 0x636f6d70617265)),
	}
	if r.shape[0] < 0 {
		r.shape[0] = int64(min(chunk, o.Rows))
	}
	r.batch = int(r.shape[0])
	if r.out[0] < 0 {
		r.out[0] = r.shape[0]
	}
	for _, dims := range [][]int64{r.shape, r.out} {
		if slices.Min(dims) < 1 {
			return nil, fmt.Errorf("%w: %s to %s has open or empty dimensions besides the batch", ErrModel, s.inputs[0], out)
		}
	}
	n, err := elements(r.out)
	if err != nil {
		return nil, err
	}
	if r.out[0] != r.shape[0] {
		return nil, fmt.Errorf("%w: the first dimensions of %s and %s differ: which is the batch?", ErrModel, s.inputs[0], out)
	}
	r.classes = int(n) / r.batch
	return r, nil
}

func (r *rows) next() []float32 {
	n, _ := elements(r.shape) // checked by Empty below
	x := make([]float32, n)
	for i := range x {
		if len(r.o.Input) == 0 {
			x[i] = float32(0.5 + 0.25*r.rng.NormFloat64())
			continue
		}
		x[i] = r.o.Input[r.at%len(r.o.Input)] + float32(r.o.Sigma*r.rng.NormFloat64())
		r.at++
	}
	return x
}

// rowsThrough runs one batch through a session.
func (rt *Runtime) rowsThrough(ctx context.Context, s *Session, r *rows, x []float32) (y []float32, err error) {
	in, err := NewTensor(rt, r.shape, x)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := Empty[float32](rt, r.out...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if err := s.Run(ctx, []*Tensor{in}, []*Tensor{out}); err != nil {
		return nil, err
	}
	return Data[float32](out), nil
}
