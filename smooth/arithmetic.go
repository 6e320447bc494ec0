package smooth

import (
	"fmt"

	"ucan/smooth/lattice"
)

// Arithmetic says how noise is added to an input, and with it what a certificate assumes.
type Arithmetic string

const (
	// Float32 adds float32 noise to the float32 input. The certificate assumes real arithmetic:
	// what x + μ + λ·s⊙ε loses to rounding is not accounted for. It is the zero value's meaning.
	Float32 Arithmetic = "float32"
	// Lattice draws integer noise on the lattice of 8-bit images exactly, adds integers, clips to
	// the image's range and turns the sum into float32 by a table (package lattice). Inputs must be
	// 8-bit images; the certificate then holds, in the arithmetic that really ran, for every x + δ
	// that is one. Families: gaussian, laplace, uniform, pareto.
	Lattice Arithmetic = "lattice"
)

// ParseArithmetic reads "float32" or "lattice".
func ParseArithmetic(s string) (Arithmetic, error) {
	switch a := Arithmetic(s); a {
	case Float32, Lattice:
		return a, nil
	}
	return "", fmt.Errorf("smooth: unknown arithmetic %q; use %s or %s", s, Float32, Lattice)
}

// Arithmetic returns how the noise is added.
func (s *SealedNoise) Arithmetic() Arithmetic {
	if s.lattice != nil {
		return Lattice
	}
	return Float32
}

// sealLattice quantises μ and s to the lattice's levels and tabulates its thresholds. What was
// quantised is what is sampled, recorded and certified. No mass is lost: draws that cannot be
// decided are no votes.
func (s *SealedNoise) sealLattice() error {
	n := s.noise
	sampled, err := lattice.New(lattice.Config{Family: n.Family, Dim: s.dim, Lambda: n.Lambda, Mu: n.mu, Sigma: n.sigma})
	if err != nil {
		return fmt.Errorf("smooth: %w", err)
	}
	s.lattice, s.lost = sampled, 0
	s.noise.mu, s.noise.sigma = sampled.Mu(), sampled.Sigma()
	return nil
}
