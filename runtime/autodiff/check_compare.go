package autodiff

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// A difference of a loss f along a direction v with step h has the one-sided forms
//
//	D⁺ = (f(x + hv) − f(x))/h,   D⁻ = (f(x) − f(x − hv))/h,   Δ = (D⁺ + D⁻)/2.
//
// Δ may be off the derivative by u(h) = |D⁺ − D⁻| + 2ε/h. D⁺ and D⁻ differ by h·f″ where f is
// smooth, and by the change of slope where a kink lies between x − hv and x + hv; ε is by how much
// rounding moves f. Steps are tried until u is small and g·v agrees with Δ: two figures from
// different graphs do not agree by chance. Where they do not agree, the verdict needs more:
//
//   - Two steps have to give the same Δ, since rounding may move f by more than is known. They also
//     tell a kink from f″, by whether D⁺ − D⁻ shrinks with h.
//   - The gradient's own rounding is measured: by what float64 makes of the same graph (this also
//     shows where float32 is on another side of a kink), and by gradients at inputs moved by as
//     little as float32 resolves.
//
// The gradient is wrong along v if it is off Δ by more than the tolerance and all this; it is right
// if all this is below half of the tolerance; otherwise the direction is undecided.

// checkSteps are the steps of the sweep, in units of the inputs, which are drawn from [0, 1] or
// less. The first ones are below the distance to most kinks.
func (k *checker) checkSteps() []float64 {
	if k.single {
		return []float64{1e-2, 3e-3, 3e-2, 1e-3, 1e-1, 3e-4, 1e-4}
	}
	return []float64{1e-8, 1e-7, 1e-9, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2}
}

// fine ends the sweep: a part of the tolerance that no verdict depends on. Half of it is enough in
// float32.
const fine = 0.02

// slope is what is known of one loss along one direction.
type slope struct {
	gradient    float64 // g·v
	wide        float64 // g·v in float64, infinite where that is not known
	difference  float64 // Δ
	uncertainty float64 // of the difference
	step, bend  float64 // h, D⁺ − D⁻
	rounding    float64 // 2ε/h
	doubt       float64 // of the gradient
	scale       float64 // what errors are relative to
	floor       float64 // what is 0 in float32
}

// off is the relative error.
func (s slope) off() float64 {
	if s.zero() {
		return 0
	}
	return math.Abs(s.gradient-s.difference) / s.scale
}

// zero says that the difference is 0 as closely as float32 resolves, and the gradient as far as it
// is known.
func (s slope) zero() bool {
	least := s.floor + s.doubt/256
	if math.Abs(s.gradient) <= s.floor {
		return math.Abs(s.difference)+s.uncertainty <= s.floor
	}
	return math.Abs(s.difference)+s.uncertainty <= least && math.Abs(s.wide) <= least && math.Abs(s.gradient) <= s.floor+s.doubt
}

// wrong and undecided are the verdicts for a tolerance.
func (s slope) wrong(tolerance float64) bool {
	return !(s.off() <= tolerance+(2*s.uncertainty+s.doubt)/s.scale)
}

func (s slope) undecided(tolerance float64) bool {
	return !s.wrong(tolerance) && !s.zero() && !(s.uncertainty+s.doubt <= tolerance/2*s.scale)
}

// differences compares the gradients at the drawn inputs with differences.
func (k *checker) differences(ctx context.Context) ([]CheckResult, error) {
	x := k.gradient.floats(k.wrt)
	if err := k.double.copyInputs(k.gradient); err != nil {
		return nil, err
	}
	values, err := k.values(ctx, x)
	if err != nil {
		return nil, err
	}
	results := make([]CheckResult, len(k.losses))
	c := comparison{checker: k, x: x, values: values, steps: k.checkSteps()}
	for i, l := range k.losses {
		r := &results[i]
		*r = CheckResult{Loss: k.names[i], Wrt: k.wrt, Batch: k.opts.Batch, Directions: k.opts.Directions, Reference: k.kind, Zero: true}
		g := k.gradient.floats(k.grads[i])
		r.GradientNorm = norm(g)
		if math.IsNaN(r.GradientNorm) || math.IsInf(r.GradientNorm, 0) {
			return nil, fmt.Errorf("autodiff: the gradient of %s is not finite", r.Loss)
		}
		moved := math.Abs(k.gradient.floats(l)[0] - values[i])
		r.ValueError = moved / (1 + math.Abs(values[i]))
		c.grads, c.norms = append(c.grads, g), append(c.norms, r.GradientNorm)
		c.floors = append(c.floors, k.resolution(i)/math.Sqrt(float64(len(x))))
		// What float32 does to the loss says what float64 does, since both round alike.
		rounding := max(0x1p-50*(1+math.Abs(values[i])), 0x1p-27*moved)
		if k.single {
			rounding = max(0x1p-22*(1+math.Abs(values[i])), moved)
		}
		c.rounding = append(c.rounding, rounding)
	}
	errors := make([][]float64, len(k.losses)) // of the decided directions, by loss
	for range k.opts.Directions {
		slopes, err := c.along(ctx)
		if err != nil {
			return nil, err
		}
		for i, s := range slopes {
			r := &results[i]
			r.Zero = r.Zero && s.zero()
			switch {
			case s.undecided(k.opts.Tolerance):
				r.UndecidedDirections++
				continue
			case s.wrong(k.opts.Tolerance):
				r.WrongDirections++
			}
			errors[i] = append(errors[i], s.off())
		}
	}
	for i, e := range errors {
		if len(e) > 0 {
			slices.Sort(e)
			results[i].MedianRelativeError, results[i].MaxRelativeError = e[len(e)/2], e[len(e)-1]
		}
	}
	return results, nil
}

// comparison is what the directions of one check share; lists are by loss.
type comparison struct {
	*checker
	x, values []float64
	steps     []float64
	grads     [][]float64
	norms     []float64
	floors    []float64     // the least scale
	rounding  []float64     // ε
	wide      [][]float64   // gradients in float64, nil where there are none
	doubts    [][][]float64 // by how much the gradients may be off, found when needed
}

// along returns the slopes along a new random direction.
func (c *comparison) along(ctx context.Context) ([]slope, error) {
	v := make([]float64, len(c.x))
	for i := range v {
		v[i] = c.rng.NormFloat64()
	}
	slopes := make([]slope, len(c.grads))
	for i, g := range c.grads {
		slopes[i] = slope{gradient: dot(g, v), wide: math.Inf(1), uncertainty: math.Inf(1), scale: 1, floor: c.floors[i]}
	}
	enough := fine
	if c.single {
		enough = 0.5
	}
	at := make([]float64, len(c.x))
	tried := make([][]slope, 0, len(c.steps))
	for _, h := range c.steps {
		var side [2][]float64
		for s, sign := range []float64{h, -h} {
			for i := range at {
				at[i] = c.x[i] + sign*v[i]
			}
			var err error
			if side[s], err = c.checker.values(ctx, at); err != nil {
				return nil, err
			}
		}
		agrees := true
		now := slices.Clone(slopes)
		for i := range now {
			s := &now[i]
			up, down := (side[0][i]-c.values[i])/h, (c.values[i]-side[1][i])/h
			s.step, s.bend, s.rounding = h, up-down, 2*c.rounding[i]/h
			s.difference, s.uncertainty = (up+down)/2, math.Abs(s.bend)+s.rounding
			s.scale = max(math.Abs(s.gradient), math.Abs(s.difference), c.norms[i]/10, c.floors[i])
			agrees = agrees && s.uncertainty <= enough*c.opts.Tolerance*s.scale && s.off() <= c.opts.Tolerance
		}
		if agrees {
			return now, nil
		}
		tried = append(tried, now)
	}
	if err := c.doubt(ctx); err != nil {
		return nil, err
	}
	for i := range slopes {
		slopes[i] = bestPair(slopes[i], tried, i)
		for _, d := range c.doubts[i] {
			slopes[i].doubt = max(slopes[i].doubt, 4*math.Abs(dot(d, v)), 2*norm(d))
		}
		if c.wide != nil {
			slopes[i].wide = dot(c.wide[i], v)
		}
	}
	return slopes, nil
}

// bestPair returns the slope of loss i by the two steps that say most together, s if none says
// anything.
func bestPair(s slope, tried [][]slope, i int) slope {
	for _, step := range tried {
		for _, other := range tried {
			p, q := step[i], other[i]
			if p == q {
				continue
			}
			// Where f is smooth D⁺ − D⁻ is h·f″ and vanishes with h; what does not is a kink.
			kink := math.Abs(p.bend - (q.bend-p.bend)*p.step/(q.step-p.step))
			p.uncertainty = min(max(p.uncertainty, q.uncertainty), kink+p.rounding+q.rounding) + math.Abs(p.difference-q.difference)
			if p.step < q.step && p.uncertainty < s.uncertainty {
				s = p
			}
		}
	}
	return s
}

// values returns the losses of the reference with the input at the given place.
func (k *checker) values(ctx context.Context, at []float64) ([]float64, error) {
	k.double.set(k.wrt, at)
	if err := k.double.run(ctx); err != nil {
		return nil, err
	}
	out := make([]float64, len(k.losses))
	for i, l := range k.losses {
		out[i] = k.double.floats(l)[0]
	}
	return out, nil
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

func norm(v []float64) float64 {
	n := 0.0
	for _, x := range v {
		n = math.Hypot(n, x)
	}
	return n
}
