package family

import (
	"fmt"
	"math"

	"ucan/smooth/internal/special"
	"ucan/smooth/stream"
)

// Exp1 is the exponential of the ℓ1 norm: density ∝ e^(−‖x‖₁^k) on ℝᵈ, k ≥ 1.
// For k = 1 it is Laplace noise.
//
// λ is the raw scale. ‖x‖₁^k is Gamma(d/k) and x/‖x‖₁ a Dirichlet(1, …, 1) vector
// with random signs: the variance of a coordinate is
// λ² 2/(d(d+1)) Γ((d+2)/k)/Γ(d/k). Norm ℓ1, at λ = 1: R = J(2(1−p_A)) with the J of
// expIntegral; −ln(2(1−p_A)) for k = 1. R(p_A, p_B) = (F(p_A) − F(p_B))/2.
//
// Source: Yang et al. 2020, differential method.
//
// Sampling loses at most (d+2)·[stream.LostMass].
type Exp1 struct {
	k      float64
	tables tables[*expIntegral]
}

var (
	_ Isotropic = (*Exp1)(nil)
	_ TwoBounds = (*Exp1)(nil)
)

// NewExp1 returns the family with the given exponent, k ≥ 1.
func NewExp1(k float64) (*Exp1, error) {
	if !(k >= 1) || math.IsInf(k, 1) {
		return nil, fmt.Errorf("noise family exp1 with k = %v; k must be at least 1: %w", k, ErrDomain)
	}
	return &Exp1{k: k}, nil
}

// Name returns "exp1".
func (*Exp1) Name() string { return "exp1" }

// Params returns k.
func (f *Exp1) Params() map[string]float64 { return map[string]float64{"k": f.k} }

// Norms returns ℓ1.
func (*Exp1) Norms() []Norm { return []Norm{L1} }

// Sample implements Sampler.
func (f *Exp1) Sample(dst []float32, src *stream.Source) {
	r := math.Pow(src.Gamma(float64(len(dst))/f.k), 1/f.k)
	src.LaplaceInto(dst)
	var sum float64
	for _, v := range dst {
		sum += math.Abs(float64(v))
	}
	scale(dst, r/sum) // exponential variates are never 0
}

// LostMass bounds the total-variation distance of a sample from the exact law.
func (*Exp1) LostMass(dim int) float64 { return float64(dim+2) * stream.LostMass }

// Slack implements Numeric.
func (*Exp1) Slack() float64 { return quadratureMargin / 2 }

// Lambda1 implements Scaler.
func (f *Exp1) Lambda1(dim int) (float64, error) {
	if err := checkDim(f, dim); err != nil {
		return 0, err
	}
	d := float64(dim)
	return scaleOf(f, dim, 1/math.Sqrt(2/d/(d+1)*special.GammaRatio(d/f.k, 2/f.k)))
}

// Radius implements Theorem.
func (f *Exp1) Radius(n Norm, dim int, pLower float64) (float64, error) {
	if done, err := checkRadius(f, n, dim, pLower); done {
		return 0, err
	}
	p := min(pLower, topProbability)
	if f.k == 1 {
		return below(logTail(p), 0x1p-51), nil
	}
	table, err := f.tables.get(dim, func() (*expIntegral, error) { return newExpIntegral(dim, f.k) })
	if err != nil {
		return 0, beyond(f, dim, err)
	}
	return lowered(f, dim, table.at(2*(p-0.5), 2*(1-p)), quadratureMargin)
}

// RadiusTwoBounds implements TwoBounds.
func (f *Exp1) RadiusTwoBounds(n Norm, dim int, pLower, pUpper float64) (float64, error) {
	return differentialTwoBounds(f, n, dim, pLower, pUpper)
}
