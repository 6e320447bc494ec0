package family

import (
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

// get returns the entry of dim, making it at the first call.
func (t *tables[T]) get(dim int, build func() T) T {
	t.mu.Lock()
	defer t.mu.Unlock()
	if v, ok := t.m[dim]; ok {
		return v
	}
	if t.m == nil || len(t.m) >= maxTables {
		t.m = make(map[int]T)
	}
	v := build()
	t.m[dim] = v
	return v
}

// leastTail is the smallest tail that a radius is asked for: 2(1 − topProbability).
const leastTail = 0x1p-52

// negligible is a mass at the other end of an integral that its truncation may
// cost: it lowers the radius by less than 1e-14 relative, even at pLower = ½ + 2⁻⁵³.
const negligible = 1e-30

// quadratureTol is the relative agreement asked of two quadrature rules, and
// quadratureMargin covers it together with the rounding of the integrands.
const (
	quadratureTol    = 2e-14
	quadratureMargin = 4e-12
)

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
}

func newExpIntegral(dim int, k float64) expIntegral {
	d := float64(dim)
	shape, upper := d/k, (d+k-1)/k
	lo := special.LogGammaQuantile(shape, negligible, 1) / k
	hi := special.LogGammaQuantile(shape, 1, leastTail/2) / k
	f := func(s float64) float64 {
		return math.Exp((1-k)*s) / special.UpperGammaRatio(upper, math.Exp(k*s))
	}
	return expIntegral{k, shape, special.NewCumulative(f, lo, hi, 3/math.Sqrt(d*k), quadratureTol)}
}

// at returns J for q and w = 1 − q, both accurate.
func (e expIntegral) at(w, q float64) float64 {
	if !(w > 0) {
		return 0
	}
	if e.k == 1 { // J = −ln q
		if q > 0.5 {
			return -math.Log1p(-w)
		}
		return -math.Log(q)
	}
	return e.table.At(special.LogGammaQuantile(e.shape, w, q) / e.k)
}
