package family

import (
	"math"

	"ucan/smooth/internal/special"
	"ucan/smooth/stream"
)

// Ball is the uniform distribution on the unit ball {‖x‖₂ ≤ 1} of ℝᵈ.
//
// λ is the ball's radius; the standard deviation of a coordinate is λ/√(d+2)
// (λ₁ = √(d+2)). Norm ℓ2, at λ = 1, exact: R = 2h with P[|X₁| < h] = (p_A − p_B)/2,
// where p_B = 1 − p_A with one bound and X₁², the square of a coordinate, is
// Beta(½, (d+1)/2).
//
// Source: Yang et al. 2020, level-set method, which is the overlap of two balls.
//
// Sampling loses at most (d+1)·[stream.LostMass]: a direction from d normal
// variates times U^(1/d).
type Ball struct{}

var (
	_ Isotropic = Ball{}
	_ TwoBounds = Ball{}
)

// Name returns "ball".
func (Ball) Name() string { return "ball" }

// Params returns an empty map.
func (Ball) Params() map[string]float64 { return map[string]float64{} }

// Norms returns ℓ2.
func (Ball) Norms() []Norm { return []Norm{L2} }

// Sample implements Sampler.
func (Ball) Sample(dst []float32, src *stream.Source) {
	sphere(dst, src, math.Exp(math.Log(src.Float64Open())/float64(len(dst))))
}

// LostMass bounds the total-variation distance of a sample from the exact law.
func (Ball) LostMass(dim int) float64 { return float64(dim+1) * stream.LostMass }

// Lambda1 returns √(d+2).
func (b Ball) Lambda1(dim int) (float64, error) { return math.Sqrt(float64(dim) + 2), checkDim(b, dim) }

// Radius implements Theorem.
func (b Ball) Radius(n Norm, dim int, pLower float64) (float64, error) {
	if done, err := checkRadius(b, n, dim, pLower); done {
		return 0, err
	}
	return ballRadius(dim, min(pLower, topProbability)-0.5), nil
}

// RadiusTwoBounds implements TwoBounds.
func (b Ball) RadiusTwoBounds(n Norm, dim int, pLower, pUpper float64) (float64, error) {
	pA, pB, done, err := checkTwo(b, n, dim, pLower, pUpper)
	if done {
		return 0, err
	}
	return ballRadius(dim, below((pA-pB)/2, 0x1p-52)), nil
}

// ballRadius returns the radius at which a ball loses the mass h in (0, ½].
func ballRadius(dim int, h float64) float64 {
	if !(h > 0) {
		return 0
	}
	y, _ := special.BetaQuantile(0.5, (float64(dim)+1)/2, h, 1-h)
	return below(2*math.Sqrt(y), quantileMargin)
}

// quantileMargin covers the rounding of the inverse beta and gamma functions in
// dimensions up to 10⁶.
const quantileMargin = 4e-12

// sphere fills dst with a point uniform on the ℓ2 sphere of the given radius. A
// direction of length zero, which has probability below 1e-7 for one coordinate
// and vanishes with more, is drawn again.
func sphere(dst []float32, src *stream.Source, radius float64) {
	for {
		src.NormalInto(dst)
		var sum float64
		for _, v := range dst {
			sum += float64(v) * float64(v)
		}
		if sum > 0 {
			scale(dst, radius/math.Sqrt(sum))
			return
		}
		if len(dst) == 0 {
			return
		}
	}
}

// scale multiplies dst by s, each product rounded once to float32.
func scale(dst []float32, s float64) {
	for i, v := range dst {
		dst[i] = float32(float64(v) * s)
	}
}
