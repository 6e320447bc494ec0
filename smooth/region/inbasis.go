package region

import (
	"math"
	"math/big"

	"ucan/smooth/family"
)

// radiusInBasis is Radius in ℓ1 and ℓ∞ for a region in a basis: R over the largest
// value of ‖diag(1/σ) Uᵀδ‖₂ on the unit ball.
func (r Region) radiusInBasis(q family.Norm) float64 {
	gain := r.Basis.VertexGain
	if q == family.LInf {
		gain = r.Basis.CubeGain
	}
	return down(r.R / gain(r.sigma))
}

// normInBasis returns bounds on ‖diag(1/σ) Uᵀv‖₂ for values up to 1 in size, which may
// each be off by half an ulp: coefficients that are wrong by e in ℓ2 move the norm by
// at most ‖e‖₂ / min σ.
func (r Region) normInBasis(v func(i int) float64) (low, high float64) {
	x, c := make([]float64, r.Dim), make([]float64, r.Dim)
	var square sum
	for i := range x {
		x[i] = v(i)
		square.add(x[i] * x[i])
	}
	r.Basis.Coefficients(c, x)
	norm := r.norm(func(i int) float64 { return c[i] })
	off := (r.Basis.Resolution() + 0x1p-52) * math.Sqrt(square.value()) / r.leastSigma() * (1 + slack)
	return norm*(1-slack) - off, norm*(1+slack) + off
}

// containsInBasis is contains for a region in a basis and a perturbation whose largest
// value is given.
func (r Region) containsInBasis(delta func(i int) (hi, lo float64), largest float64) bool {
	if largest > 0x1p-300 && largest < 0x1p300 && r.R > 0x1p-300 && r.R < 0x1p300 {
		_, exp := math.Frexp(largest)
		low, high := r.normInBasis(func(i int) float64 { hi, _ := delta(i); return math.Ldexp(hi, -exp) })
		switch radius := math.Ldexp(r.R, -exp); {
		case high < radius:
			return true
		case low > radius:
			return false
		}
	}
	if !r.Basis.Precise() {
		return false
	}
	return r.containsBigInBasis(delta)
}

// basisBits is the precision of coefficients in multiple precision, and basisGuard the
// binary digits of it that rounding may cost: the cosines lose 2·log₂ n by their
// recurrence, sums of 2n terms log₂ 2n and a root, for n up to 1,024.
const (
	basisBits  = 512
	basisGuard = 64
)

// containsBigInBasis is containsInBasis in multiple precision.
func (r Region) containsBigInBasis(delta func(i int) (hi, lo float64)) bool {
	number := func() *big.Float { return new(big.Float).SetPrec(basisBits) }
	x := make([]*big.Float, r.Dim)
	square, term := number(), number()
	for i := range x {
		hi, lo := delta(i)
		x[i] = number().SetFloat64(hi)
		x[i].Add(x[i], new(big.Float).SetFloat64(lo))
		square.Add(square, term.Mul(x[i], x[i]))
	}
	total := number()
	for i, c := range r.Basis.PreciseCoefficients(x, basisBits) {
		c.Quo(c, term.SetFloat64(r.sigma(i)))
		total.Add(total, c.Mul(c, c))
	}
	guard := number().SetMantExp(number().SetInt64(1), basisGuard-basisBits)
	norm := total.Sqrt(total)
	off := square.Sqrt(square)
	off.Quo(off, term.SetFloat64(r.leastSigma())).Add(off, norm).Mul(off, guard)
	return norm.Add(norm, off).Cmp(number().SetFloat64(r.R)) <= 0
}
