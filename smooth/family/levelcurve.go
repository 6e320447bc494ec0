package family

import (
	"math"
	"sync"

	"ucan/smooth/internal/special"
	"ucan/smooth/stats"
)

// levelCurve answers the level-set method in microseconds, by interpolating the
// log-odds of p_A as a function of the radius, ℓ(e) = ln p_A/(1−p_A), and inverting the
// interpolant.
//
// The coordinate is x = arsinh(e/e₀), e₀ the radius of one standard deviation of the
// Gaussian with the same median radius: both are linear near 0, where F(x) = ℓ/x is
// even, and far out x grows like the logarithm of e, so that power laws are tame.
//
// Soundness. Every value of ℓ comes from quadratures that tell their disagreement, and
// no panel of the interpolant is used that misses the quadrature by more than curveTol
// at points of its own, where the interpolation error has its extremes. Both are
// estimates, not bounds: levelSetMargin is taken off for them. It is at least four times
// what the interpolation and a disagreement of the quadratures of curveQuadrature come to
// for the radius at hand, else nothing is answered.
type levelCurve struct {
	set    *levelSet
	unit   float64 // e₀
	smooth *special.Smooth
}

const (
	curveTol   = 2e-11
	curveWidth = 0.5
	// curveQuadrature is what the quadratures may disagree in a probability, relative
	// to the smaller one. They do by 5e-12 at most where they have been looked at.
	curveQuadrature = 1e-11
)

func newLevelCurve(l *levelSet, dim int) *levelCurve {
	c := &levelCurve{set: l, unit: l.median / math.Sqrt(float64(dim))}
	c.smooth = special.NewSmooth(func(x float64) float64 {
		h, q, err := l.probability(c.unit * math.Sinh(x))
		if !(err <= curveQuadrature) || !(h > 0) || !(q > 0) {
			return math.NaN()
		}
		return logOdds(h, q) / x
	}, curveWidth, curveTol)
	return c
}

// logOddsPerProbability bounds what a relative error of the smaller of h and q, h below
// ¼ and q from there on, does to the log-odds, over the smaller of 1 and those: dℓ is
// dh/(¼ − h²) and ℓ ≥ 4h for the one, dq/(q(1 − q)) with ℓ ≥ ln 3 for the other.
const logOddsPerProbability = 4. / 3

// logOdds returns ln p/q for p = ½ + h, q = 1 − p, both accurate.
func logOdds(h, q float64) float64 { return math.Log1p(2 * h / q) }

// radius returns the radius of p = ½ + h, q = 1 − p, within levelSetMargin; NaN where
// the interpolant is not that good.
func (c *levelCurve) radius(h, q float64) float64 {
	if !(c.unit > 0) || math.IsInf(c.unit, 1) {
		return math.NaN()
	}
	y := logOdds(h, q)
	x := math.Asinh(math.Max(0, stats.NormalQuantile(1-q))) // what the Gaussian has
	lo, hi := 0.0, math.Inf(1)
	for range 100 {
		f, df, residual, ok := c.smooth.At(x)
		if !ok {
			return math.NaN()
		}
		miss, slope := x*f-y, f+x*df
		if miss <= 0 {
			lo = x
		} else {
			hi = x
		}
		// Newton's method, no farther than a unit at a time: a panel costs milliseconds.
		next := x - math.Max(-1, math.Min(1, miss/slope))
		if !(next >= lo && next <= hi) {
			next = lo + math.Min(hi-lo, 2)/2
		}
		if math.Abs(next-x) <= 4e-16*next {
			// An error of ℓ moves x by it over the slope, and e = e₀ sinh x by coth x as much.
			amplified := (residual*y + curveQuadrature*logOddsPerProbability*math.Min(1, y)) / slope / math.Tanh(next)
			if !(slope > 0) || !(amplified <= levelSetMargin/4) {
				return math.NaN()
			}
			return c.unit * math.Sinh(next)
		}
		x = next
	}
	return math.NaN()
}

// levelSets keeps the tables and answers of a family by the level-set method. The
// zero value is ready; it is safe for concurrent use.
type levelSets struct {
	tables tables[*levelCurve]
	mu     sync.Mutex
	radii  map[radiusKey]float64 // those that the tables could not answer
}

type radiusKey struct {
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
	key := radiusKey{dim, p}
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
		s.radii = make(map[radiusKey]float64)
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
