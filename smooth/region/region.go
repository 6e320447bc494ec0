// Package region holds certified regions: ellipsoids, cross-polytopes and boxes
// {δ : ‖δ ⊘ σ‖_p ≤ R} around an input, and ellipsoids {δ : ‖diag(1/σ) Uᵀδ‖₂ ≤ R}
// along an orthonormal basis U, and what can be said of them exactly.
//
// Every result is rounded so that it never claims more than the region gives:
// radii, scalings and volumes downward, membership towards "outside".
// R and σ are taken as exact. The region of an anisotropic
// certificate follows from the isotropic one by the universal transform (UCAN,
// arXiv 2510.19977, Theorem 2): if ε certifies ‖δ‖_p < R, σ⊙ε + μ certifies
// ‖δ⊘σ‖_p < R.
package region

import (
	"errors"
	"fmt"
	"math"

	"ucan/smooth/basis"
	"ucan/smooth/family"
)

// Region is {δ ∈ ℝᵈ : ‖δ ⊘ σ‖_p ≤ R}, or with a basis U {δ : ‖diag(1/σ) Uᵀδ‖₂ ≤ R}. Its methods
// fail with an error when a field is out of range, and never change it. Source: UCAN, Theorem 2.
type Region struct {
	// Norm is p.
	Norm family.Norm
	// R is the radius in the scaled coordinates, finite and not negative.
	R float64
	// Sigma is the scale field σ, positive and finite, of length Dim; nil stands
	// for ones (or for Sigma64).
	Sigma []float32
	// Sigma64 is the scale field in float64, for one that is not float32; at most
	// one of the two may be given.
	Sigma64 []float64
	// Dim is d ≥ 1.
	Dim int
	// Basis is the orthonormal transform U along whose vectors σ is measured, for
	// p = 2 only; nil stands for the coordinates of δ themselves.
	Basis *basis.Transform
}

// Check returns an error when the region is not valid: an unknown norm, a
// dimension below 1, an R that is NaN, infinite or negative, a field of another
// length or with a value that is ≤ 0, NaN or infinite (Σ must be invertible), a basis
// of another dimension or in another norm than ℓ2.
func (r Region) Check() error {
	switch {
	case r.Norm != family.L1 && r.Norm != family.L2 && r.Norm != family.LInf:
		return fmt.Errorf("region in %s: not a norm; use l1, l2 or linf", r.Norm)
	case r.Dim < 1:
		return fmt.Errorf("region of dimension %d; it must be at least 1", r.Dim)
	case math.IsNaN(r.R) || math.IsInf(r.R, 0) || r.R < 0:
		return fmt.Errorf("region of radius %v; it must be finite and not negative", r.R)
	case r.Sigma != nil && len(r.Sigma) != r.Dim:
		return fmt.Errorf("region of dimension %d with %d values of sigma; give one a coordinate", r.Dim, len(r.Sigma))
	case r.Sigma64 != nil && len(r.Sigma64) != r.Dim:
		return fmt.Errorf("region of dimension %d with %d values of sigma; give one a coordinate", r.Dim, len(r.Sigma64))
	case r.Sigma != nil && r.Sigma64 != nil:
		return errors.New("region with two scale fields; give sigma in float32 or in float64")
	case r.Basis != nil && r.Norm != family.L2:
		return fmt.Errorf("%s region in basis %s; only l2 regions may lie in a basis", r.Norm, r.Basis.Name())
	case r.Basis != nil && r.Basis.Dim() != r.Dim:
		return fmt.Errorf("region of dimension %d in basis %s; they must agree", r.Dim, r.Basis.Name())
	case r.isotropic():
		return nil
	}
	for i := range r.Dim {
		if s := r.sigma(i); !(s >= smallest && s <= largest) {
			return fmt.Errorf("region with sigma %v at coordinate %d; every value must be positive and finite (%g to %g)", s, i, smallest, largest)
		}
	}
	return nil
}

// The range of σ: that of float32, subnormal numbers included, in which neither
// 1/σ² nor a product with it leaves the range of float64.
const (
	smallest = math.SmallestNonzeroFloat32
	largest  = math.MaxFloat32
)

// isotropic reports that σ is all ones.
func (r Region) isotropic() bool { return r.Sigma == nil && r.Sigma64 == nil }

// sigma returns σ_i.
func (r Region) sigma(i int) float64 {
	switch {
	case r.Sigma != nil:
		return float64(r.Sigma[i])
	case r.Sigma64 != nil:
		return r.Sigma64[i]
	}
	return 1
}

// leastSigma returns min σ.
func (r Region) leastSigma() float64 {
	least := math.Inf(1)
	for i := range r.Dim {
		least = min(least, r.sigma(i))
	}
	return least
}

// Radius returns the radius of the largest ℓq ball inside the region, rounded
// down by less than 1e-14 relative:
//
//	R · min σ            for q ≤ p,
//	R / ‖1/σ‖_r          for q > p, 1/r = 1/p − 1/q  (r = p at q = ∞).
//
// Source: Hölder's inequality, exact because its equality case lies in the ball. In a basis, the
// radius for ℓ2 is R · min σ, that for ℓ1 R over the largest of ‖diag(1/σ) Uᵀe_i‖₂, both
// exact; that for ℓ∞ is a lower bound, exact where [basis.Transform.CubeGain] says so.
func (r Region) Radius(q family.Norm) (float64, error) {
	if err := r.Check(); err != nil {
		return 0, err
	}
	if q != family.L1 && q != family.L2 && q != family.LInf {
		return 0, fmt.Errorf("radius in %s: not a norm; use l1, l2 or linf", q)
	}
	if r.Basis != nil && q != family.L2 {
		return r.radiusInBasis(q), nil
	}
	if q <= r.Norm { // the constants are ordered as the norms are
		return MulDown(r.R, r.leastSigma()), nil
	}
	var total sum
	if r.Norm == family.L1 && q == family.LInf { // r = 1
		for i := range r.Dim {
			total.add(1 / r.sigma(i))
		}
		return down(r.R / (total.value() * (1 + slack))), nil
	}
	for i := range r.Dim { // r = 2
		inv := 1 / r.sigma(i)
		total.add(inv * inv)
	}
	return down(r.R / (math.Sqrt(total.value()) * (1 + slack))), nil
}

// MaxScale returns the largest t ≥ 0 such that t·direction lies in the region,
// R/‖direction⊘σ‖_p, rounded down by less than 1e-14 relative; +Inf for the zero
// direction. Errors: another length than Dim, a value that is NaN or infinite.
func (r Region) MaxScale(direction []float64) (float64, error) {
	if err := r.Check(); err != nil {
		return 0, err
	}
	if len(direction) != r.Dim {
		return 0, fmt.Errorf("direction of %d values for a region of dimension %d", len(direction), r.Dim)
	}
	largest := 0.0
	for i, v := range direction {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return 0, fmt.Errorf("direction with %v at coordinate %d; every value must be finite", v, i)
		}
		largest = max(largest, math.Abs(v))
	}
	if largest == 0 {
		return math.Inf(1), nil
	}
	if r.R == 0 {
		return 0, nil
	}
	// Scaled by a power of two, which is exact, nothing overflows.
	_, exp := math.Frexp(largest)
	at := func(i int) float64 { return math.Ldexp(direction[i], -exp) }
	norm := r.norm(at) * (1 + slack)
	if r.Basis != nil {
		_, norm = r.normInBasis(at)
	}
	return down(math.Ldexp(down(r.R/norm), -exp)), nil
}

// norm returns ‖v ⊘ σ‖_p for values up to 1 in size, with a relative error below
// slack/2. Values small enough to underflow when squared do not matter in
// comparison with the largest one, which is at least 1/2.
func (r Region) norm(v func(i int) float64) float64 {
	var total sum
	largest := 0.0
	for i := range r.Dim {
		x := math.Abs(v(i)) / r.sigma(i)
		switch r.Norm {
		case family.L1:
			total.add(x)
		case family.L2:
			total.add(x * x)
		default:
			largest = max(largest, x)
		}
	}
	switch r.Norm {
	case family.L1:
		return total.value()
	case family.L2:
		return math.Sqrt(total.value())
	}
	return largest
}
