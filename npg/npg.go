// Package npg holds the noise parameter generators: they make the offset μ and the scale field Σ of anisotropic noise
// ε' = Σε + μ for an input (UCAN, arXiv 2510.19977).
//
// A generator runs once for an input, on the clean input, and what it makes is sealed: [Parameters] cannot be changed
// afterwards, since nothing that follows may move the noise that a certificate speaks of.
package npg

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"ucan/smooth"
	"ucan/smooth/basis"
)

// Generator makes noise parameters for inputs.
type Generator interface {
	// Parameters returns (μ, Σ) for the clean input x, in source layout. It is safe for concurrent use.
	Parameters(ctx context.Context, x []float32) (Parameters, error)
	// Guarantee is what certificates with this generator's noise hold for.
	Guarantee() smooth.Guarantee
}

// ErrSigma reports a scale field that is not invertible: a value ≤ 0, NaN or infinite.
var ErrSigma = errors.New("noise scale must be positive and finite")

// Parameters are the noise parameters (μ, Σ) of one input, float32 as they are sampled: the noise is μ + U diag(s) ε, with
// U the identity unless there is a basis. They are sealed: the fields are copied in and handed out as copies. The zero
// value means μ = 0 and Σ = 1.
type Parameters struct {
	mu, sigma       []float32
	basis           *basis.Transform
	floored, ceiled int
}

// Seal checks and copies noise parameters for inputs of dim coordinates. A nil mu stands for zeros, a nil sigma for
// ones. It fails with [ErrSigma] when Σ is not invertible.
func Seal(dim int, mu, sigma []float32) (Parameters, error) {
	if mu != nil && len(mu) != dim {
		return Parameters{}, fmt.Errorf("the offset field has %d values, the input %d; make a field of the input's shape", len(mu), dim)
	}
	if sigma != nil && len(sigma) != dim {
		return Parameters{}, fmt.Errorf("the scale field has %d values, the input %d; make a field of the input's shape", len(sigma), dim)
	}
	for i, m := range mu {
		if !finite(m) {
			return Parameters{}, fmt.Errorf("the offset field is %v at coordinate %d; it must be finite", m, i)
		}
	}
	for i, s := range sigma {
		if !(s > 0) || !finite(s) {
			return Parameters{}, fmt.Errorf("%w, and it is %v at coordinate %d; raise the generator's floor or mend the field", ErrSigma, s, i)
		}
	}
	return Parameters{mu: slices.Clone(mu), sigma: slices.Clone(sigma)}, nil
}

// SealIn is [Seal] for a scale field in the basis t: sigma[k] scales the noise along the k-th basis vector, while mu stays
// one offset a coordinate of the input. A nil t stands for the input's own coordinates, of which there are dim.
func SealIn(t *basis.Transform, dim int, mu, sigma []float32) (Parameters, error) {
	if t != nil && t.Dim() != dim {
		return Parameters{}, fmt.Errorf("the basis %s has %d coordinates, the input %d; make the generator for inputs of this shape", t.Name(), t.Dim(), dim)
	}
	p, err := Seal(dim, mu, sigma)
	p.basis = t
	return p, err
}

func finite(v float32) bool { return !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) }

// Mu returns a copy of the offset field; nil stands for zeros.
func (p Parameters) Mu() []float32 { return slices.Clone(p.mu) }

// Sigma returns a copy of the scale field; nil stands for ones.
func (p Parameters) Sigma() []float32 { return slices.Clone(p.sigma) }

// Basis returns the basis that the scale field lives in; nil stands for the input's own coordinates.
func (p Parameters) Basis() *basis.Transform { return p.basis }

// Floored is the number of coordinates whose scale lies at the generator's floor.
func (p Parameters) Floored() int { return p.floored }

// Ceiled is the number of coordinates whose scale lies at the generator's ceiling.
func (p Parameters) Ceiled() int { return p.ceiled }

// Field is the generator of one constant pair of fields, whatever the input: its noise is fixed before any input is
// seen, so its certificates are [smooth.Deployed].
type Field struct{ parameters Parameters }

var _ Generator = Field{}

// NewField makes a generator that always returns p.
func NewField(p Parameters) Field { return Field{p} }

// Parameters returns the constant fields.
func (f Field) Parameters(context.Context, []float32) (Parameters, error) { return f.parameters, nil }

// Guarantee returns [smooth.Deployed].
func (Field) Guarantee() smooth.Guarantee { return smooth.Deployed }
