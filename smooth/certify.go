package smooth

import (
	"context"
	"fmt"
	"math"

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
}

// Validate returns an error that names the first value out of range.
func (c FixedN) Validate() error {
	switch {
	case c.N0 < 1:
		return fmt.Errorf("smooth: n0 is %d; fixed-n certification needs at least 1 selection sample", c.N0)
	case c.N < 1:
		return fmt.Errorf("smooth: n is %d; it must be at least 1", c.N)
	}
	return validateAlpha(c.Alpha)
}

func validateAlpha(alpha float64) error {
	if !(alpha > 0 && alpha < 1) {
		return fmt.Errorf("smooth: alpha is %v; it must lie strictly between 0 and 1", alpha)
	}
	return nil
}

// Certify certifies input x at fixed sample sizes (CERTIFY of Cohen, Rosenfeld
// and Kolter 2019, with the universal transform).
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
	return noise.Conclude(parts[0].counts, parts[1].counts, c.Alpha)
}

// Conclude makes the certificate that fixed-n votes support: the class comes from
// the selection votes alone, the bound from the estimation votes alone. Certify
// is Sample twice and Conclude; votes that were stored can be concluded again at
// another alpha or with the noise's other norms.
func (s *SealedNoise) Conclude(selection, estimation Counts, alpha float64) (Certification, error) {
	if err := validateAlpha(alpha); err != nil {
		return Certification{}, err
	}
	c := Certification{
		Abstained: true, Method: MethodFixed, Alpha: alpha,
		Selection: selection, Estimation: estimation,
		Norm: s.noise.Norm, Via: s.via, Converted: s.via != s.noise.Norm,
		Extent: Extent{LogVolume: math.Inf(-1)},
	}
	c.Class, _, c.HasClass = selection.Top()
	c.warnInvalid(selection)
	if !c.HasClass {
		c.Warnings = append(c.Warnings, "no selection sample voted for a class")
		return c, nil
	}
	bound, err := stats.ClopperPearsonLower(estimation.Votes(c.Class), estimation.N, alpha)
	if err != nil {
		return Certification{}, fmt.Errorf("smooth: bound on p_A: %w", err)
	}
	c.PLower = s.discount(bound)
	if c.PLower <= 0.5 {
		return c, nil
	}
	if err := s.certify(&c); err != nil {
		return Certification{}, err
	}
	return c, nil
}

// certify fills in the certified set of a bound PLower.
func (s *SealedNoise) certify(c *Certification) error {
	r, err := s.Region(c.PLower)
	if err != nil {
		return err
	}
	c.Extent, err = ExtentOf(r)
	if err != nil {
		return err
	}
	c.Abstained = false
	c.R, c.Regions = r.R, append(c.Regions, r)
	c.Radius = c.Extent.Radii.In(s.noise.Norm)
	return nil
}

// warnInvalid remarks on samples that voted for no class.
func (c *Certification) warnInvalid(selection Counts) {
	invalid, n := selection.Invalid+c.Estimation.Invalid, selection.N+c.Estimation.N
	if invalid > 0 {
		c.Warnings = append(c.Warnings, fmt.Sprintf("%d of %d samples gave no vote (NaN or a tie); they count against the certificate", invalid, n))
	}
}

// MaxRadius returns the largest radius, in the noise's norm, that n samples can
// certify at failure probability alpha: that of n votes out of n, rounded down;
// 0 when even those abstain.
func (s *SealedNoise) MaxRadius(n int64, alpha float64) (float64, error) {
	if err := validateAlpha(alpha); err != nil {
		return 0, err
	}
	if n < 1 {
		return 0, fmt.Errorf("smooth: n is %d; it must be at least 1", n)
	}
	bound, err := stats.ClopperPearsonLower(n, n, alpha)
	if err != nil {
		return 0, fmt.Errorf("smooth: bound on p_A: %w", err)
	}
	return s.Radius(s.discount(bound))
}

// discount takes the mass that the sampler cannot draw off a bound on p_A,
// rounded down.
func (s *SealedNoise) discount(bound float64) float64 {
	if s.lost == 0 {
		return bound
	}
	return max(0, math.Nextafter(bound-s.lost, 0))
}
