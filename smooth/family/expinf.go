package family

import (
	"fmt"
	"math"

	"ucan/smooth/internal/special"
	"ucan/smooth/stream"
)

// ExpInf is the exponential of the ℓ∞ norm: density ∝ e^(−‖x‖∞^k) on ℝᵈ, k > 0.
//
// λ is the raw scale. ‖x‖∞^k is Gamma(d/k), and given ‖x‖∞ a coordinate has it as
// its size with probability 1/d and is uniform otherwise: the variance is
// λ² (1/d + (1−1/d)/3) Γ((d+2)/k)/Γ(d/k). Norms, at λ = 1:
//
//   - ℓ1: R = (p_A − ½)/Φ, Φ = (k/2d) Γ((d+k−1)/k)/Γ(d/k), for p_A ≤ 1 − 1/(2d) or
//     k < 1. Above that and for k ≥ 1, Φ falls, and the full value is
//     R(1 − 1/(2d)) + J(2d(1−p_A)) with the J of expIntegral.
//   - ℓ∞, only for k ≥ 1 (the order of the gradients is the other way for k < 1,
//     where the same formula over-claims): R = J(2(1−p_A)); −ln(2(1−p_A)) for k = 1.
//
// Source: Yang et al. 2020, differential method.
//
// Sampling: e^(−r^k) is a mixture of indicator functions, so x is uniform on the
// cube [−t, t]ᵈ with t^k from Gamma((d+k)/k). It loses at most 2·[stream.LostMass].
type ExpInf struct {
	k      float64
	tables tables[*expIntegral]
}

var (
	_ Isotropic = (*ExpInf)(nil)
	_ TwoBounds = (*ExpInf)(nil)
)

// NewExpInf returns the family with the given exponent k > 0. j, the power of a
// factor ‖x‖∞^(−j) in the density, must be 0: no other value has a theorem.
func NewExpInf(k, j float64) (*ExpInf, error) {
	if !(k > 0) || math.IsInf(k, 1) {
		return nil, fmt.Errorf("noise family expinf with k = %v; k must be positive: %w", k, ErrDomain)
	}
	if j != 0 {
		return nil, fmt.Errorf("noise family expinf with j = %v; only j = 0 has a theorem: %w", j, ErrDomain)
	}
	return &ExpInf{k: k}, nil
}

// Name returns "expinf".
func (*ExpInf) Name() string { return "expinf" }

// Params returns k and j.
func (f *ExpInf) Params() map[string]float64 { return map[string]float64{"k": f.k, "j": 0} }

// Norms returns ℓ1, and ℓ∞ as well when k ≥ 1.
func (f *ExpInf) Norms() []Norm {
	if f.k < 1 {
		return []Norm{L1}
	}
	return []Norm{L1, LInf}
}

// Sample implements Sampler.
func (f *ExpInf) Sample(dst []float32, src *stream.Source) {
	t := math.Pow(src.Gamma((float64(len(dst))+f.k)/f.k), 1/f.k)
	src.UniformInto(dst)
	scale(dst, t)
}

// LostMass bounds the total-variation distance of a sample from the exact law.
func (*ExpInf) LostMass(int) float64 { return 2 * stream.LostMass }

// Slack implements Numeric.
func (*ExpInf) Slack() float64 { return quadratureMargin / 2 }

// Lambda1 implements Scaler.
func (f *ExpInf) Lambda1(dim int) (float64, error) {
	if err := checkDim(f, dim); err != nil {
		return 0, err
	}
	d := float64(dim)
	return scaleOf(f, dim, 1/math.Sqrt((1/d+(1-1/d)/3)*special.GammaRatio(d/f.k, 2/f.k)))
}

// Radius implements Theorem. The error for ℓ∞ with k < 1 wraps ErrDomain.
func (f *ExpInf) Radius(n Norm, dim int, pLower float64) (float64, error) {
	if n == LInf && f.k < 1 {
		return 0, fmt.Errorf("noise family expinf with k = %v < 1 in linf: the theorem needs k ≥ 1: %w", f.k, ErrDomain)
	}
	if done, err := checkRadius(f, n, dim, pLower); done {
		return 0, err
	}
	p := min(pLower, topProbability)
	h, q := p-0.5, 1-p // both exact
	d := float64(dim)
	var base float64 // what is not in the integral
	w, tail := 2*h, 2*q
	if n == L1 {
		// 1/Φ = (2d/k) Γ(x)/Γ(x + (k−1)/k) at x = d/k.
		slope := 2 * d / f.k / special.GammaRatio(d/f.k, (f.k-1)/f.k)
		if f.k < 1 || q >= 1/(2*d) {
			return lowered(f, dim, h*slope, quadratureMargin)
		}
		base = (0.5 - 1/(2*d)) * slope
		tail = 2 * d * q
		w = 1 - tail
	}
	integral, err := f.integral(dim)
	if err != nil {
		return 0, beyond(f, dim, err)
	}
	return lowered(f, dim, base+integral.at(w, tail), quadratureMargin)
}

// RadiusTwoBounds implements TwoBounds.
func (f *ExpInf) RadiusTwoBounds(n Norm, dim int, pLower, pUpper float64) (float64, error) {
	return differentialTwoBounds(f, n, dim, pLower, pUpper)
}

func (f *ExpInf) integral(dim int) (*expIntegral, error) {
	if f.k == 1 {
		return &expIntegral{k: 1}, nil
	}
	return f.tables.get(dim, func() (*expIntegral, error) { return newExpIntegral(dim, f.k) })
}
