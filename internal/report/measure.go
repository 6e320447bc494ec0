package report

import (
	"math"
	"slices"

	"ucan/internal/results"
)

// Measure is one way to say how large a certified region is, as a radius in input units.
type Measure string

// The measures. The first three are radii of the largest ball of the norm inside the region.
const (
	L1   Measure = "l1"
	L2   Measure = "l2"
	LInf Measure = "linf"
	// ALM is the alternative Lebesgue measure R·(∏σ)^{1/d}: the region's volume as a length. It
	// shows what anisotropic noise gains where the largest ball cannot grow.
	ALM Measure = "alm"
	// ALMCapped is the ALM with each axis capped at the data's range: noise that is huge where the
	// classifier is deaf raises ALM without bound, and this no further than the data go.
	ALMCapped Measure = "alm_capped"
)

// Measures lists all measures.
func Measures() []Measure { return []Measure{L2, L1, LInf, ALM, ALMCapped} }

// WithCapped puts [ALMCapped] behind [ALM] where it is not among the measures: no figure shows the
// one without the other.
func WithCapped(measures []Measure) []Measure {
	at := slices.Index(measures, ALM)
	if at < 0 || slices.Contains(measures, ALMCapped) {
		return measures
	}
	return slices.Insert(slices.Clone(measures), at+1, ALMCapped)
}

// String names the measure for a reader, such as "ℓ2 radius".
func (m Measure) String() string {
	return map[Measure]string{L1: "ℓ1 radius", L2: "ℓ2 radius", LInf: "ℓ∞ radius", ALM: "ALM", ALMCapped: "capped ALM"}[m]
}

// meaning says in a line what the measure is the size of.
func (m Measure) meaning() string {
	switch m {
	case ALM:
		return "volume of the region, as a length"
	case ALMCapped:
		return "the same, each axis capped at the data's range"
	}
	return "largest ball inside the region"
}

// of is the size of a row's region; 0 for rows without one.
func (m Measure) of(r results.Row) float64 { return m.Of(r) }

// Of is the size of a row's region by the measure, 0 where nothing was certified.
func (m Measure) Of(r results.Row) float64 {
	switch m {
	case L1:
		return r.L1
	case L2:
		return r.L2
	case LInf:
		return r.LInf
	case ALM:
		return r.ALM
	case ALMCapped:
		return r.ALMCapped
	}
	return r.Radius
}

// In returns the rows with their radius by another measure; the norm column then names it.
func In(rows []results.Row, m Measure) []results.Row {
	out := slices.Clone(rows)
	for i := range out {
		out[i].Radius, out[i].Norm = m.of(rows[i]), string(m)
	}
	return out
}

// cappedShare is the mean share of axes at their cap over the certified rows, whatever their class;
// 0 where there are none.
func cappedShare(rows []results.Row) float64 {
	total, n := 0.0, 0
	for _, r := range rows {
		if r.Status == results.Certified {
			total, n = total+r.CappedShare, n+1
		}
	}
	return total / float64(max(n, 1))
}

// Equal reports whether every region has one size by the measure and by the rows' own norm, as
// under isotropic noise.
func Equal(rows []results.Row, m Measure) bool {
	return !slices.ContainsFunc(rows, func(r results.Row) bool { return !near(m.of(r), r.Radius) })
}

// known reports whether the rows tell their sizes by a measure. Tables of Cohen et al. have none
// but the radius.
func known(rows []results.Row, m Measure) bool {
	if m == ALMCapped {
		return !slices.ContainsFunc(rows, func(r results.Row) bool { return r.Status == results.Certified && !r.Boxed }) &&
			slices.ContainsFunc(rows, func(r results.Row) bool { return r.Boxed })
	}
	positive := func(size func(results.Row) float64) bool {
		return slices.ContainsFunc(rows, func(r results.Row) bool { return size(r) > 0 })
	}
	return positive(m.of) || !positive(func(r results.Row) float64 { return r.Radius })
}

// near reports whether two sizes differ by rounding only; tables hold six decimals.
func near(a, b float64) bool { return a == b || math.Abs(a-b) <= 2e-6+1e-6*max(a, b) }
