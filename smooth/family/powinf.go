package family

import (
	"fmt"
	"math"

	"ucan/smooth/internal/special"
	"ucan/smooth/stream"
)

// PowInf is a power law of the ℓ∞ norm: density ∝ (1+‖x‖∞)^(−a) on ℝᵈ, a > d.
//
// λ is the raw scale. t/(1+t) is Beta(d, m) for t = ‖x‖∞ and m = a − d, and given t
// coordinates are as for [ExpInf]: the variance of a coordinate is
// λ² (1+(d−1)/3)(d+1)/((m−1)(m−2)), infinite for a ≤ d+2. Norms, at λ = 1:
//
//   - ℓ1: R = 2d/m·(p_A − ½) for p_A ≤ 1 − 1/(2d), and above it the full value
//     R(1 − 1/(2d)) + J(2d(1−p_A));
//   - ℓ∞: R = J(2(1−p_A)), with
//     J(q) = (1/m) ∫_y^1 f(v)/I_v(d, m+1) dv, I_y(d, m) = q, f the density of
//     Beta(d, m).
//
// R(p_A, p_B) = (F(p_A) − F(p_B))/2. Without a given, a = 2d + 4, which has a
// variance in every dimension.
//
// Source: Yang et al. 2020, differential method.
//
// Sampling: x is uniform on the cube [−t, t]ᵈ, t/(1+t) from Beta(d+1, m). It loses
// at most 3·[stream.LostMass].
type PowInf struct {
	a      float64 // NaN: 2d + 4
	tables tables[*powIntegral]
}

var (
	_ Isotropic = (*PowInf)(nil)
	_ TwoBounds = (*PowInf)(nil)
)

// NewPowInf returns the family with the given exponent, which must exceed the
// dimension it is used in; NaN chooses 2d + 4.
func NewPowInf(a float64) (*PowInf, error) {
	if a <= 1 || math.IsInf(a, 0) {
		return nil, fmt.Errorf("noise family powinf with a = %v; a must exceed the dimension: %w", a, ErrDomain)
	}
	return &PowInf{a: a}, nil
}

// Name returns "powinf".
func (*PowInf) Name() string { return "powinf" }

// Params returns a, or nothing when it depends on the dimension.
func (f *PowInf) Params() map[string]float64 { return given("a", f.a) }

// Norms returns ℓ1 and ℓ∞.
func (*PowInf) Norms() []Norm { return []Norm{L1, LInf} }

// ForDim returns the family with its exponent fixed for the dimension.
func (f *PowInf) ForDim(dim int) (Isotropic, error) {
	d, m, err := f.excess(dim)
	if err != nil {
		return nil, err
	}
	if math.IsNaN(f.a) {
		return isotropic(NewPowInf(d + m))
	}
	return f, nil
}

// excess returns d and m = a − d.
func (f *PowInf) excess(dim int) (d, m float64, err error) {
	if err := checkDim(f, dim); err != nil {
		return 0, 0, err
	}
	d = float64(dim)
	if math.IsNaN(f.a) {
		return d, d + 4, nil
	}
	if f.a <= d {
		return 0, 0, fmt.Errorf("noise family powinf with a = %v in dimension %d; a must exceed the dimension: %w", f.a, dim, ErrDomain)
	}
	return d, f.a - d, nil
}

// Sample implements Sampler. Where a does not exceed len(dst) there is no such
// distribution, and every value is NaN.
func (f *PowInf) Sample(dst []float32, src *stream.Source) {
	d, m, err := f.excess(len(dst))
	if err != nil {
		fill(dst, float32(math.NaN()))
		return
	}
	x := src.Gamma(d + 1)
	t := x / src.Gamma(m)
	src.UniformInto(dst)
	scale(dst, t)
}

// LostMass bounds the total-variation distance of a sample from the exact law.
func (*PowInf) LostMass(int) float64 { return 3 * stream.LostMass }

// Slack implements Numeric.
func (*PowInf) Slack() float64 { return quadratureMargin / 2 }

// Lambda1 implements Scaler; the variance is infinite for a ≤ d + 2.
func (f *PowInf) Lambda1(dim int) (float64, error) {
	d, m, err := f.excess(dim)
	if err != nil {
		return 0, err
	}
	if m <= 2 {
		return 0, fmt.Errorf("noise family powinf with a = %v ≤ d + 2: %w; give the raw scale lambda", d+m, ErrInfiniteVariance)
	}
	return math.Sqrt((m - 1) * (m - 2) / (1 + (d-1)/3) / (d + 1)), nil
}

// Radius implements Theorem.
func (f *PowInf) Radius(n Norm, dim int, pLower float64) (float64, error) {
	d, m, err := f.excess(dim)
	if err != nil {
		return 0, err
	}
	done, err := checkRadius(f, n, dim, pLower)
	if done {
		return 0, err
	}
	p := min(pLower, topProbability)
	h, q := p-0.5, 1-p // both exact
	var base float64   // what is not in the integral
	w, tail := 2*h, 2*q
	if n == L1 {
		slope := 2 * d / m
		if q >= 1/(2*d) {
			return lowered(f, dim, h*slope, 0x1p-50)
		}
		base = (0.5 - 1/(2*d)) * slope
		tail = 2 * d * q
		w = 1 - tail
	}
	integral, err := f.tables.get(dim, func() (*powIntegral, error) { return newPowIntegral(d, m) })
	if err != nil {
		return 0, beyond(f, dim, err)
	}
	return lowered(f, dim, base+integral.at(w, tail), quadratureMargin)
}

// RadiusTwoBounds implements TwoBounds.
func (f *PowInf) RadiusTwoBounds(n Norm, dim int, pLower, pUpper float64) (float64, error) {
	return differentialTwoBounds(f, n, dim, pLower, pUpper)
}

// powIntegral is J of [PowInf], in s = ln(v/(1−v)) taken from the upper end, where
// the integrand is x^d y^m/B(d, m) / (m·I_x(d, m+1)).
type powIntegral struct {
	d, m  float64
	table *special.Cumulative
	curve *special.Smooth
}

func newPowIntegral(d, m float64) (*powIntegral, error) {
	logit := func(x, y float64) float64 { return math.Log(x / y) }
	hi := logit(special.BetaQuantile(d, m, 1, negligible))
	lo := logit(special.BetaQuantile(d, m, leastTail/2, 1))
	f := func(s float64) float64 { // s = −logit
		e := math.Exp(-math.Abs(s))
		x, y := e/(1+e), 1/(1+e)
		if s < 0 {
			x, y = y, x
		}
		lower, _ := special.BetaTails(d, m+1, x, y)
		return special.BetaPower(d, m, x, y) / (m * lower)
	}
	step := 3 * math.Sqrt(1/d+1/m)
	table, err := special.NewCumulative(f, -hi, -lo, step, quadratureTol)
	t := &powIntegral{d: d, m: m, table: table}
	t.curve = tailCurve(t.exact)
	return t, err
}

// at returns J for q and w = 1 − q, both accurate; NaN where the table is not
// accurate enough.
func (t *powIntegral) at(w, q float64) float64 {
	if !(w > 0) {
		return 0
	}
	return onCurve(t.curve, w, q, t.exact)
}

// exact is at by the table of the integral.
func (t *powIntegral) exact(w, q float64) float64 {
	x, y := special.BetaQuantile(t.d, t.m, q, w)
	return integralAt(t.table, math.Log(y/x))
}

// given returns a parameter map without the values that are NaN.
func given(name string, v float64) map[string]float64 {
	if math.IsNaN(v) {
		return map[string]float64{}
	}
	return map[string]float64{name: v}
}

// fill sets every value of dst to v.
func fill(dst []float32, v float32) {
	for i := range dst {
		dst[i] = v
	}
}
