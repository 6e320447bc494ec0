package family

import (
	"ucan/smooth/stats"
	"ucan/smooth/stream"
)

// Gaussian is the normal distribution: density ∏ e^(−x_i²/2)/√(2π) on ℝᵈ.
//
// λ is σ, the standard deviation of a coordinate (λ₁ = 1). Norm ℓ2:
//
//	R = λ Φ⁻¹(p_A),   R(p_A, p_B) = λ/2 (Φ⁻¹(p_A) − Φ⁻¹(p_B)),
//
// exact for the worst classifier. Source: Cohen et al. 2019, Theorem 1 (exact by Theorem 2).
//
// Sampling loses at most [stream.LostMass] of mass per coordinate.
type Gaussian struct{}

var (
	_ Isotropic     = Gaussian{}
	_ TwoBounds     = Gaussian{}
	_ AffineSampler = Gaussian{}
)

// Name returns "gaussian".
func (Gaussian) Name() string { return "gaussian" }

// Params returns an empty map.
func (Gaussian) Params() map[string]float64 { return map[string]float64{} }

// Norms returns ℓ2.
func (Gaussian) Norms() []Norm { return []Norm{L2} }

// Sample implements Sampler.
func (Gaussian) Sample(dst []float32, src *stream.Source) { src.NormalInto(dst) }

// SampleAffine implements AffineSampler.
func (Gaussian) SampleAffine(dst, base []float32, scale float32, src *stream.Source) {
	src.NormalAffineInto(dst, base, scale)
}

// SampleField implements AffineSampler.
func (Gaussian) SampleField(dst, base, scale []float32, src *stream.Source) {
	src.NormalFieldInto(dst, base, scale)
}

// LostMass bounds the total-variation distance of a sample from the exact law.
func (Gaussian) LostMass(dim int) float64 { return float64(dim) * stream.LostMass }

// Lambda1 returns 1.
func (g Gaussian) Lambda1(dim int) (float64, error) { return 1, checkDim(g, dim) }

// Radius implements Theorem.
func (g Gaussian) Radius(n Norm, dim int, pLower float64) (float64, error) {
	if done, err := checkRadius(g, n, dim, pLower); done {
		return 0, err
	}
	return max(0, stats.NormalQuantileLower(min(pLower, topProbability))), nil
}

// RadiusTwoBounds implements TwoBounds.
func (g Gaussian) RadiusTwoBounds(n Norm, dim int, pLower, pUpper float64) (float64, error) {
	pA, pB, done, err := checkTwo(g, n, dim, pLower, pUpper)
	if done {
		return 0, err
	}
	return below((stats.NormalQuantileLower(pA)-stats.NormalQuantileUpper(pB))/2, 0x1p-52), nil
}
