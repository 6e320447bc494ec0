package family

import (
	"math"

	"ucan/smooth/stream"
)

// Uniform is the uniform distribution on the cube [−1, 1]ᵈ: density 2^(−d) there.
//
// λ is the half-width; the standard deviation of a coordinate is λ/√3 (λ₁ = √3).
// Norms, at λ = 1, both exact, with p_B = 1 − p_A for one bound:
//
//   - ℓ1: R = p_A − p_B, so 2(p_A − ½) with one bound;
//   - ℓ∞: R = 2(1 − (1 − (p_A − p_B)/2)^(1/d)).
//
// Source: Yang et al. 2020, level-set method, which is the overlap of two cubes.
//
// Sampling loses no mass; its grid is 2⁻²³.
type Uniform struct{}

var (
	_ Isotropic = Uniform{}
	_ TwoBounds = Uniform{}
)

// Name returns "uniform".
func (Uniform) Name() string { return "uniform" }

// Params returns an empty map.
func (Uniform) Params() map[string]float64 { return map[string]float64{} }

// Norms returns ℓ1 and ℓ∞.
func (Uniform) Norms() []Norm { return []Norm{L1, LInf} }

// Sample implements Sampler.
func (Uniform) Sample(dst []float32, src *stream.Source) { src.UniformInto(dst) }

// LostMass returns 0: every part of the cube is reached.
func (Uniform) LostMass(int) float64 { return 0 }

// Lambda1 returns √3.
func (u Uniform) Lambda1(dim int) (float64, error) { return math.Sqrt(3), checkDim(u, dim) }

// Radius implements Theorem.
func (u Uniform) Radius(n Norm, dim int, pLower float64) (float64, error) {
	if done, err := checkRadius(u, n, dim, pLower); done {
		return 0, err
	}
	return uniformRadius(n, dim, min(pLower, topProbability)-0.5), nil
}

// RadiusTwoBounds implements TwoBounds.
func (u Uniform) RadiusTwoBounds(n Norm, dim int, pLower, pUpper float64) (float64, error) {
	pA, pB, done, err := checkTwo(u, n, dim, pLower, pUpper)
	if done {
		return 0, err
	}
	return uniformRadius(n, dim, below((pA-pB)/2, 0x1p-52)), nil
}

// uniformRadius returns the radius at which a cube loses the mass h.
func uniformRadius(n Norm, dim int, h float64) float64 {
	if n == L1 {
		return below(2*h, 0)
	}
	return below(-2*math.Expm1(math.Log1p(-h)/float64(dim)), 0x1p-50)
}
