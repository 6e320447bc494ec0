package smooth

import (
	"fmt"
	"math"
	"slices"

	"ucan/smooth/region"
)

// sealScale computes the sampled scales λ·s_i, rounded up to float32: noise that
// is wider than recorded certifies a superset of the recorded region.
func (s *SealedNoise) sealScale() error {
	s.uniform = float32(s.noise.Lambda)
	if s.noise.sigma == nil {
		return nil
	}
	wider, err := s.widening()
	if err != nil {
		return err
	}
	if s.noise.basis != nil {
		s.zeros = make([]float32, s.dim)
	}
	s.scale = make([]float32, s.dim)
	for i, v := range s.noise.sigma {
		// The product of two float32 is exact in float64.
		product := s.noise.Lambda * float64(v)
		if wider > 1 {
			product = math.Nextafter(product*wider, math.Inf(1))
		}
		up := float32(product)
		if float64(up) < product {
			up = math.Nextafter32(up, float32(math.Inf(1)))
		}
		if up < minScale || math.IsInf(float64(up), 0) {
			return fmt.Errorf("smooth: lambda %v times sigma %v at coordinate %d leaves the range of float32; rescale the field", s.noise.Lambda, v, i)
		}
		s.scale[i] = up
	}
	return nil
}

// maxWidening bounds how much noise in a basis may be wider than recorded.
const maxWidening = 1.01

// widening is the factor by which noise in a basis is sampled wider than recorded, 1
// without one. It pays for the float32 matrices Û that sample in place of U, so that
// the recorded region, which speaks of U, is certified by what is drawn.
//
// Proof. Let S = diag(s), Û = U(I + E) with ‖E‖₂ ≤ η (Defect), and let ω be the factor.
// The sampled law is N(0, λ²ω² ÛS²Ûᵀ). Gaussian noise of covariance C certifies
// {δ : δᵀC⁻¹δ ≤ R²/λ²}, so it is enough that ωA with A = (I+E)S has
// ‖(ωA)⁻¹v‖ ≤ ‖S⁻¹v‖ for all v, which is ‖A⁻¹S‖ ≤ ω. Now A⁻¹S = (I + S⁻¹ES)⁻¹, and
// ‖S⁻¹ES‖ ≤ ρ = η·max s/min s; for ρ < 1 the Neumann series gives ‖A⁻¹S‖ ≤ 1/(1−ρ).
func (s *SealedNoise) widening() (float64, error) {
	if s.noise.basis == nil {
		return 1, nil
	}
	ratio := float64(slices.Max(s.noise.sigma)) / float64(slices.Min(s.noise.sigma))
	rho := ratio * s.noise.basis.Defect() * (1 + 0x1p-40)
	if !(rho < 1-1/maxWidening) {
		return 0, fmt.Errorf("smooth: the scales in the basis %s lie a factor %.3g apart, more than float32 matrices can tell (about %.3g); raise the generator's floor",
			s.noise.basis.Name(), ratio, (1-1/maxWidening)/s.noise.basis.Defect())
	}
	return math.Nextafter(1/(1-rho), 2), nil
}

// ScaleRadius returns lambda·unit, the radius at raw scale lambda of a radius at scale
// 1, rounded toward zero. Both must be non-negative.
func ScaleRadius(lambda, unit float64) float64 { return region.MulDown(lambda, unit) }
