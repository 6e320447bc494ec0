package smooth

import (
	"fmt"
	"math"

	"ucan/smooth/family"
	"ucan/smooth/region"
)

// Noise returns what was sealed, quantised.
func (s *SealedNoise) Noise() Noise { return s.noise }

// Dim returns the input dimension the noise was sealed for.
func (s *SealedNoise) Dim() int { return s.dim }

// Via returns the norm whose theorem certifies: the asked norm when the family
// has a theorem for it, otherwise the one of the family's norms whose region
// holds the larger ball of the asked norm at p_A = 0.99.
func (s *SealedNoise) Via() family.Norm { return s.via }

// Converted reports whether radii are converted from a region of another norm.
func (s *SealedNoise) Converted() bool { return s.via != s.noise.Norm }

// LostMass is the total-variation distance that a certificate concedes to the
// sampler, over all coordinates: p_lower is reduced by it.
func (s *SealedNoise) LostMass() float64 { return s.lost }

// Sigma returns the standard deviation of a coordinate that λ stands for (before
// the field s), λ/λ₁; ok is false when the family has none.
func (s *SealedNoise) Sigma() (sigma float64, ok bool) {
	scaler, ok := s.noise.Family.(family.Scaler)
	if !ok {
		return 0, false
	}
	lambda1, err := scaler.Lambda1(s.dim)
	if err != nil {
		return 0, false
	}
	return s.noise.Lambda / lambda1, true
}

// LambdaFor returns the raw scale at which noise of family f has standard
// deviation sigma per coordinate in dimension dim: sigma·λ₁. It returns an error
// for a sigma that is not positive and finite, and for a family without variance
// (wrapping family.ErrInfiniteVariance), which takes only a λ.
func LambdaFor(f family.Family, dim int, sigma float64) (float64, error) {
	if !(sigma > 0) || math.IsInf(sigma, 0) {
		return 0, fmt.Errorf("smooth: sigma is %v; it must be positive and finite", sigma)
	}
	scaler, ok := f.(family.Scaler)
	if !ok {
		return 0, fmt.Errorf("smooth: family %q does not say its standard deviation; give lambda", f.Name())
	}
	lambda1, err := scaler.Lambda1(dim)
	if err != nil {
		return 0, fmt.Errorf("smooth: sigma of %s: %w; give lambda", f.Name(), err)
	}
	return sigma * lambda1, nil
}

// UnitRadius is c, the reported radius for a theorem radius of 1: reported
// radius = c·R. For a theorem in the asked norm it is min s.
func (s *SealedNoise) UnitRadius() float64 { return s.unit }

// TheoremRadius returns R = λ·R₁(pLower), the family's radius at raw scale λ in
// norm Via, rounded toward zero; 0 when pLower ≤ 1/2.
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
	return mulDown(s.noise.Lambda, r1), nil
}

// Region returns the certified region {δ : ‖δ⊘s‖_Via ≤ R} of a bound on p_A, in the
// noise's basis when it has one.
func (s *SealedNoise) Region(pLower float64) (region.Region, error) {
	r, err := s.TheoremRadius(pLower)
	if err != nil {
		return region.Region{}, err
	}
	return s.region(s.via, r), nil
}

// Radius returns the certified radius in the noise's norm of a bound on p_A,
// rounded down.
func (s *SealedNoise) Radius(pLower float64) (float64, error) {
	r, err := s.Region(pLower)
	if err != nil {
		return 0, err
	}
	if s.noise.basis != nil { // there a radius costs transforms, and adaptive grids ask for many
		return mulDown(r.R, s.unit), nil
	}
	out, err := r.Radius(s.noise.Norm)
	if err != nil {
		return 0, fmt.Errorf("smooth: %s radius: %w", s.noise.Norm, err)
	}
	return out, nil
}

// ExtentOf measures an intersection of regions. With several of them, ALM and
// LogVolume are those of the smallest: upper estimates of the intersection's.
func ExtentOf(in region.Intersection) (Extent, error) {
	var e Extent
	var err error
	measure := func(dst *float64, f func() (float64, error)) {
		if err == nil {
			*dst, err = f()
		}
	}
	measure(&e.Radii.L1, func() (float64, error) { return in.Radius(family.L1) })
	measure(&e.Radii.L2, func() (float64, error) { return in.Radius(family.L2) })
	measure(&e.Radii.LInf, func() (float64, error) { return in.Radius(family.LInf) })
	measure(&e.ALM, in.ALM)
	measure(&e.LogVolume, in.LogVolume)
	if err != nil {
		return Extent{}, fmt.Errorf("smooth: measure region: %w", err)
	}
	return e, nil
}

// lostMass bounds the total-variation distance between d exact variates and d
// drawn ones.
func lostMass(f family.Family, dim int) float64 {
	if l, ok := f.(interface{ LostMass(dim int) float64 }); ok {
		return l.LostMass(dim)
	}
	return float64(dim) * assumedLoss
}

// assumedLoss is the mass per coordinate that a family which states none may
// lose: the samplers here are built to lose no more.
const assumedLoss = 1e-12
