package family

import (
	"fmt"
	"math"
	"sync"

	"ucan/smooth/internal/special"
)

// tables keeps what a family has computed for each dimension. The zero value is
// ready; it is safe for concurrent use. A program sees few dimensions, so the
// oldest entries are not evicted one by one: the map is emptied when it is full.
type tables[T any] struct {
	mu sync.Mutex
	m  map[int]T
}

const maxTables = 64

// get returns the entry of dim, making it at the first call. An error is returned
// and not kept.
func (t *tables[T]) get(dim int, build func() (T, error)) (T, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if v, ok := t.m[dim]; ok {
		return v, nil
	}
	v, err := build()
	if err != nil {
		return v, err
	}
	if t.m == nil || len(t.m) >= maxTables {
		t.m = make(map[int]T)
	}
	t.m[dim] = v
	return v, nil
}

// leastTail is the smallest tail that a radius is asked for: 2(1 − topProbability).
const leastTail = 0x1p-52

// negligible is a mass at the other end of an integral that its truncation may
// cost: it lowers the radius by less than 1e-14 relative, even at pLower = ½ + 2⁻⁵³.
const negligible = 1e-30

// quadratureTol is the relative agreement asked of two quadrature rules, and
// quadratureMargin covers it together with the rounding of the integrands. What the
// rules still differ by is taken off the integral, up to maxResidual of it, and
// what interpolates the integral tailTol; together they stay below widestMargin.
const (
	quadratureTol    = 2e-14
	quadratureMargin = 4e-12
	maxResidual      = 5e-12
)

// integralAt returns the integral up to s, less what the rules differ by. It is NaN,
// which [lowered] turns into an error, where that is more than maxResidual.
func integralAt(c *special.Cumulative, s float64) float64 {
	value, residual := c.At(s)
	if !(residual <= maxResidual*value) {
		return math.NaN()
	}
	return value - residual
}

// tailCurve interpolates an integral J of the differential method, a function of w = 1 − q and q
// that costs a quantile and a few integrands. Its variable is c = ln (1+w)/q, which grows like the
// logarithm of 1/q. J and c are linear near 0, so J/c is smooth there, and even.
func tailCurve(j func(w, q float64) float64) *special.Smooth {
	return special.NewSmooth(func(c float64) float64 { return j(math.Tanh(c/2), 2/(1+math.Exp(c))) / c }, 1, tailTol)
}

// tailTol is what a tailCurve may miss where it is checked, at the extremes of the
// interpolation error, and is lowered by.
const tailTol = 1e-12

// onCurve returns j(w, q) by its tailCurve, lowered by what the curve may miss where it was
// checked. Where the curve has no answer it computes j(w, q) itself.
func onCurve(curve *special.Smooth, w, q float64, j func(w, q float64) float64) float64 {
	c := math.Log1p(2 * w / q)
	v, _, _, ok := curve.At(c)
	if !ok {
		return j(w, q)
	}
	return v * c * (1 - tailTol)
}

// lowered returns x lowered by the margin, as below does, for a radius that is positive in exact
// arithmetic. Where x is not positive or not finite, the parameters of f are beyond double
// precision, and it returns an ErrDomain instead of a radius of 0.
func lowered(f Family, dim int, x, margin float64) (float64, error) {
	if !(x > 0) || math.IsInf(x, 1) {
		return 0, beyond(f, dim, nil)
	}
	return below(x, margin), nil
}

// scaleOf returns λ₁, or an ErrDomain where it over- or underflows.
func scaleOf(f Family, dim int, lambda1 float64) (float64, error) {
	if !(lambda1 > 0) || math.IsInf(lambda1, 1) {
		return 0, fmt.Errorf("noise family %s %v in dimension %d: its standard deviation is beyond double precision; choose less extreme parameters: %w", f.Name(), f.Params(), dim, ErrDomain)
	}
	return lambda1, nil
}

// beyond is the error for a radius that double precision cannot compute.
func beyond(f Family, dim int, cause error) error {
	if cause == nil {
		return fmt.Errorf("noise family %s %v in dimension %d: no radius to 12 digits in double precision; choose less extreme parameters: %w", f.Name(), f.Params(), dim, ErrDomain)
	}
	return fmt.Errorf("noise family %s %v in dimension %d: %w; choose less extreme parameters: %w", f.Name(), f.Params(), dim, cause, ErrDomain)
}

// expIntegral is the integral that the differential method gives for noise
// e^(−‖x‖^k), k ≥ 1, in the norm of the noise's own dual ball (ExpInf in ℓ∞, Exp1
// in ℓ1; Yang et al. 2020):
//
//	J = (1/k) ∫₀^g t^(d/k−1) e^(−t)/Γ((d+k−1)/k, t) dt,   Q(d/k, g) = q,
//
// Q the upper tail of the gamma law. In s = ln t/k the integrand is
// e^((1−k)s)/u(e^(ks)), u the incomplete gamma function over its power, which is
// analytic and decays at both ends.
type expIntegral struct {
	k, shape float64
	table    *special.Cumulative
	curve    *special.Smooth
}

func newExpIntegral(dim int, k float64) (*expIntegral, error) {
	d := float64(dim)
	shape, upper := d/k, (d+k-1)/k
	lo := special.LogGammaQuantile(shape, negligible, 1) / k
	hi := special.LogGammaQuantile(shape, 1, leastTail/2) / k
	logGamma, _ := math.Lgamma(upper)
	f := func(s float64) float64 {
		x := math.Exp(k * s)
		if upper < 2 && x < upper+1 {
			// The same as e^(ds−x)/Γ(upper, x): x may underflow where k is large.
			_, tail := special.GammaTails(upper, x)
			return math.Exp(d*s-x-logGamma) / tail
		}
		return math.Exp((1-k)*s) / special.UpperGammaRatio(upper, x)
	}
	table, err := special.NewCumulative(f, lo, hi, 3/math.Sqrt(d*k), quadratureTol)
	e := &expIntegral{k: k, shape: shape, table: table}
	e.curve = tailCurve(e.exact)
	return e, err
}

// at returns J for q and w = 1 − q, both accurate; NaN where the table is not
// accurate enough.
func (e *expIntegral) at(w, q float64) float64 {
	if !(w > 0) {
		return 0
	}
	if e.k == 1 { // J = −ln q
		if q > 0.5 {
			return -math.Log1p(-w)
		}
		return -math.Log(q)
	}
	return onCurve(e.curve, w, q, e.exact)
}

// exact is at by the table of the integral, for k ≠ 1: a quantile and a few integrands.
func (e *expIntegral) exact(w, q float64) float64 {
	return integralAt(e.table, special.LogGammaQuantile(e.shape, w, q)/e.k)
}
