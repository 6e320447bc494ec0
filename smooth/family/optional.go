package family

import (
	"fmt"
	"strings"

	"ucan/smooth/stream"
)

// AffineSampler draws noise and applies it to an input in the same pass. A Sampler
// may implement it for speed; package smooth uses it only where it yields the bits
// of Sample.
type AffineSampler interface {
	// SampleAffine fills dst with base[i] + float32(scale·ε_i), where ε is what
	// Sample would draw from src. len(base) ≥ len(dst); the two don't overlap.
	SampleAffine(dst, base []float32, scale float32, src *stream.Source)
	// SampleField is SampleAffine with one scale a coordinate: len(scale) ≥ len(dst).
	SampleField(dst, base, scale []float32, src *stream.Source)
}

// TwoBounds turns bounds on p_A and on every other class into a radius.
type TwoBounds interface {
	// RadiusTwoBounds is Theorem.Radius when, in addition, every other class has
	// probability at most pUpper: at least Radius(n, dim, pLower). It is 0 for
	// pLower ≤ pUpper. Errors as for Radius.
	RadiusTwoBounds(n Norm, dim int, pLower, pUpper float64) (float64, error)
}

// Lossy is implemented by families whose sampler is known to lose less mass than LostMass assumes.
// All built-in families do.
type Lossy interface {
	// LostMass bounds the total-variation distance between ε in dimension dim and what Sample
	// draws.
	LostMass(dim int) float64
}

// LostMass bounds the total-variation distance between the noise of f and what is drawn: what a
// Lossy family states, else 1e-12 for each coordinate. Certificates subtract it from p_lower.
func LostMass(f Family, dim int) float64 {
	if l, ok := f.(Lossy); ok {
		return l.LostMass(dim)
	}
	return float64(dim) * assumedLoss
}

// assumedLoss is the mass per coordinate that a family which states none may lose: samplers made of
// package stream lose no more.
const assumedLoss = 1e-12

// Numeric is implemented by families whose radii come from tables of integrals or from a search.
// They differ between versions and platforms, within a margin that the family takes off.
type Numeric interface {
	// Slack is what [Slack] returns for the family.
	Slack() float64
}

// Slack returns by how much, relative, a radius of f that another version or platform computed may
// exceed the one of this version without exceeding the exact value: half of the margin by which a
// Numeric family lowers its radii, and 0 for a closed form.
func Slack(f Family) float64 {
	if n, ok := f.(Numeric); ok {
		return n.Slack()
	}
	return 0
}

// Names of the methods that turn a density into a theorem.
const (
	LevelSet     = "level-set"    // exact for the worst classifier
	Differential = "differential" // a lower bound, in closed form
)

// Methodical is implemented by families that know more than one method for a
// norm, or name the one they use.
type Methodical interface {
	// Methods lists the methods for a norm, the default (the largest radius) first.
	Methods(n Norm) []string
	// RadiusBy is Theorem.Radius by one of them.
	RadiusBy(method string, n Norm, dim int, pLower float64) (float64, error)
}

// RadiusBy is t.Radius by the named method: one that begins with "level-set" or
// "differential" selects where the family has both; any other name, and a method
// of families with one theorem, means the default.
func RadiusBy(t Theorem, method string, n Norm, dim int, pLower float64) (float64, error) {
	if m, ok := t.(Methodical); ok {
		for _, name := range m.Methods(n) {
			if strings.HasPrefix(strings.ToLower(method), name) {
				return m.RadiusBy(name, n, dim, pLower)
			}
		}
	}
	return t.Radius(n, dim, pLower)
}

// Inverter is implemented by theorems that know p_A from the radius more cheaply
// than the other way round. The value only starts the search of LevelProbability.
type Inverter interface {
	// Probability returns the p_A whose radius is radius, to a few digits or more.
	Probability(n Norm, dim int, radius float64) (float64, error)
}

// Sized is implemented by families with a default parameter that depends on the
// dimension.
type Sized interface {
	// ForDim returns the family with every parameter fixed for the dimension.
	ForDim(dim int) (Isotropic, error)
}

// ForDim fixes the parameters of a family for a dimension, so that Params tells all
// of them, and checks that they allow it: it returns the family to sample, certify
// and record with. Errors wrap ErrDomain.
func ForDim(f Isotropic, dim int) (Isotropic, error) {
	if s, ok := f.(Sized); ok {
		var err error
		if f, err = s.ForDim(dim); err != nil {
			return nil, err
		}
	}
	norms := f.Norms()
	if len(norms) == 0 {
		return nil, fmt.Errorf("noise family %s: %w", f.Name(), ErrNoTheorem)
	}
	// A bound of 1/2 costs nothing and checks the domain.
	if _, err := f.Radius(norms[0], dim, 0.5); err != nil {
		return nil, err
	}
	return f, nil
}
