package autodiff

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Evaluate computes losses at the present values of the inputs that a [ScoreFunction] moves, in the
// order of their names.
type Evaluate func(ctx context.Context) ([]float64, error)

// ScoreOptions configure a [ScoreFunction].
type ScoreOptions struct {
	// Sigma is the standard deviation of the probing noise in the units of the values, > 0.
	Sigma float64
	// Pairs is the number of antithetic pairs of evaluations a step, ≥ 1. The error of the estimate
	// falls with 1/√Pairs and grows with the number of values.
	Pairs int
	// Seed makes the noise.
	Seed uint64
}

// Validate reports all faults at once.
func (o ScoreOptions) Validate() error {
	var errs []error
	if !(o.Sigma > 0) {
		errs = append(errs, fmt.Errorf("autodiff: score function: sigma %g is not positive", o.Sigma))
	}
	if o.Pairs < 1 {
		errs = append(errs, fmt.Errorf("autodiff: score function: %d pairs; at least one is needed", o.Pairs))
	}
	return errors.Join(errs...)
}

// ScoreFunction estimates gradients from losses alone, for models with operators that have no rule,
// or no derivative. Its methods are those of [Executor]:
//
//	∇ E[L(v + σε)] ≈ 1/(2σ·pairs)·Σ (L(v + σε) − L(v − σε))·ε,  ε ~ N(0, I)
//
// which is unbiased for the loss smoothed by that noise (the score function of the Gaussian; NES,
// Wierstra et al. 2014), not for the loss itself. It costs 2·Pairs evaluations a step.
type ScoreFunction struct {
	opts   ScoreOptions
	losses []string
	names  []string
	values map[string][]float32
	eval   Evaluate
	step   uint64
	result []float64
	grads  map[[2]string][]float32
}

// NewScoreFunction estimates the gradients of the named losses, which eval returns in that order,
// with respect to values, the memory that eval reads.
func NewScoreFunction(losses []string, values map[string][]float32, eval Evaluate, opts ScoreOptions) (*ScoreFunction, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	if len(losses) == 0 || len(values) == 0 {
		return nil, errors.New("autodiff: score function: it needs a loss and a value to differentiate by")
	}
	s := &ScoreFunction{opts: opts, losses: slices.Clone(losses), values: values, eval: eval, result: make([]float64, len(losses)), grads: make(map[[2]string][]float32)}
	for name, v := range values {
		s.names = append(s.names, name)
		for _, l := range losses {
			s.grads[[2]string{l, name}] = make([]float32, len(v))
		}
	}
	slices.Sort(s.names)
	return s, nil
}

// Step estimates losses and gradients. The noise of the k-th step depends on the seed and k alone.
// The values are restored before it returns.
func (s *ScoreFunction) Step(ctx context.Context) (err error) {
	origin := make(map[string][]float32, len(s.values))
	noise := make(map[string][]float64, len(s.values))
	for _, n := range s.names {
		origin[n] = slices.Clone(s.values[n])
		noise[n] = make([]float64, len(s.values[n]))
	}
	defer func() {
		for _, n := range s.names {
			copy(s.values[n], origin[n])
		}
	}()
	if s.result, err = s.evaluate(ctx); err != nil {
		return err
	}
	sums := make(map[[2]string][]float64, len(s.grads))
	for k, g := range s.grads {
		sums[k] = make([]float64, len(g))
	}
	r := rand.New(rand.NewPCG(s.opts.Seed, s.step))
	s.step++
	for range s.opts.Pairs {
		for _, n := range s.names {
			for i := range noise[n] {
				noise[n][i] = r.NormFloat64()
			}
		}
		var sides [2][]float64
		for side, sign := range []float64{s.opts.Sigma, -s.opts.Sigma} {
			for _, n := range s.names {
				for i, e := range noise[n] {
					s.values[n][i] = origin[n][i] + float32(sign*e)
				}
			}
			if sides[side], err = s.evaluate(ctx); err != nil {
				return err
			}
		}
		for l, loss := range s.losses {
			diff := (sides[0][l] - sides[1][l]) / (2 * s.opts.Sigma * float64(s.opts.Pairs))
			for _, n := range s.names {
				sum := sums[[2]string{loss, n}]
				for i, e := range noise[n] {
					sum[i] += diff * e
				}
			}
		}
	}
	for k, sum := range sums {
		for i, v := range sum {
			s.grads[k][i] = float32(v)
		}
	}
	return nil
}

// evaluate evaluates once.
func (s *ScoreFunction) evaluate(ctx context.Context) ([]float64, error) {
	v, err := s.eval(ctx)
	if err != nil {
		return nil, fmt.Errorf("autodiff: score function: %w", err)
	}
	if len(v) != len(s.losses) {
		return nil, fmt.Errorf("autodiff: score function: %d values for %d losses", len(v), len(s.losses))
	}
	return slices.Clone(v), nil
}

// Loss returns a loss of the last step, without noise.
func (s *ScoreFunction) Loss(loss string) float64 {
	if i := slices.Index(s.losses, loss); i >= 0 {
		return s.result[i]
	}
	return 0
}

// Grad returns an estimated gradient of the last step.
func (s *ScoreFunction) Grad(loss, wrt string) []float32 { return s.grads[[2]string{loss, wrt}] }
