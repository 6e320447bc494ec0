package sequential

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Mode says where the tested class comes from. It is part of the statistics: the
// mode decides the error probability of each level.
type Mode string

// The modes of a plan.
const (
	// Selected tests one class chosen beforehand, on samples that the run never
	// sees.
	Selected Mode = "selected"
	// Labelled tests the class that is the input's known label. No selection
	// samples, the whole alpha, and exactly the certified-accuracy curve of
	// Selected up to selection errors; inputs whose label cannot be certified
	// are given up early, so it says nothing about abstention.
	Labelled Mode = "labelled"
	// Leading has no selection samples: at each look the class with most votes
	// among all samples is tested, until H_0 is rejected, which fixes the class.
	// H_0 is tested at alpha/2 and the others at a little less than alpha; see
	// [Plan.LevelAlpha].
	Leading Mode = "leading"
)

// Plan fixes everything that must be fixed before the first sample.
type Plan struct {
	// Levels are the probabilities p_j in ascending order, each in [1/2, 1),
	// solved from the radii and rounded up. In mode Leading the first must be
	// exactly 1/2.
	Levels []float64
	// Alpha is the error probability of the input's certificate, in
	// [MinAlpha, 1); mode Leading needs 2·MinAlpha.
	Alpha float64
	// Profile holds the schedule (with the cap) and the futility threshold.
	Profile Profile
	// Mode says where the class comes from. It must be set.
	Mode Mode
}

// Validate reports every fault of the plan.
func (p Plan) Validate() error {
	var faults []error
	if len(p.Levels) == 0 {
		faults = append(faults, errors.New("the plan has no levels: give a grid of radii"))
	}
	for j, q := range p.Levels {
		if !(q >= 0.5 && q < 1) {
			faults = append(faults, fmt.Errorf("level %d: probability %v is outside [1/2, 1): the radius cannot be certified by sampling", j, q))
		}
		if j > 0 && !(q > p.Levels[j-1]) {
			faults = append(faults, fmt.Errorf("level %d: probability %v does not exceed the one before, %v", j, q, p.Levels[j-1]))
		}
	}
	least := MinAlpha
	switch p.Mode {
	case Selected, Labelled:
	case Leading:
		least *= 2
		if len(p.Levels) > 0 && p.Levels[0] != 0.5 {
			faults = append(faults, fmt.Errorf("without selection samples the first level must be 1/2 (radius 0), not %v: add radius 0 to the grid", p.Levels[0]))
		}
	default:
		faults = append(faults, fmt.Errorf("unknown mode %q: use %s, %s or %s", p.Mode, Selected, Labelled, Leading))
	}
	if !(p.Alpha >= least && p.Alpha < 1) {
		faults = append(faults, fmt.Errorf("error probability alpha %v is outside [%g, 1)", p.Alpha, least))
	}
	faults = append(faults, p.Profile.Validate())
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("adaptive plan: %w", err)
	}
	return nil
}

// clone returns a plan that shares no memory with p.
func (p Plan) clone() Plan {
	p.Levels = slices.Clone(p.Levels)
	return p
}

// LevelAlpha returns the error probability at which level j is tested.
//
// In modes Selected and Labelled it is Alpha for every level: nested hypotheses
// tested in a fixed order need no correction.
//
// In mode Leading it is alpha/2 for level 0 and
//
//	alpha_j = alpha − (alpha/2)·(2(1 − p_{j−1}))^m,  m = min_k (n_k − 2c_{0,k})
//
// for the others. Proof that all claims together have error probability at most
// alpha: let a class have probability p ≤ 1/2. Where H_0 is rejected, S − F ≥ m
// (S votes, F failures), so the likelihood ratio against 1/2 is at most
// (2p)^{S−F}(4p(1−p))^F ≤ (2p)^m, and the class rejects H_0 with probability at
// most (alpha/2)(2p)^m. This is convex in p. If no class exceeds 1/2 the sum over
// all classes, whose probabilities add to at most 1, is largest at (1/2, 1/2),
// where it is alpha. If p_{j−1} < p_A ≤ p_j, the other classes add to less than
// 1 − p_{j−1}, so fixing one of them has probability at most
// (alpha/2)(2(1−p_{j−1}))^m, and the right class rejects H_j with at most alpha_j.
func (p Plan) LevelAlpha(j int, tables *Tables) (float64, error) {
	if j < 0 || j >= len(p.Levels) {
		return math.NaN(), fmt.Errorf("level %d is outside 0 … %d", j, len(p.Levels)-1)
	}
	if p.Mode != Leading {
		return p.Alpha, nil
	}
	half := p.Alpha / 2
	if j == 0 {
		return half, nil
	}
	first, err := tables.Get(p.Levels[0], half, p.Profile.Schedule)
	if err != nil {
		return math.NaN(), fmt.Errorf("level 0: %w", err)
	}
	lead := int64(math.MaxInt64)
	for k := range first.Len() {
		if c := first.Critical(k); c >= 0 {
			lead = min(lead, first.Look(k)-2*c)
		}
	}
	// The power is rounded up; lead ≥ 1 because c is below n/2 at alpha < 1.
	wrong := math.Pow(2*(1-p.Levels[j-1]), float64(lead)) * (1 + 1e-12)
	return math.Max(p.Alpha-half*math.Min(1, wrong), half), nil
}

// table returns the critical numbers of level j.
func (p Plan) table(j int, tables *Tables) (*Table, error) {
	alpha, err := p.LevelAlpha(j, tables)
	if err != nil {
		return nil, err
	}
	t, err := tables.Get(p.Levels[j], alpha, p.Profile.Schedule)
	if err != nil {
		return nil, fmt.Errorf("level %d: %w", j, err)
	}
	return t, nil
}
