// Package npg holds the noise parameter generators: they make the offset μ and the scale field Σ of
// anisotropic noise ε' = Σε + μ for an input (UCAN, arXiv 2510.19977).
//
// A generator runs once for an input, on the clean input, and nothing changes what it
// makes ([smooth.Fields]): what follows must not move the noise that a certificate speaks of.
package npg

import (
	"context"

	"ucan/smooth"
)

// Generator makes noise parameters for inputs.
type Generator interface {
	// Parameters returns (μ, σ) for the clean input x, in source layout. It is safe for concurrent
	// use.
	Parameters(ctx context.Context, x []float32) (Parameters, error)
	// Guarantee is what certificates with this generator's noise hold for.
	Guarantee() smooth.Guarantee
}

// Parameters are what a generator makes for one input.
type Parameters struct {
	smooth.Fields
	// Floored and Ceiled are the numbers of coordinates whose scale lies at the generator's floor
	// and at its ceiling.
	Floored, Ceiled int
}

// Dim is the number of coordinates of an input of the shape.
func Dim(shape []int) int {
	d := 1
	for _, n := range shape {
		d *= n
	}
	return d
}

// Field is the generator of one constant pair of fields, whatever the input: its noise is fixed
// before any input is seen, so its certificates are [smooth.Deployed].
type Field struct{ parameters Parameters }

var _ Generator = Field{}

// NewField makes a generator that always returns p.
func NewField(p Parameters) Field { return Field{p} }

// Parameters returns the constant fields.
func (f Field) Parameters(context.Context, []float32) (Parameters, error) { return f.parameters, nil }

// Guarantee returns [smooth.Deployed].
func (Field) Guarantee() smooth.Guarantee { return smooth.Deployed }
