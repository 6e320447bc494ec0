package family

import (
	"fmt"
	"math"

	"ucan/smooth/internal/special"
	"ucan/smooth/stream"
)

// Pareto is the product of two-sided Pareto (Lomax) distributions: density
// ∏ (a/2)(1+|x_i|)^(−a−1) on ℝᵈ, a > 0.
//
// λ is the raw scale; the variance of a coordinate is 2λ²/((a−1)(a−2)), infinite
// for a ≤ 2. Norm ℓ1, at λ = 1:
//
//	R = (1/a) ∫₀^w du/(1 − u^(1+1/a)) = (w/a) ₂F₁(1, a/(a+1); a/(a+1)+1; w^(1+1/a)),
//
// w = 2p_A − 1; R(p_A, p_B) = (F(p_A) − F(p_B))/2.
//
// Source: Yang et al. 2020, differential method.
//
// Sampling (e^(E/a) − 1 with a sign, E exponential) loses at most
// [stream.LostMass] of mass per coordinate; values above the range of float32,
// which occur for a below about 1, become infinite, and the classifier decides.
type Pareto struct{ a float64 }

var (
	_ Isotropic = (*Pareto)(nil)
	_ TwoBounds = (*Pareto)(nil)
)

// NewPareto returns the family with the given exponent, a > 0.
func NewPareto(a float64) (*Pareto, error) {
	if !(a > 0) || math.IsInf(a, 1) {
		return nil, fmt.Errorf("noise family pareto with a = %v; a must be positive: %w", a, ErrDomain)
	}
	return &Pareto{a}, nil
}

// Name returns "pareto".
func (*Pareto) Name() string { return "pareto" }

// Params returns a.
func (f *Pareto) Params() map[string]float64 { return map[string]float64{"a": f.a} }

// Norms returns ℓ1.
func (*Pareto) Norms() []Norm { return []Norm{L1} }

// Sample implements Sampler.
func (f *Pareto) Sample(dst []float32, src *stream.Source) {
	src.LaplaceInto(dst)
	inv := 1 / f.a
	for i, e := range dst {
		x := math.Expm1(math.Abs(float64(e)) * inv)
		dst[i] = float32(math.Copysign(x, float64(e)))
	}
}

// LostMass bounds the total-variation distance of a sample from the exact law.
func (*Pareto) LostMass(dim int) float64 { return float64(dim) * stream.LostMass }

// Lambda1 implements Scaler; the variance is infinite for a ≤ 2.
func (f *Pareto) Lambda1(dim int) (float64, error) {
	if err := checkDim(f, dim); err != nil {
		return 0, err
	}
	if f.a <= 2 {
		return 0, fmt.Errorf("noise family pareto with a = %v ≤ 2: %w; give the raw scale lambda", f.a, ErrInfiniteVariance)
	}
	return math.Sqrt((f.a - 1) * (f.a - 2) / 2), nil
}

// Radius implements Theorem.
func (f *Pareto) Radius(n Norm, dim int, pLower float64) (float64, error) {
	if done, err := checkRadius(f, n, dim, pLower); done {
		return 0, err
	}
	return below(f.integral(min(pLower, topProbability))/f.a, 1e-13), nil
}

// RadiusTwoBounds implements TwoBounds.
func (f *Pareto) RadiusTwoBounds(n Norm, dim int, pLower, pUpper float64) (float64, error) {
	return differentialTwoBounds(f, n, dim, pLower, pUpper)
}

// integral returns ∫₀^w du/(1 − u^β), β = 1 + 1/a, w = 2p − 1.
func (f *Pareto) integral(p float64) float64 {
	beta := 1 + 1/f.a
	w := 2 * (p - 0.5)
	// Below z = w^β = 0.6 the series Σ z^n w/(1 + nβ).
	split := math.Pow(0.6, 1/beta)
	u := min(w, split)
	z := math.Pow(u, beta)
	sum, term := 0.0, u
	for n := 0.0; term > sum*1e-18; n++ {
		sum += term / (1 + n*beta)
		term *= z
	}
	if w <= split {
		return sum
	}
	// Above it, with v = 1 − u = e^s: ∫ v ds/(1 − (1−v)^β), smooth down to v = 0.
	g := func(s float64) float64 {
		v := math.Exp(s)
		return v / -math.Expm1(beta*math.Log1p(-v))
	}
	lo, hi := math.Log(2*(1-p)), math.Log1p(-split)
	n := math.Ceil(hi - lo)
	for i := range int(n) {
		sum += special.Gauss(g, lo+(hi-lo)*float64(i)/n, lo+(hi-lo)*float64(i+1)/n)
	}
	return sum
}
