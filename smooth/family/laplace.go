package family

import (
	"math"

	"ucan/smooth/internal/special"
	"ucan/smooth/stream"
)

// Laplace is the product of Laplace distributions: density ∏ e^(−|x_i|)/2 on ℝᵈ.
//
// λ is the scale b; the standard deviation of a coordinate is √2·λ (λ₁ = 1/√2).
// Norms, at λ = 1:
//
//   - ℓ1: R = −ln(2(1 − p_A)), exact. Source: Teng et al. 2020, Theorem 1.
//     R(p_A, p_B) = (F(p_A) − F(p_B))/2, F the signed radius; it is at least both
//     of Teng's ½ ln(p_A/p_B) and −ln(1 − p_A + p_B), by the arithmetic-geometric
//     mean.
//   - ℓ∞: R = ∫_{1−p_A}^{1/2} dp/Φ(p), Φ(p) the upper-tail expectation of 2B − d, B
//     binomial(d, ½). Φ is piecewise linear and the integral a finite sum of
//     logarithms; see laplaceInf. (The normal approximation Φ⁻¹(p_A)/√d that other
//     code uses over-claims for odd d.) Source: Yang et al. 2020, differential method.
//
// Sampling loses at most [stream.LostMass] of mass per coordinate.
type Laplace struct{}

var (
	_ Isotropic = Laplace{}
	_ TwoBounds = Laplace{}
)

// Name returns "laplace".
func (Laplace) Name() string { return "laplace" }

// Params returns an empty map.
func (Laplace) Params() map[string]float64 { return map[string]float64{} }

// Norms returns ℓ1 and ℓ∞.
func (Laplace) Norms() []Norm { return []Norm{L1, LInf} }

// Sample implements Sampler.
func (Laplace) Sample(dst []float32, src *stream.Source) { src.LaplaceInto(dst) }

// LostMass bounds the total-variation distance of a sample from the exact law.
func (Laplace) LostMass(dim int) float64 { return float64(dim) * stream.LostMass }

// Lambda1 returns 1/√2.
func (l Laplace) Lambda1(dim int) (float64, error) { return math.Sqrt2 / 2, checkDim(l, dim) }

// Radius implements Theorem.
func (l Laplace) Radius(n Norm, dim int, pLower float64) (float64, error) {
	if done, err := checkRadius(l, n, dim, pLower); done {
		return 0, err
	}
	p := min(pLower, topProbability)
	if n == L1 {
		return below(logTail(p), 0x1p-51), nil
	}
	return below(laplaceInf(dim, p), sumMargin), nil
}

// RadiusTwoBounds implements TwoBounds.
func (l Laplace) RadiusTwoBounds(n Norm, dim int, pLower, pUpper float64) (float64, error) {
	return differentialTwoBounds(l, n, dim, pLower, pUpper)
}

// logTail returns −ln(2(1−p)) for 1/2 ≤ p < 1; both differences are exact.
func logTail(p float64) float64 {
	if p < 0.75 {
		return -math.Log1p(-2 * (p - 0.5))
	}
	return -math.Log(2 * (1 - p))
}

// sumMargin covers the rounding of laplaceInf: sums of up to 2000 positive terms,
// each accurate to a few ulp.
const sumMargin = 2e-13

// laplaceInf integrates dp/Φ(p) from 1−p to ½. Let b(i) = P[B = i] and
// T(i) = P[B ≥ i]. On [T(i+1), T(i)] Φ is linear with slope v = 2i − d, and
// Φ(T(i)) = i·b(i), because Σ_{j≥i} (2j−d)C(d,j) = i·C(d,i). A whole piece
// contributes (1/v) ln(Φ(T(i))/Φ(T(i+1))) = ln(i/(d−i))/v, or 1/d for v = 0.
func laplaceInf(dim int, p float64) float64 {
	d := float64(dim)
	i := math.Ceil(d / 2)
	pmf := special.BinomialHalf(d, i)
	var sum float64
	// Mass from 1/2 down to the piece's lower end T(i+1).
	covered := pmf
	if i == d/2 {
		covered = pmf / 2
	}
	h, q := p-0.5, 1-p // both exact
	upper := 0.0       // ½ − T(i), the mass above the current piece
	tail := 0.0        // T(i+1), where it was needed
	for i < d {
		// Far from the end the mass covered decides. Near it, where that has lost
		// the digits of a small 1−p, the tail does.
		if p < 0.75 {
			if covered >= h {
				break
			}
		} else if h-covered < 1e-9 {
			if tail = binomialTail(d, i, pmf); tail <= q {
				break
			}
		}
		if v := 2*i - d; v == 0 {
			sum += 1 / d
		} else {
			sum += math.Log(i/(d-i)) / v
		}
		pmf *= (d - i) / (i + 1)
		i++
		upper = covered
		covered += pmf
	}
	v := 2*i - d
	phi := i * pmf // Φ at the piece's upper end
	if v == 0 {
		return sum + h/phi
	}
	// What is left of the tail, T(i) − (1−p), as a fraction of Φ.
	if p < 0.75 {
		return sum - math.Log1p(-v*(h-upper)/phi)/v
	}
	// In the tail: Φ(1−p) = Φ(T(i+1)) + v((1−p) − T(i+1)).
	if i == d {
		tail = 0
	}
	low := (d - i) * pmf // Φ(T(i+1)) = (i+1)·b(i+1)
	return sum + math.Log(phi/min(phi, low+v*(q-tail)))/v
}

// binomialTail returns P[B > i] for B binomial(d, ½), given P[B = i], i ≥ d/2.
func binomialTail(d, i, pmf float64) float64 {
	tail := 0.0
	for ; i < d && pmf > tail*1e-18; i++ {
		pmf *= (d - i) / (i + 1)
		tail += pmf
	}
	return tail
}
