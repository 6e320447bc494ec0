package smooth

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"ucan/smooth/basis"
)

// Fields are the noise parameters of UCAN (arXiv 2510.19977): the offset μ, the scale σ and the
// basis U of the noise μ + λ·U(σ⊙ε). NewFields makes them, once, and nothing changes them
// afterwards: a generator, training and a sealed noise carry the same value. The zero value means
// μ = 0 and σ = 1 in any dimension.
type Fields struct {
	mu, sigma []float32
	basis     *basis.Transform
}

// ErrSigma reports a scale field that is not invertible: a value ≤ 0, NaN or infinite.
var ErrSigma = errors.New("noise scale must be positive and finite")

// NewFields checks and copies the fields of inputs with dim coordinates, in the source's layout. A
// nil mu stands for zeros, a nil sigma for ones, a nil u for the input's own coordinates. In a
// basis, sigma[k] scales the noise along the k-th basis vector; mu is always one offset a
// coordinate of the input.
//
// It returns an error for a field or a basis of another dimension, a μ_i that is NaN or infinite,
// and (ErrSigma) a σ_i that is ≤ 0, NaN or infinite.
func NewFields(dim int, mu, sigma []float32, u *basis.Transform) (Fields, error) {
	f := Fields{mu: mu, sigma: sigma, basis: u}
	if err := f.fit(dim); err != nil {
		return Fields{}, err
	}
	for i, m := range mu {
		if v := float64(m); math.IsNaN(v) || math.IsInf(v, 0) {
			return Fields{}, fmt.Errorf("the offset field is %v at coordinate %d; it must be finite", m, i)
		}
	}
	for i, s := range sigma {
		if !(s > 0) || math.IsInf(float64(s), 0) {
			return Fields{}, fmt.Errorf("%w, and it is %v at coordinate %d; give the generator a floor or correct the field", ErrSigma, s, i)
		}
	}
	f.mu, f.sigma = slices.Clone(mu), slices.Clone(sigma)
	return f, nil
}

// fit returns an error when f is not for inputs of dim coordinates.
func (f Fields) fit(dim int) error {
	switch {
	case f.mu != nil && len(f.mu) != dim:
		return fmt.Errorf("the offset field has %d values and the input %d; give one value a coordinate", len(f.mu), dim)
	case f.sigma != nil && len(f.sigma) != dim:
		return fmt.Errorf("the scale field has %d values and the input %d; give one value a coordinate", len(f.sigma), dim)
	case f.basis != nil && f.basis.Dim() != dim:
		return fmt.Errorf("the basis %s has %d coordinates and the input %d; make the generator for inputs of this shape", f.basis.Name(), f.basis.Dim(), dim)
	}
	return nil
}

// Mu returns a copy of the offset field; nil stands for zeros.
func (f Fields) Mu() []float32 { return slices.Clone(f.mu) }

// Sigma returns a copy of the scale field; nil stands for ones.
func (f Fields) Sigma() []float32 { return slices.Clone(f.sigma) }

// AppendSigma appends the scale field to dst, without allocating where dst has the capacity.
func (f Fields) AppendSigma(dst []float32) []float32 { return append(dst, f.sigma...) }

// Basis returns the basis U of the scale field; nil stands for the input's own coordinates.
func (f Fields) Basis() *basis.Transform { return f.basis }

// AddMu adds μ to x in float32; len(x) is the dimension.
func (f Fields) AddMu(x []float32) {
	for i, m := range f.mu {
		x[i] += m
	}
}
