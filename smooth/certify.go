package smooth

import (
	"context"
	"fmt"

	"ucan/smooth/family"
	"ucan/smooth/stats"
	"ucan/smooth/stream"
)

// FixedN are the sample sizes of a fixed-n certificate.
type FixedN struct {
	// N0 is the number of selection samples, at least 1; Cohen et al. use 100.
	N0 int64
	// N is the number of estimation samples, at least 1; Cohen et al. use 100,000.
	N int64
	// Alpha is the failure probability, in (0, 1); Cohen et al. use 0.001.
	Alpha float64
	// Bound says what is estimated beside p_A; OneBound, the zero value, is the
	// usual choice.
	Bound Bound
}

// Validate returns an error that names the first value out of range.
func (c FixedN) Validate() error {
	switch {
	case c.N0 < 1:
		return fmt.Errorf("smooth: n0 is %d; fixed-n certification needs at least 1 selection sample", c.N0)
	case c.N < 1:
		return fmt.Errorf("smooth: n is %d; it must be at least 1", c.N)
	}
	return firstError(validateAlpha(c.Alpha), c.Bound.validate())
}

func validateAlpha(alpha float64) error {
	if !(alpha > 0 && alpha < 1) {
		return fmt.Errorf("smooth: alpha is %v; it must lie strictly between 0 and 1", alpha)
	}
	return nil
}

// Certify certifies input x at fixed sample sizes. Source: CERTIFY of Cohen, Rosenfeld and Kolter
// 2019 (Proposition 2), with the universal transform (UCAN, Theorem 2).
//
// N0 samples of phase Select choose the class; N others, of phase Estimate, bound
// its probability p_A from below by Clopper–Pearson. With probability at least
// 1 − Alpha over the samples, the result either abstains or every δ in its
// Regions leaves the smoothed classifier's answer at Class. A sample without a
// vote counts in N and for no class. Whether Class is right is the caller's to
// say.
//
// Errors are those of Sample and of FixedN.Validate; a failing classifier never
// becomes a vote.
func (s *Smoother) Certify(ctx context.Context, x []float32, id [32]byte, noise *SealedNoise, c FixedN) (Certification, error) {
	if err := c.Validate(); err != nil {
		return Certification{}, err
	}
	parts := [2]part{
		{phase: stream.Select, to: uint64(c.N0)},
		{phase: stream.Estimate, to: uint64(c.N)},
	}
	if err := s.run(ctx, x, id, noise, parts[:]); err != nil {
		return Certification{}, err
	}
	return noise.Conclude(parts[0].counts, parts[1].counts, c.Alpha, c.Bound)
}

// Conclude makes the certificate that fixed-n votes support: the class comes from
// the selection votes alone, the bounds from the estimation votes alone. Certify
// is Sample twice and Conclude; votes that were stored can be concluded again at
// another alpha, another bound or in another norm of the noise.
func (s *SealedNoise) Conclude(selection, estimation Counts, alpha float64, bound Bound) (Certification, error) {
	if err := firstError(validateAlpha(alpha), bound.validate()); err != nil {
		return Certification{}, err
	}
	c := s.abstention(MethodFixed, alpha)
	c.Bound, c.Selection, c.Estimation = bound, selection, estimation
	c.Class, _, c.HasClass = selection.Top()
	c.warnInvalid()
	if !c.HasClass {
		c.Warnings = append(c.Warnings, "no selection sample voted for a class")
		return c, nil
	}
	if bound == TwoBounds {
		return s.concludeTwo(c)
	}
	var err error
	if c.PLower, err = s.lowerBound(estimation.Votes(c.Class), estimation.N, alpha); err != nil {
		return Certification{}, err
	}
	if c.PLower <= 0.5 {
		return c, nil
	}
	r, err := s.Region(c.PLower)
	if err != nil {
		return Certification{}, err
	}
	return c.withRegion(r)
}

// concludeTwo finishes Conclude with bounds on every class.
func (s *SealedNoise) concludeTwo(c Certification) (Certification, error) {
	theorem, ok := s.noise.Family.(family.TwoBounds)
	if s.noise.Rate > 0 {
		return Certification{}, fmt.Errorf("smooth: no theorem with two bounds for noise whose scale follows the input; use bound %q", OneBound)
	}
	if !ok {
		return Certification{}, fmt.Errorf("smooth: family %q has no theorem with two bounds; use bound %q", s.noise.Family.Name(), OneBound)
	}
	b, err := stats.Bonferroni(c.Estimation.PerClass, c.Class, c.Estimation.Invalid, c.Alpha)
	if err != nil {
		return Certification{}, fmt.Errorf("smooth: bounds on p_A and p_B: %w", err)
	}
	c.PLower, c.PUpper = s.discount(b.PLower), min(1, s.concede(b.PUpper))
	if c.PLower <= c.PUpper {
		return c, nil
	}
	r1, err := theorem.RadiusTwoBounds(s.via, s.dim, c.PLower, c.PUpper)
	if err != nil {
		return Certification{}, fmt.Errorf("smooth: radius of %s in %s at dimension %d: %w", s.noise.Family.Name(), s.via, s.dim, err)
	}
	return c.withRegion(s.region(s.via, ScaleRadius(s.noise.Lambda, r1)))
}
