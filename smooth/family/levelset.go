package family

import (
	"math"

	"ucan/smooth/internal/special"
)

// The level-set method (Yang et al. 2020), for noise with a density e^(−ψ(‖x‖₂)),
// ψ increasing. By the lemma of Neyman and Pearson the worst set for the shift δ,
// ‖δ‖₂ = e, is one where ψ(‖x−δ‖) − ψ(‖x‖) exceeds a threshold. With
//
//	H(τ, e) = P[ψ(‖x−δ‖) > ψ(‖x‖) + τ] − ½,
//
// and τ* solving H(τ*, e) = 0, the class keeps a probability of ½ under the shift
// exactly when p_A = ½ + H(−τ*, e) (the reflection x → δ − x exchanges the two
// laws). Worst sets only grow with e, because an intersection of two concentric
// balls shrinks as they are moved apart; so R is the e with that p_A.
//
// Given r = ‖x‖ the condition bounds the cosine c of x and δ: c < z,
// z = (e² − (s² − r²))/2re with ψ(s) = ψ(r) + τ. H is therefore an integral over r of
// the measure of a spherical cap.

// radial describes ψ and the law of r to the level-set method.
type radial struct {
	cap special.Cap
	// lo and hi bound ln t, t = r^k, to all but a negligible mass.
	lo, hi, step float64
	// density is that of ln t.
	density func(logT float64) float64
	// radius returns r from ln t.
	radius func(logT float64) float64
	// gap returns s² − r² where ψ(s) = ψ(r) + τ, −r² where there is no such s. It
	// keeps its relative accuracy for small τ.
	gap func(r, tau float64) float64
	// rise is the inverse: ψ(s) − ψ(r) for s² − r² = gap > 0.
	rise func(r, gap float64) float64
}

// levelSet evaluates the method in one dimension. It is immutable.
type levelSet struct {
	radial
	node   []float64 // radii
	weight []float64 // their masses
	median float64
	fixed  bool // the rule made of node and weight is accurate enough
}

// smoothFrom is the dimension from which the measure of a cap is smooth enough at
// z = ±1 for a fixed rule: (1−z²)^((d−1)/2) near there.
const smoothFrom = 20

// maxLevelPanels bounds the range of radii, in panels of a few standard deviations.
const maxLevelPanels = 400

func newLevelSet(dim int, r radial) *levelSet {
	l := &levelSet{radial: r}
	l.fixed = dim >= smoothFrom
	panels := math.Ceil((r.hi - r.lo) / r.step)
	if !(panels >= 1 && panels <= maxLevelPanels) {
		return l // no table: solve tells
	}
	n := int(panels)
	mass := 0.0
	for i := range n {
		a, b := r.lo+(r.hi-r.lo)*float64(i)/float64(n), r.lo+(r.hi-r.lo)*float64(i+1)/float64(n)
		special.GaussPoints(a, b, func(x, w float64) {
			p := w * r.density(x)
			if p < negligible {
				return
			}
			l.node = append(l.node, r.radius(x))
			l.weight = append(l.weight, p)
			mass += p
			if mass <= 0.5 {
				l.median = r.radius(x)
			}
		})
	}
	return l
}

// z returns the cosine below which the condition holds at radius r.
func (l *levelSet) z(r, tau, e float64) float64 {
	return (e*e - l.gap(r, tau)) / (2 * r * e)
}

// excess returns H(τ, e) by one pass of a rule, for the search of the threshold: a few
// digits short of the accuracy of adaptive.
func (l *levelSet) excess(tau, e float64) (h float64) {
	if l.fixed {
		for i, r := range l.node {
			h += l.weight[i] * l.at(r, tau, e)
		}
		return h
	}
	special.GaussPieces(l.lo, l.hi, l.step, l.kinks(tau, e), func(s, w float64) {
		h += w * l.density(s) * l.at(l.radius(s), tau, e)
	})
	return h
}

// at returns the part of H that radius r contributes.
func (l *levelSet) at(r, tau, e float64) float64 {
	h, _ := l.both(r, tau, e)
	return h
}

// both returns the part of H and of ½ − H that radius r contributes.
func (l *levelSet) both(r, tau, e float64) (h, rest float64) {
	z := l.z(r, tau, e)
	inside, outside := l.cap.Tails(z)
	if z >= 0 {
		return inside / 2, outside / 2
	}
	return -inside / 2, (1 + inside) / 2
}

// adaptive returns H(τ, e) and ½ − H(τ, e), each accurate in relative terms when it
// is the small one, by a rule that adapts to the integrand, with the disagreement
// that is left in both. H needs to be no more accurate than floor.
func (l *levelSet) adaptive(tau, e, floor float64) (h, rest, restH, restRest float64) {
	return special.GaussPair(func(s float64) (a, b float64) {
		w := l.density(s)
		a, b = l.both(l.radius(s), tau, e)
		return w * a, w * b
	}, l.lo, l.hi, l.step, 3e-12, floor, l.kinks(tau, e)...)
}

// kinks returns, in increasing order, the ln t where |z| passes 1: there the sphere of
// radius r begins to lie wholly inside or outside, and the cap's measure has a power of
// the distance, (1−z²)^((d−1)/2). A quadrature does not see a sliver between its nodes,
// so they are sought between samples too, where |z| turns.
func (l *levelSet) kinks(tau, e float64) []float64 {
	beyond := func(s float64) float64 { return math.Abs(l.z(l.radius(s), tau, e)) - 1 }
	n := int(math.Ceil(4 * (l.hi - l.lo) / l.step))
	at := func(i int) float64 { return l.lo + (l.hi-l.lo)*float64(i)/float64(n) }
	var out []float64
	crossing := func(a, b, fa, fb float64) {
		if (fa < 0) != (fb < 0) {
			out = append(out, bisect(beyond, a, b, fa < 0))
		}
	}
	a, fa := at(0), beyond(at(0))
	b, fb := a, fa // the sample before last and the last one
	for i := 1; i <= n; i++ {
		c := at(i)
		fc := beyond(c)
		switch {
		case fa > 0 && fb > 0 && fc > 0 && fb <= fa && fb <= fc, fa < 0 && fb < 0 && fc < 0 && fb >= fa && fb >= fc:
			// The crossings of [a, b] were none; a turn lies in [a, c].
			m := extremum(beyond, a, c, fb > 0)
			fm := beyond(m)
			crossing(a, m, fa, fm)
			crossing(m, c, fm, fc)
		default:
			crossing(b, c, fb, fc)
		}
		a, fa, b, fb = b, fb, c, fc
	}
	return out
}

// bisect returns where f passes 0 between a < b, f(a) being negative or not.
func bisect(f func(float64) float64, a, b float64, negative bool) float64 {
	for {
		m := a + (b-a)/2
		if m <= a || m >= b {
			return b
		}
		if (f(m) < 0) == negative {
			a = m
		} else {
			b = m
		}
	}
}

// extremum returns the least (else the largest) point of f, which has one in [a, b], or one
// beyond 0 on its way there.
func extremum(f func(float64) float64, a, b float64, least bool) float64 {
	sign := 1.0
	if !least {
		sign = -1
	}
	const golden = 0.6180339887498949
	x, y := b-golden*(b-a), a+golden*(b-a)
	fx, fy := sign*f(x), sign*f(y)
	for range 60 {
		switch {
		case fx < 0:
			return x
		case fy < 0:
			return y
		case fx < fy:
			b, y, fy = y, x, fx
			x = b - golden*(b-a)
			fx = sign * f(x)
		default:
			a, x, fx = x, y, fy
			y = a + golden*(b-a)
			fy = sign * f(y)
		}
	}
	return x
}

// threshold returns τ > 0 with H(τ, e) ≈ 0.
func (l *levelSet) threshold(e float64) float64 {
	// At the median radius, the threshold at which z = 0.
	guess := l.rise(l.median, e*e)
	// H(0, e) is the size of what H(−τ*, e) will be: it sets the accuracy.
	scale := l.excess(0, e)
	return math.Exp(findRoot(func(u float64) float64 { return -l.excess(math.Exp(u), e) / scale }, math.Log(guess), 0.1, thresholdTol))
}

// thresholdTol is how well a threshold must solve H(τ, e) = 0, relative to H(−τ, e):
// probability corrects it to its square.
const thresholdTol = 1e-8

// probability returns h = p_A − ½ and q = 1 − p_A for which e is the radius, and the
// relative error, by what the quadratures disagree, of the smaller one.
//
// A threshold that misses H = 0 by ζ is corrected for: on the boundary of the worst set
// the likelihood ratio is e^τ (Neyman and Pearson), so what H(τ) loses to reach 0,
// H(−τ) gains e^(−τ) times.
func (l *levelSet) probability(e float64) (h, q, err float64) {
	tau := l.threshold(e)
	h, q, errH, errQ := l.adaptive(-tau, e, 0)
	ratio := math.Exp(-tau)
	zeta, _, errZero, _ := l.adaptive(tau, e, quadratureShare*h)
	h += ratio * zeta
	q -= ratio * zeta
	if h < 0.25 {
		return h, q, (errH + ratio*errZero) / h
	}
	return h, q, (errQ + ratio*errZero) / q
}

// quadratureShare is what the integral for H(τ*) may contribute to the error of h.
const quadratureShare = 1e-13

// solve returns the e for p_A, given h = p_A − ½ > 0 and q = 1 − p_A, by a search of its
// own; NaN when the parameters are too extreme for double precision to give it within
// levelSetMargin.
func (l *levelSet) solve(h, q, guess float64) float64 {
	if l.median == 0 {
		return math.NaN()
	}
	var miss, left float64
	relative := func(u float64) float64 {
		gotH, gotQ, err := l.probability(math.Exp(u))
		left = err
		if miss = math.Log(gotH / h); h >= 0.25 {
			miss = math.Log(q / gotQ)
		}
		return miss
	}
	e := math.Exp(findRoot(relative, math.Log(guess), 0.1, rootTol))
	if !(e > 0) || math.IsInf(e, 1) {
		return math.NaN()
	}
	// What a probability misses, the radius misses over the slope of their logarithms.
	const step = 1e-3
	missed, disagree := miss, left
	slope := (relative(math.Log(e)+step) - missed) / step
	if !(slope > 0) || !((math.Abs(missed)+disagree)/slope <= levelSetMargin/2) {
		return math.NaN()
	}
	return e
}

// rootTol is the size of the relative error of a probability that solve takes for zero:
// a tenth of levelSetMargin.
const rootTol = 1e-10

// findRoot returns a root of the increasing function f near start, the point where f was evaluated
// last, where |f| falls below tol: it brackets by growing steps, then closes in by regula falsi
// that halves the value of an end kept twice (the Illinois method). A NaN ends it.
func findRoot(f func(float64) float64, start, step, tol float64) float64 {
	a, fa := start, f(start)
	b, fb := a, fa
	for range 60 {
		if math.IsNaN(fb) {
			return fb
		}
		if (fa < 0) != (fb < 0) || math.Abs(fb) < tol {
			break
		}
		a, fa = b, fb
		b = a - math.Copysign(step, fa)
		fb = f(b)
		step *= 2
	}
	for range 100 {
		if !(math.Abs(fb) >= tol) || math.Abs(b-a) <= 1e-13*(1+math.Abs(b)) {
			break
		}
		c := b - fb*(b-a)/(fb-fa)
		if !(math.Min(a, b) < c && c < math.Max(a, b)) {
			c = a + (b-a)/2
		}
		fc := f(c)
		if (fc < 0) == (fb < 0) {
			fa /= 2
		} else {
			a, fa = b, fb
		}
		b, fb = c, fc
	}
	return b
}
