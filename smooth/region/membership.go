package region

import (
	"fmt"
	"math"
	"math/big"

	"ucan/smooth/family"
)

// Contains reports whether δ certainly lies in the region. It is decided exactly for ℓ∞, for a
// region without field, and for δ with up to 64 values other than 0; otherwise points whose norm is
// within 1e-80 relative of R count as outside. A δ with a NaN or infinite value is outside. In a
// basis, whose entries are irrational, the room is 1e-130 relative times max σ / min σ, and for
// inputs too large for [basis.Transform.Precise] its Resolution times that ratio. Errors: an
// invalid region, another length than Dim.
func (r Region) Contains(delta []float64) (bool, error) {
	if err := r.Check(); err != nil {
		return false, err
	}
	if len(delta) != r.Dim {
		return false, fmt.Errorf("perturbation of %d values for a region of dimension %d", len(delta), r.Dim)
	}
	return r.contains(func(i int) (float64, float64) { return delta[i], 0 }), nil
}

// ContainsPoint reports whether the point y certainly lies in the region around
// x: whether y − x, computed exactly, is inside. See Contains.
func (r Region) ContainsPoint(x, y []float32) (bool, error) {
	if err := r.Check(); err != nil {
		return false, err
	}
	if len(x) != r.Dim || len(y) != r.Dim {
		return false, fmt.Errorf("points of %d and %d values for a region of dimension %d", len(x), len(y), r.Dim)
	}
	return r.contains(func(i int) (float64, float64) {
		a, b := float64(y[i]), -float64(x[i])
		s := a + b
		bv := s - a
		return s, (a - (s - bv)) + (b - bv) // Knuth's two-sum: s + t = y − x exactly
	}), nil
}

// contains decides membership of δ_i = hi + lo, an unevaluated sum in which lo is
// at most half an ulp of hi.
func (r Region) contains(delta func(i int) (hi, lo float64)) bool {
	largest := 0.0
	for i := range r.Dim {
		hi, lo := delta(i)
		if math.IsNaN(hi) || math.IsInf(hi, 0) || math.IsNaN(lo) {
			return false
		}
		largest = max(largest, math.Abs(hi))
	}
	if largest == 0 {
		return true
	}
	if r.R == 0 {
		return false
	}
	if r.Basis != nil {
		return r.containsInBasis(delta, largest)
	}
	if r.Norm == family.LInf {
		for i := range r.Dim {
			hi, lo := delta(i)
			if hi < 0 {
				hi, lo = -hi, -lo
			}
			if !leProduct(hi, lo, r.R, r.sigma(i)) {
				return false
			}
		}
		return true
	}
	// A first decision in float64, with room for its rounding, unless the numbers
	// are so large or small that squares could leave the range.
	if largest > 0x1p-300 && largest < 0x1p300 && r.R > 0x1p-300 && r.R < 0x1p300 {
		norm := r.norm(func(i int) float64 { hi, _ := delta(i); return hi })
		switch {
		case norm*(1+2*slack) < r.R:
			return true
		case norm*(1-2*slack) > r.R:
			return false
		}
	}
	return r.containsBig(delta)
}

// leProduct decides h + l ≤ R·s exactly, for h > 0, |l| ≤ ulp(h)/2.
func leProduct(h, l, radius, s float64) bool {
	p := radius * s
	if l == 0 && p > 0x1p-900 && p < math.MaxFloat64 {
		e := math.FMA(radius, s, -p) // R·s = p + e exactly, |e| ≤ ulp(p)/2
		return h < p || h == p && e >= 0
	}
	return exact(h, l).Cmp(new(big.Float).SetPrec(bits).Mul(exact(radius, 0), exact(s, 0))) <= 0
}

// bits is a precision at which sums of float64 are exact.
const bits = 4400

// quotientBits is the precision of divisions, 2⁻³⁰⁰ relative.
const quotientBits = 300

func exact(h, l float64) *big.Float {
	x := new(big.Float).SetPrec(bits).SetFloat64(h)
	return x.Add(x, new(big.Float).SetFloat64(l))
}

// containsBig is contains for ℓ1 and ℓ2 in multiple precision.
func (r Region) containsBig(delta func(i int) (hi, lo float64)) bool {
	prec := uint(bits)
	if !r.isotropic() {
		prec = quotientBits
	}
	total := new(big.Float).SetPrec(prec)
	x, s := new(big.Float).SetPrec(prec), new(big.Float)
	nonzero := 0
	for i := range r.Dim {
		hi, lo := delta(i)
		if hi == 0 {
			continue
		}
		nonzero++
		x.Abs(x.Set(exact(hi, lo)))
		if !r.isotropic() {
			x.Quo(x, s.SetFloat64(r.sigma(i)))
		}
		if r.Norm == family.L2 {
			x.Mul(x, x)
		}
		total.Add(total, x)
	}
	bound := exact(r.R, 0)
	if r.Norm == family.L2 {
		bound.Mul(bound, bound)
	}
	if r.isotropic() {
		return total.Cmp(bound) <= 0
	}
	// Each of 3·Dim operations errs by 2⁻³⁰⁰ relative at most; all terms are
	// positive, so the sum errs by less than 2⁻²⁷⁰ for any Dim below 2²⁸.
	margin := new(big.Float).SetMantExp(total, -270)
	if new(big.Float).SetPrec(bits).Add(total, margin).Cmp(bound) <= 0 {
		return true
	}
	if nonzero > maxRational || new(big.Float).SetPrec(bits).Sub(total, margin).Cmp(bound) > 0 {
		return false
	}
	return r.containsRational(delta)
}

// maxRational bounds the terms of a rational sum, whose length grows with each.
const maxRational = 64

// containsRational is containsBig in exact arithmetic.
func (r Region) containsRational(delta func(i int) (hi, lo float64)) bool {
	total := new(big.Rat)
	for i := range r.Dim {
		hi, lo := delta(i)
		if hi == 0 {
			continue
		}
		x, _ := exact(hi, lo).Rat(nil)
		x.Quo(x.Abs(x), new(big.Rat).SetFloat64(r.sigma(i)))
		if r.Norm == family.L2 {
			x.Mul(x, x)
		}
		total.Add(total, x)
	}
	bound := new(big.Rat).SetFloat64(r.R)
	if r.Norm == family.L2 {
		bound.Mul(bound, bound)
	}
	return total.Cmp(bound) <= 0
}
