package smooth

import (
	"fmt"
	"math"

	"ucan/smooth/family"
	"ucan/smooth/lattice"
)

// Noise describes the noise μ + λ·s⊙ε of a smoothed classifier, or μ + λ·U(s⊙ε) with
// a basis U. Seal checks and quantises it for an input dimension.
type Noise struct {
	// Family is the distribution of ε. It must implement family.Sampler and
	// family.Theorem; those of family.New do.
	Family family.Family
	// Norm is the norm in which the certified radius is reported. A family
	// without a theorem for it certifies in a norm of its own, and the radius is
	// that of the largest Norm ball inside its region.
	Norm family.Norm
	// Lambda is the raw scale λ of the family, positive and finite.
	Lambda float64
	// Fields are μ, σ and the basis U; the zero value means isotropic noise without offset. A
	// basis needs a scale field, the gaussian family and float32 arithmetic.
	Fields
	// Arithmetic is Float32 (the zero value's meaning) or Lattice.
	Arithmetic Arithmetic
	// Rate is 0 for noise that stays what it is. Otherwise a service remakes σ for each request as
	// a positive multiple of one field, and log σ moves by at most Rate·‖δ⊘σ‖₂ between the input
	// of this noise and another at distance δ ([ByLipschitz], package lipschitz).
	Rate float64
}

// SealedNoise is a Noise that was checked, quantised and copied for one input
// dimension; it cannot be changed afterwards and is safe for concurrent use.
// What it says is what is sampled, hashed and certified.
type SealedNoise struct {
	noise   Noise
	dim     int
	sampler family.Sampler
	affine  family.AffineSampler // nil: sampler and a second pass
	theorem family.Theorem
	via     family.Norm // the theorem's norm
	lost    float64
	uniform float32        // sampled scale where scale is nil
	scale   []float32      // sampled scale λ·s, each rounded up; never nil in a basis
	zeros   []float32      // base of coefficients, nil without a basis
	lattice *lattice.Noise // draws in lattice arithmetic, nil in float32
	unit    float64        // radius in Norm of the region with R = 1, rounded down
}

// Noise returns what was sealed, quantised.
func (s *SealedNoise) Noise() Noise { return s.noise }

// Dim returns the input dimension the noise was sealed for.
func (s *SealedNoise) Dim() int { return s.dim }

// Via returns the norm whose theorem certifies: the asked norm when the family
// has a theorem for it, otherwise the one of the family's norms whose region
// holds the larger ball of the asked norm at p_A = 0.99.
func (s *SealedNoise) Via() family.Norm { return s.via }

// LostMass is the total-variation distance that a certificate concedes to the
// sampler, over all coordinates: p_lower is reduced by it.
func (s *SealedNoise) LostMass() float64 { return s.lost }

// Sigma returns the standard deviation of a coordinate that λ stands for (before
// the field s), λ/λ₁; ok is false when the family has none.
func (s *SealedNoise) Sigma() (sigma float64, ok bool) {
	scaler, ok := s.noise.Family.(family.Scaler)
	if !ok {
		return 0, false
	}
	lambda1, err := scaler.Lambda1(s.dim)
	if err != nil {
		return 0, false
	}
	return s.noise.Lambda / lambda1, true
}

// LambdaFor returns the raw scale at which noise of family f has standard
// deviation sigma per coordinate in dimension dim: sigma·λ₁. It returns an error
// for a sigma that is not positive and finite, and for a family without variance
// (wrapping family.ErrInfiniteVariance), which takes only a λ.
func LambdaFor(f family.Family, dim int, sigma float64) (float64, error) {
	if !(sigma > 0) || math.IsInf(sigma, 0) {
		return 0, fmt.Errorf("smooth: sigma is %v; it must be positive and finite", sigma)
	}
	scaler, ok := f.(family.Scaler)
	if !ok {
		return 0, fmt.Errorf("smooth: family %q does not say its standard deviation; give lambda", f.Name())
	}
	lambda1, err := scaler.Lambda1(dim)
	if err != nil {
		return 0, fmt.Errorf("smooth: sigma of %s: %w; give lambda", f.Name(), err)
	}
	return sigma * lambda1, nil
}
