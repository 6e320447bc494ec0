package family

import (
	"fmt"
	"strings"
	"sync"

	"ucan/smooth/stats"
)

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

// Slack returns by how much, relative, a radius of f that another version or platform
// computed may exceed the one of this version without exceeding the exact value: half of
// the margin that numerically computed radii are lowered by, 0 for closed forms.
func Slack(f Family) float64 {
	switch f := f.(type) {
	case *Exp2:
		if !f.gaussian() {
			return levelSetMargin / 2
		}
	case *Pow2:
		return levelSetMargin / 2
	case *PowInf, *ExpInf, *Exp1:
		return quadratureMargin / 2
	}
	return 0
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

// levelSets keeps the tables and answers of a family by the level-set method. The
// zero value is ready; it is safe for concurrent use.
type levelSets struct {
	tables tables[*levelCurve]
	mu     sync.Mutex
	radii  map[question]float64 // those that the tables could not answer
}

type question struct {
	dim int
	p   float64
}

// maxRadii bounds the remembered answers: bounds on p_A recur, because counts do.
const maxRadii = 1 << 14

// levelSetMargin covers the quadrature, the interpolation and the root searches, which
// agree with references to 1e-11.
const levelSetMargin = 1e-9

// radius returns the radius of p in (½, 1), lowered by levelSetMargin.
func (s *levelSets) radius(dim int, p float64, describe func() radial) float64 {
	c := s.table(dim, describe)
	if r := c.radius(p-0.5, 1-p); r > 0 {
		return below(r, levelSetMargin)
	}
	key := question{dim, p}
	s.mu.Lock()
	r, ok := s.radii[key]
	s.mu.Unlock()
	if ok {
		return r
	}
	// Start from the Gaussian with the same median radius.
	r = below(c.set.solve(p-0.5, 1-p, c.unit*stats.NormalQuantile(p)), levelSetMargin)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.radii == nil || len(s.radii) >= maxRadii {
		s.radii = make(map[question]float64)
	}
	s.radii[key] = r
	return r
}

// table returns the table of a dimension.
func (s *levelSets) table(dim int, describe func() radial) *levelCurve {
	c, _ := s.tables.get(dim, func() (*levelCurve, error) { return newLevelCurve(newLevelSet(dim, describe()), dim), nil })
	return c
}

// probability returns the p whose radius is just above e > 0.
func (s *levelSets) probability(dim int, e float64, describe func() radial) float64 {
	h, q, _ := s.table(dim, describe).set.probability(e * (1 + 2*levelSetMargin))
	if h < 0.25 {
		return 0.5 + h
	}
	return 1 - q
}
