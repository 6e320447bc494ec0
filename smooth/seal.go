package smooth

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"ucan/smooth/family"
	"ucan/smooth/lipschitz"
)

// referenceP is the bound on p_A at which Seal compares the theorems of a family
// that has several, none of them for the asked norm. Any fixed value is sound;
// this one is typical of an input that is worth certifying.
const referenceP = 0.99

// Seal checks n for inputs of dimension dim and quantises what is sampled: λ to
// float32 (the nearest), μ and σ being float32 already.
//
// It returns an error for a missing family or one without a sampler or a theorem, a λ that is not a
// positive finite float32, fields of another dimension, a product λ·σ_i outside the normal range of
// float32, or a basis under another family or arithmetic, or with scales too far apart.
func (n Noise) Seal(dim int) (*SealedNoise, error) {
	if dim < 1 {
		return nil, fmt.Errorf("smooth: dimension %d; it must be at least 1", dim)
	}
	if n.Family == nil {
		return nil, errors.New("smooth: no noise family; make one with family.New")
	}
	if n.Norm != family.L1 && n.Norm != family.L2 && n.Norm != family.LInf {
		return nil, fmt.Errorf("smooth: no norm to report the radius in; use %s, %s or %s", family.L1, family.L2, family.LInf)
	}
	// Parameters that default by dimension are fixed now, so that they are known.
	if f, ok := n.Family.(family.Sized); ok {
		fixed, err := f.ForDim(dim)
		if err != nil {
			return nil, fmt.Errorf("smooth: %w", err)
		}
		n.Family = fixed
	}
	sampler, okS := n.Family.(family.Sampler)
	theorem, okT := n.Family.(family.Theorem)
	if !okS || !okT {
		return nil, fmt.Errorf("smooth: family %q lacks a sampler or a theorem; implement family.Sampler and family.Theorem", n.Family.Name())
	}
	if n.Arithmetic == "" {
		n.Arithmetic = Float32
	}
	lambda := float32(n.Lambda)
	if _, err := ParseArithmetic(string(n.Arithmetic)); err != nil {
		return nil, err
	}
	err := firstError(
		checkLambda(n.Lambda, lambda),
		n.fit(dim),
		n.checkBasis(),
		n.checkRate(),
	)
	if err != nil {
		return nil, fmt.Errorf("smooth: %w", err)
	}
	n.Lambda = float64(lambda)
	s := &SealedNoise{
		noise: n, dim: dim, sampler: sampler, theorem: theorem,
		lost: family.LostMass(n.Family, dim),
	}
	if n.Rate > 0 {
		s.theorem = lipschitz.Quantised(dim, n.Rate*n.Lambda)
	}
	if n.Arithmetic == Lattice {
		if err := s.sealLattice(); err != nil {
			return nil, err
		}
	}
	if err := s.sealScale(); err != nil {
		return nil, err
	}
	if err := s.chooseTheorem(); err != nil {
		return nil, err
	}
	s.affine = s.affineOf()
	return s, nil
}

// firstError returns the first error that is not nil.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func checkLambda(lambda float64, quantised float32) error {
	if !(lambda > 0) || math.IsInf(lambda, 0) || math.IsInf(float64(quantised), 0) || quantised < minScale {
		return fmt.Errorf("noise scale lambda is %v; it must be positive, finite and within float32", lambda)
	}
	return nil
}

// checkBasis refuses a basis for which there is no proof. The region of other families
// would follow from the universal transform just as well, but what it holds of ℓ1, ℓ2
// and ℓ∞ balls is known here for p = 2 only; and the widening of the sampled scales
// ([SealedNoise.widening]) needs noise whose law depends on its covariance alone.
func (n Noise) checkBasis() error {
	if n.basis == nil {
		return nil
	}
	name := n.basis.Name()
	switch _, gaussian := n.Family.(family.Gaussian); {
	case !gaussian:
		return fmt.Errorf("noise of family %q in the basis %s; only gaussian noise is certified in a basis", n.Family.Name(), name)
	case n.Arithmetic == Lattice:
		return fmt.Errorf("lattice arithmetic in the basis %s; noise in a basis is not on the lattice of 8-bit images, use %s", name, Float32)
	case n.sigma == nil:
		return errors.New("a basis without a scale field; isotropic gaussian noise is the same in every basis, leave the basis out")
	}
	return nil
}

// checkRate refuses scales that follow the input where there is no proof.
func (n Noise) checkRate() error {
	if n.Rate == 0 {
		return nil
	}
	if !(n.Rate > 0) || math.IsInf(n.Rate, 0) {
		return fmt.Errorf("the scale's rate is %v; it must be finite and not negative", n.Rate)
	}
	if _, gaussian := n.Family.(family.Gaussian); !gaussian || n.Arithmetic == Lattice || n.basis != nil {
		return errors.New("noise whose scale follows the input is certified for the gaussian family, in float32 arithmetic and without a basis; leave the others out")
	}
	return nil
}

// minScale is the smallest normal float32: below it, sampling loses bits of the
// noise.
const minScale = 0x1p-126

// chooseTheorem fixes the norm whose theorem is used, before any sample.
func (s *SealedNoise) chooseTheorem() error {
	norms := s.noise.Family.Norms()
	if len(norms) == 0 {
		return fmt.Errorf("smooth: family %q has a theorem for no norm", s.noise.Family.Name())
	}
	if slices.Contains(norms, s.noise.Norm) {
		norms = []family.Norm{s.noise.Norm}
	}
	best := -1.0
	for _, norm := range norms {
		unit, err := s.unitRadius(norm)
		if err != nil {
			return err
		}
		r := unit
		if len(norms) > 1 {
			r1, rerr := s.theorem.Radius(norm, s.dim, referenceP)
			if rerr != nil {
				return fmt.Errorf("smooth: radius of %s in %s: %w", s.noise.Family.Name(), norm, rerr)
			}
			r *= r1
		}
		if r > best {
			best, s.via, s.unit = r, norm, unit
		}
	}
	// A bound of 1/2 costs nothing, and finds a dimension or a parameter outside
	// the theorem's domain now rather than after the first input's samples.
	if _, err := s.theorem.Radius(s.via, s.dim, 0.5); err != nil {
		return fmt.Errorf("smooth: radius of %s in %s at dimension %d: %w", s.noise.Family.Name(), s.via, s.dim, err)
	}
	return nil
}

func (s *SealedNoise) unitRadius(norm family.Norm) (float64, error) {
	unit := s.region(norm, 1)
	r, err := unit.Radius(s.noise.Norm)
	if err != nil {
		return 0, fmt.Errorf("smooth: %s radius of a unit %s region: %w", s.noise.Norm, norm, err)
	}
	return r, nil
}
