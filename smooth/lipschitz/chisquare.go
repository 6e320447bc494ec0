package lipschitz

import (
	"errors"
	"fmt"
	"math"
)

// Limits of what is computed: dimensions, and noncentralities and arguments.
const (
	MaxDim  = 1 << 24
	MaxSize = 1e9
)

// ErrDomain marks arguments outside the domain of this package.
var ErrDomain = errors.New("outside the domain of the lipschitz certificate")

// Bounds enclose a number: Lower ≤ it ≤ Upper.
type Bounds struct{ Lower, Upper float64 }

// NoncentralChiSquare encloses F = P[X ≤ x] and 1 − F for X noncentral χ² with d degrees of
// freedom and noncentrality lambda, the law of ‖m + Z‖² with Z standard normal in d dimensions and
// ‖m‖² = lambda. The relative width is about 1e-15 times the number of steps, 30·√(x + lambda) or
// so, in both tails down to 1e-30. It is an error for d outside [1, MaxDim], and for lambda or x
// outside [0, MaxSize].
//
// # Method
//
// X is χ² with d + 2J degrees of freedom, J being Poisson of mean h = lambda/2, and the
// distribution function of χ² with 2v degrees is Σ g(u) over u = v, v + 1, …, where g(u) = e^{−y}
// y^u/Γ(u + 1), y = x/2. With s = d/2, F is therefore the sum of w(j)·g(s + i) over all i ≥ j ≥ 0,
// w being the masses of J; and 1 − F that over i < j, with i down to s + i = 0 or ½, and of the
// mass that no i has: for whole s the g(u) of u = 0, 1, … add up to 1, for others those of u = ½,
// 3/2, … to erf √y.
//
// Only ratios w(j+1)/w(j) = h/(j+1) and g(u+1)/g(u) = y/(u+1) are used: both are summed up to a
// factor, from 13 standard deviations below the mean to where terms vanish, and divided by their
// total. All terms are positive, and a ratio that only shrinks bounds what is left out on either
// side by a geometric series.
//
// # Error
//
// With N steps in all, a term carries at most 2N roundings, a running sum N more, their products
// and the sum of those N + 1, and the totals as much again: below 13N + 64 roundings of 2⁻⁵³,
// which is the relative error e below.
func NoncentralChiSquare(d int, lambda, x float64) (cdf, survival Bounds, err error) {
	if d < 1 || d > MaxDim || !(lambda >= 0 && lambda <= MaxSize) || !(x >= 0 && x <= MaxSize) {
		return Bounds{}, Bounds{}, fmt.Errorf("noncentral χ² of %d degrees and noncentrality %v at %v: %w", d, lambda, x, ErrDomain)
	}
	if x == 0 {
		return Bounds{}, Bounds{1, 1}, nil
	}
	s, y := float64(d)/2, x/2
	j, i := newWalk(lambda/2, 0, 0), newWalk(y, s, -float64(d/2))
	var below, above float64 // the sums over i ≥ j and i < j
	steps := 0
	for at := min(j.at, i.at); !j.done || !i.done; at++ {
		jOn, iOn := !j.done && j.at == at, !i.done && i.at == at
		if !jOn && !iOn { // between the two windows
			at = i.at
			if i.done || !j.done && j.at < i.at {
				at = j.at
			}
			at--
			continue
		}
		if jOn {
			above += j.term * i.total
			j.total += j.term
		}
		if iOn {
			below += i.term * j.total
			i.total += i.term
		}
		if jOn {
			j.next()
		}
		if iOn {
			i.next()
		}
		steps++
	}
	e := float64(13*2*steps+64) * 0x1p-53
	lost := j.lost*(i.total+i.lost) + i.lost*j.total
	least := (j.total + j.lost) * (i.total + i.lost) * (1 + e)
	most := j.total * i.total * (1 - e)
	cdf = Bounds{below * (1 - e) / least, (below + lost) * (1 + e) / most}
	survival = Bounds{above * (1 - e) / least, (above + lost) * (1 + e) / most}
	if d%2 == 1 {
		// math.Erf and Erfc are good to an ulp or two, and the rounding of √y costs Erfc a
		// relative 2y·2⁻⁵³, y < 800 where it is not zero.
		m, rest := math.Erf(math.Sqrt(y)), math.Erfc(math.Sqrt(y))
		const erf, erfc = 1e-14, 1e-12
		cdf.Lower *= m * (1 - erf)
		cdf.Upper *= m * (1 + erf)
		survival.Lower = survival.Lower*m*(1-erf) + rest*(1-erfc)
		survival.Upper = survival.Upper*m*(1+erf) + rest*(1+erfc) + 0x1p-1060
	}
	return cdf.within(survival), survival.within(cdf), nil
}

// within is b, narrowed by the bounds of the complement.
func (b Bounds) within(other Bounds) Bounds {
	return Bounds{
		max(0, b.Lower, math.Nextafter(1-other.Upper, -1)),
		min(1, b.Upper, math.Nextafter(1-other.Lower, 2)),
	}
}

// walk goes up the terms mean^u/Γ(u+1), u = shift + at, up to a common factor.
type walk struct {
	mean, shift float64
	at          float64
	term, total float64
	lost        float64 // bounds the terms that are left out, in the unit of term
	done        bool
}

// window is how far below the mean a walk starts, in standard deviations, and negligible where it
// ends, against the total so far.
const (
	window     = 13
	negligible = 0x1p-130
)

// newWalk starts a walk whose first term of all is lowest.
func newWalk(mean, shift, lowest float64) walk {
	w := walk{mean: mean, shift: shift, at: lowest, term: 1}
	if start := math.Floor(mean - window*math.Sqrt(mean) - 50 - shift); start > lowest {
		w.at = start
		w.lost = geometric((start + shift) / mean)
	}
	return w
}

// geometric is q + q² + …, rounded up; q is at most 1 − 1e-8.
func geometric(q float64) float64 { return q / (1 - q) * (1 + 1e-6) }

// next takes the step to the next term, or ends the walk.
func (w *walk) next() {
	q := w.mean / (w.shift + w.at + 1)
	if w.term < negligible*w.total && q < 1-1e-8 {
		w.lost += w.term * geometric(q)
		w.done = true
		return
	}
	w.at++
	w.term *= q
}
