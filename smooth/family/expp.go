package family

import (
	"fmt"
	"math"

	"ucan/smooth/internal/special"
	"ucan/smooth/stream"
)

// Expp is a product of generalised normal distributions: density ∝ e^(−Σ|x_i|^p)
// on ℝᵈ, for p ≥ 1 or p = ½. For p = 1 it is Laplace noise, for p = 2 Gaussian noise
// with variance ½.
//
// λ is the raw scale. |x_i|^p is Gamma(1/p); the variance of a coordinate is
// λ² Γ(3/p)/Γ(1/p). Norm ℓ1, at λ = 1, G_a the gamma law of shape a:
//
//   - p ≥ 1: R = g^(1/p), P[G_{1/p} ≤ g] = 2p_A − 1;
//   - p = ½: R = 2(−c ln(1−e^(−c)) + Li₂(e^(−c))), P[G_2 ≤ c] = 2(1−p_A); bounded by
//     π²/3 as p_A → 1.
//
// R(p_A, p_B) = (F(p_A) − F(p_B))/2.
//
// Source: Yang et al. 2020, differential method.
//
// Sampling loses at most 3·d·[stream.LostMass].
type Expp struct{ p float64 }

var (
	_ Isotropic = (*Expp)(nil)
	_ TwoBounds = (*Expp)(nil)
)

// NewExpp returns the family with the given exponent, p ≥ 1 or p = ½.
func NewExpp(p float64) (*Expp, error) {
	if p != 0.5 && !(p >= 1) || math.IsInf(p, 1) {
		return nil, fmt.Errorf("noise family expp with p = %v; p must be at least 1, or 0.5: %w", p, ErrDomain)
	}
	return &Expp{p}, nil
}

// Name returns "expp".
func (*Expp) Name() string { return "expp" }

// Params returns p.
func (f *Expp) Params() map[string]float64 { return map[string]float64{"p": f.p} }

// Norms returns ℓ1.
func (*Expp) Norms() []Norm { return []Norm{L1} }

// Sample implements Sampler. In general |x| = U·G^(1/p) with G from Gamma(1+1/p):
// e^(−|x|^p) is a mixture of indicator functions.
func (f *Expp) Sample(dst []float32, src *stream.Source) {
	switch f.p {
	case 1:
		src.LaplaceInto(dst)
	case 2:
		src.NormalInto(dst)
		scale(dst, math.Sqrt2/2)
	case 0.5: // the square of a sum of two exponential variates, with a sign
		src.LaplaceInto(dst)
		for i, e := range dst {
			x := math.Abs(float64(e)) + src.Exponential()
			dst[i] = float32(math.Copysign(x*x, float64(e)))
		}
	default:
		src.UniformInto(dst)
		for i, u := range dst {
			dst[i] = float32(float64(u) * math.Pow(src.Gamma(1+1/f.p), 1/f.p))
		}
	}
}

// LostMass bounds the total-variation distance of a sample from the exact law.
func (*Expp) LostMass(dim int) float64 { return 3 * float64(dim) * stream.LostMass }

// Lambda1 implements Scaler.
func (f *Expp) Lambda1(dim int) (float64, error) {
	if err := checkDim(f, dim); err != nil {
		return 0, err
	}
	return 1 / math.Sqrt(special.GammaRatio(1/f.p, 2/f.p)), nil
}

// Radius implements Theorem.
func (f *Expp) Radius(n Norm, dim int, pLower float64) (float64, error) {
	if done, err := checkRadius(f, n, dim, pLower); done {
		return 0, err
	}
	p := min(pLower, topProbability)
	w, q := 2*(p-0.5), 2*(1-p)
	switch f.p {
	case 1:
		return below(logTail(p), 0x1p-51), nil
	case 0.5:
		c := math.Exp(special.LogGammaQuantile(2, q, w))
		e := math.Exp(-c)
		return below(2*(special.Dilog(e)-c*logComplement(c, e)), quantileMargin), nil
	}
	return below(math.Exp(special.LogGammaQuantile(1/f.p, w, q)/f.p), quantileMargin), nil
}

// RadiusTwoBounds implements TwoBounds.
func (f *Expp) RadiusTwoBounds(n Norm, dim int, pLower, pUpper float64) (float64, error) {
	return differentialTwoBounds(f, n, dim, pLower, pUpper)
}

// logComplement returns ln(1 − e^(−c)), given e = e^(−c) as well.
func logComplement(c, e float64) float64 {
	if c > 1 {
		return math.Log1p(-e)
	}
	return math.Log(-math.Expm1(-c))
}
