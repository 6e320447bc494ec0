package attack

import (
	"context"
	"errors"
	"slices"

	"ucan/internal/dataset"
	"ucan/smooth"
	"ucan/smooth/family"
	"ucan/smooth/region"
	"ucan/smooth/stats"
	"ucan/smooth/stream"
)

// The sample indices of phase Audit that certify with parameters of a manipulated input.
const (
	selectFrom   = 4 << 40
	estimateFrom = 5 << 40
)

// Manipulation perturbs an input only while its noise parameters are made: the certificate is of
// the clean x under the noise of x + δ, ‖δ‖ ≤ Budget.
type Manipulation struct {
	Attacker *Attacker
	Drift
	// Noise is the family, norm, λ and arithmetic that the generator's fields are used with.
	Noise smooth.Noise
	// Budget bounds δ in the norm BudgetNorm; x + δ stays within Low and High where Box is set.
	Budget     float64
	BudgetNorm family.Norm
	Box        bool
	Low, High  float64
	// N0 samples choose the class of a certificate, N bound its probability, at Alpha.
	N0, N int64
	Alpha float64
	// Fixed says that the noise does not depend on the input: nothing is searched then.
	Fixed bool
}

// Certified is what is certified of an input under some noise: Class is −1 and Radius 0 where the
// method abstains.
type Certified struct {
	Class  int     `json:"class"`
	Radius float64 `json:"radius"`
}

// goal is what a manipulation is for.
type goal int

const (
	reduce  goal = iota // the radius of the clean class
	enlarge             // the claimed radius, of whatever class
	raise               // another class
)

// Manipulated is one input with the certificates that noise parameters of manipulated inputs give.
type Manipulated struct {
	Index int       `json:"idx"`
	Label int       `json:"label"`
	Clean Certified `json:"clean"`
	// Reduced has the least radius that was found for the clean class, Enlarged the largest claimed
	// one, Wrong the best certificate for Target.
	Reduced  Certified `json:"reduced"`
	Enlarged Certified `json:"enlarged"`
	Wrong    Certified `json:"wrong"`
	Target   int       `json:"target"`

	// Y is the input that made the noise of Wrong.
	Y []float32 `json:"-"`
}

// Changed reports whether a manipulation had another class certified than the clean input has.
func (m Manipulated) Changed() bool {
	other := func(c Certified) bool { return c.Class >= 0 && c.Class != m.Clean.Class }
	return m.Clean.Class >= 0 && (other(m.Reduced) || other(m.Enlarged) || other(m.Wrong))
}

// wrong reports whether one of the certificates is of a class that is not the label.
func (m Manipulated) wrong(list ...Certified) bool {
	return m.Label >= 0 && slices.ContainsFunc(list, func(c Certified) bool { return c.Class >= 0 && c.Class != m.Label })
}

// Run manipulates the noise parameters of one input.
func (m Manipulation) Run(ctx context.Context, item dataset.Item) (Manipulated, error) {
	out := Manipulated{Index: item.Index, Label: item.Label, Y: item.X}
	clean, err := m.certify(ctx, item, item.X)
	if err != nil {
		return out, err
	}
	out.Clean = certified(clean)
	class, _, ok := clean.Estimation.Top()
	if !ok {
		return out, errors.New("no sample gave a vote; the classifier answers nothing")
	}
	out.Target = target(clean.Estimation, class, item.Label)
	out.Reduced, out.Enlarged, out.Wrong = out.Clean, out.Clean, out.Clean
	if m.Fixed {
		return out, nil
	}
	if out.Reduced, _, err = m.try(ctx, item, class, reduce); err != nil {
		return out, err
	}
	if out.Enlarged, _, err = m.try(ctx, item, class, enlarge); err != nil {
		return out, err
	}
	out.Wrong, out.Y, err = m.try(ctx, item, out.Target, raise)
	return out, err
}

// target is the class with most votes beside the leading one and the label; the lowest other class
// where none has a vote.
func target(c smooth.Counts, class, label int) int {
	best := -1
	for k, v := range c.PerClass {
		if k != class && k != label && (best < 0 || v > c.PerClass[best]) {
			best = k
		}
	}
	if best < 0 { // two classes, of which the leading one is wrong
		return class
	}
	return best
}

// try searches for the input whose noise parameters serve a goal best, and certifies with them.
func (m Manipulation) try(ctx context.Context, item dataset.Item, class int, g goal) (Certified, []float32, error) {
	regions := region.Intersection{{Norm: m.BudgetNorm, R: m.Budget, Dim: len(item.X)}}
	c := Claim{
		X: item.X, ID: item.SHA256, Class: class, Still: true, Regions: regions,
		Contains: func(y []float32) (bool, error) {
			if m.Box && slices.ContainsFunc(y, func(v float32) bool { return float64(v) < m.Low || float64(v) > m.High }) {
				return slices.Equal(y, item.X), nil
			}
			return regions.ContainsPoint(item.X, y)
		},
		Noise: m.noiseAt,
		Rank: func(ctx context.Context, y []float32, votes smooth.Counts) (float64, error) {
			return m.rank(ctx, y, votes, class, g)
		},
	}
	if m.Box {
		c.Low, c.High = &m.Low, &m.High
	}
	if m.Derivative != nil {
		c.Through = func(ctx context.Context, sum []float64, at Drawn) error { return m.follow(ctx, sum, at, g) }
	}
	found, err := m.Attacker.search(ctx, c)
	if err != nil {
		return Certified{}, nil, err
	}
	made, err := m.certify(ctx, item, found.y)
	return certified(made), found.y, err
}

// rank is lower the better a point serves the goal: by the radius that its votes would certify, and
// for another class by that class's margin.
func (m Manipulation) rank(ctx context.Context, y []float32, votes smooth.Counts, class int, g goal) (float64, error) {
	if g == raise {
		return -margin(votes, class), nil
	}
	noise, err := m.noiseAt(ctx, y)
	if err != nil {
		return 0, err
	}
	made, err := noise.Conclude(votes, votes, m.Alpha, smooth.OneBound)
	if err != nil {
		return 0, err
	}
	switch c := certified(made); {
	case g == enlarge:
		return -c.Radius, nil
	case c.Class == class:
		return c.Radius, nil
	case c.Class >= 0:
		return -1 - c.Radius, nil // another class
	}
	return margin(votes, class) - 1, nil
}

// follow is [Claim.Through] for a point that changes the loss through the noise alone. It follows
// the probability of the class, down or up, and in every other ascent for a radius the scales.
func (m Manipulation) follow(ctx context.Context, sum []float64, at Drawn, g goal) error {
	ofMu, ofSigma := slices.Clone(sum), at.ofSigma()
	clear(sum)
	sign := 1.0 // −ln p of the class rises
	if g != reduce {
		sign = -1
	}
	if g != raise && at.Ascent%2 == 1 {
		s := at.Noise.Noise().Sigma()
		for k := range ofSigma { // mean log s falls, or rises
			ofMu[k], ofSigma[k] = 0, -1
			if s != nil {
				ofSigma[k] = -1 / float64(s[k])
			}
		}
	}
	for k := range ofSigma {
		ofMu[k] *= sign
		ofSigma[k] *= sign
	}
	return m.Derivative.Add(ctx, sum, at.Y, ofMu, ofSigma)
}

// noiseAt is the noise whose parameters are made from y.
func (m Manipulation) noiseAt(ctx context.Context, y []float32) (*smooth.SealedNoise, error) {
	p, err := m.Generator.Parameters(ctx, y)
	if err != nil {
		return nil, err
	}
	n := m.Noise
	n.Fields = p.Fields
	return n.Seal(len(y))
}

// certify certifies the clean input under the noise whose parameters are made from y.
func (m Manipulation) certify(ctx context.Context, item dataset.Item, y []float32) (smooth.Certification, error) {
	noise, err := m.noiseAt(ctx, y)
	if err != nil {
		return smooth.Certification{}, err
	}
	draw := func(from uint64, n int64) (smooth.Counts, error) {
		return m.Attacker.votes.Sample(ctx, item.X, item.SHA256, noise, stream.Audit, from, from+uint64(n))
	}
	selection, err := draw(selectFrom, m.N0)
	if err != nil {
		return smooth.Certification{}, err
	}
	estimation, err := draw(estimateFrom, m.N)
	if err != nil {
		return smooth.Certification{}, err
	}
	return noise.Conclude(selection, estimation, m.Alpha, smooth.OneBound)
}

func certified(c smooth.Certification) Certified {
	if c.Abstained {
		return Certified{Class: -1}
	}
	return Certified{c.Class, c.Radius}
}

// Effect sums up manipulated inputs.
type Effect struct {
	// Inputs were manipulated; in Changed of them, a share of Rate, another class was certified
	// than without.
	Inputs   int      `json:"inputs"`
	Changed  int      `json:"violations"`
	Rate     float64  `json:"rate"`
	Interval Interval `json:"interval"`
	// PValue is the probability of so many by false certificates at α alone.
	PValue   float64 `json:"p_value"`
	Violated bool    `json:"violated"`
	// Labelled inputs have a label; of these WrongClean are certified with another class, and
	// WrongAfter after manipulation.
	Labelled           int      `json:"labelled"`
	WrongClean         int      `json:"wrong_clean"`
	WrongCleanInterval Interval `json:"wrong_clean_interval"`
	WrongAfter         int      `json:"wrong_after"`
	WrongAfterInterval Interval `json:"wrong_after_interval"`
	// CleanCertified inputs are certified without manipulation; ReducedRatio and EnlargedRatio are
	// the means over them of the reduced and the enlarged radius over the clean one, LargestRatio
	// the largest of any radius over the clean one. A class that changed counts as a reduced
	// radius of 0.
	CleanCertified int     `json:"clean_certified"`
	ReducedRatio   float64 `json:"reduced_ratio"`
	EnlargedRatio  float64 `json:"enlarged_ratio"`
	LargestRatio   float64 `json:"largest_ratio"`
}

// certificatesPerInput are made of every input: under the noise of the clean one, and of three
// others.
const certificatesPerInput = 4

// Effect sums up inputs whose certificates have the given α each.
func (o Options) Effect(all []Manipulated, alpha float64) (Effect, error) {
	e := Effect{Inputs: len(all), Interval: Interval{0, 1}, WrongCleanInterval: Interval{0, 1}, WrongAfterInterval: Interval{0, 1}, PValue: 1}
	levels := make([]float64, len(all))
	for i, m := range all {
		levels[i] = min(1, certificatesPerInput*alpha)
		if m.Changed() {
			e.Changed++
		}
		if m.Label >= 0 {
			e.Labelled++
		}
		if m.wrong(m.Clean) {
			e.WrongClean++
		}
		if m.wrong(m.Clean, m.Reduced, m.Enlarged, m.Wrong) {
			e.WrongAfter++
		}
		if m.Clean.Class >= 0 && m.Clean.Radius > 0 {
			e.CleanCertified++
			if m.Reduced.Class == m.Clean.Class {
				e.ReducedRatio += m.Reduced.Radius / m.Clean.Radius
			}
			e.EnlargedRatio += m.Enlarged.Radius / m.Clean.Radius
			e.LargestRatio = max(e.LargestRatio, m.Enlarged.Radius/m.Clean.Radius, m.Wrong.Radius/m.Clean.Radius)
		}
	}
	if e.CleanCertified > 0 {
		e.ReducedRatio /= float64(e.CleanCertified)
		e.EnlargedRatio /= float64(e.CleanCertified)
	}
	for _, share := range []struct {
		k, n int
		to   *Interval
	}{{e.Changed, e.Inputs, &e.Interval}, {e.WrongClean, e.Labelled, &e.WrongCleanInterval}, {e.WrongAfter, e.Labelled, &e.WrongAfterInterval}} {
		if share.n == 0 {
			continue
		}
		interval, err := stats.ExactInterval(int64(share.k), int64(share.n), 1-o.Confidence)
		if err != nil {
			return e, err
		}
		*share.to = Interval{interval.Low, interval.High}
	}
	if e.Inputs > 0 {
		e.Rate = float64(e.Changed) / float64(e.Inputs)
	}
	e.PValue = falseOnes(e.Changed, levels)
	e.Violated = e.Changed > 0 && e.PValue <= o.Level
	return e, nil
}
