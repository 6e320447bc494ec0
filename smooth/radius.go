package smooth

import (
	"fmt"
	"math"

	"ucan/smooth/family"
	"ucan/smooth/region"
	"ucan/smooth/stats"
)

// The steps from votes to a certified region, in the order of the proof. Conclude takes them:
//
//	k votes of n → p_lower   lowerBound      Clopper and Pearson 1934
//	p_lower      → R         TheoremRadius   the family's theorem, at scale λ
//	R            → region    Region          UCAN, Theorem 2
//	region       → radius    Radius          Hölder's inequality (package region)

// lowerBound returns p_lower, the bound on p_A that k votes of n samples support at error
// probability alpha: P[p_lower ≤ p_A] ≥ 1 − alpha. The mass that the sampler cannot draw is off.
func (s *SealedNoise) lowerBound(k, n int64, alpha float64) (float64, error) {
	p, err := stats.ClopperPearsonLower(k, n, alpha)
	if err != nil {
		return 0, fmt.Errorf("smooth: bound on p_A: %w", err)
	}
	return s.discount(p), nil
}

// discount takes the mass that the sampler cannot draw off a bound on p_A,
// rounded down.
func (s *SealedNoise) discount(bound float64) float64 {
	if s.lost == 0 {
		return bound
	}
	return max(0, math.Nextafter(bound-s.lost, 0))
}

// concede adds that mass to an upper bound, rounded up.
func (s *SealedNoise) concede(bound float64) float64 {
	if s.lost == 0 {
		return bound
	}
	return math.Nextafter(bound+s.lost, 2)
}

// TheoremRadius returns R = λ·R₁(pLower), the family's radius at raw scale λ in
// norm Via, rounded toward zero; 0 when pLower ≤ 1/2. Source: the family's theorem, which its
// documentation names; Cohen et al. 2019, Theorem 1, for Gaussian noise; package lipschitz where
// the scale follows the input.
func (s *SealedNoise) TheoremRadius(pLower float64) (float64, error) {
	if math.IsNaN(pLower) || pLower < 0 || pLower > 1 {
		return 0, fmt.Errorf("smooth: bound on p_A is %v; it must lie in [0, 1]", pLower)
	}
	if pLower <= 0.5 {
		return 0, nil
	}
	r1, err := s.theorem.Radius(s.via, s.dim, pLower)
	if err != nil {
		return 0, fmt.Errorf("smooth: radius of %s in %s at dimension %d: %w", s.noise.Family.Name(), s.via, s.dim, err)
	}
	if math.IsNaN(r1) || r1 < 0 {
		return 0, fmt.Errorf("smooth: family %q gave radius %v for a bound of %v; a radius is never negative", s.noise.Family.Name(), r1, pLower)
	}
	return ScaleRadius(s.noise.Lambda, r1), nil
}

// Region returns the certified region {δ : ‖δ⊘s‖_Via ≤ R} of a bound on p_A, in the
// noise's basis when it has one. Source: UCAN, Theorem 2: R certifies the classifier z ↦ f(s⊙z + μ)
// under isotropic noise, and z moves by δ⊘s when x moves by δ.
func (s *SealedNoise) Region(pLower float64) (region.Region, error) {
	r, err := s.TheoremRadius(pLower)
	if err != nil {
		return region.Region{}, err
	}
	return s.region(s.via, r), nil
}

// region returns {δ : ‖δ⊘s‖_norm ≤ radius}, in the noise's basis.
func (s *SealedNoise) region(norm family.Norm, radius float64) region.Region {
	return region.Region{Norm: norm, R: radius, Sigma: s.noise.sigma, Dim: s.dim, Basis: s.noise.basis}
}

// Radius returns the certified radius in the noise's norm of a bound on p_A,
// rounded down.
func (s *SealedNoise) Radius(pLower float64) (float64, error) {
	r, err := s.Region(pLower)
	if err != nil {
		return 0, err
	}
	if s.noise.basis != nil { // there a radius costs transforms, and adaptive grids ask for many
		return region.MulDown(r.R, s.unit), nil
	}
	out, err := r.Radius(s.noise.Norm)
	if err != nil {
		return 0, fmt.Errorf("smooth: %s radius: %w", s.noise.Norm, err)
	}
	return out, nil
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
	bound, err := s.lowerBound(n, n, alpha)
	if err != nil {
		return 0, err
	}
	return s.Radius(bound)
}
