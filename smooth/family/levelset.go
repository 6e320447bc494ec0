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

// excess returns H(τ, e) and ½ − H(τ, e), each accurate in relative terms when it
// is the small one. H needs to be no more accurate than floor.
func (l *levelSet) excess(tau, e, floor float64) (h, rest float64) {
	if !l.fixed {
		h, rest, _, _ = l.adaptive(tau, e, floor)
		return h, rest
	}
	for i, r := range l.node {
		a, b := l.at(r, tau, e)
		h += l.weight[i] * a
		rest += l.weight[i] * b
	}
	return h, rest
}

// at returns the part of H and of ½ − H that radius r contributes.
func (l *levelSet) at(r, tau, e float64) (h, rest float64) {
	z := l.z(r, tau, e)
	inside, outside := l.cap.Tails(z)
	if z >= 0 {
		return inside / 2, outside / 2
	}
	return -inside / 2, (1 + inside) / 2
}

// adaptive is excess by a rule that adapts to the integrand, with the disagreement
// that is left in both results.
func (l *levelSet) adaptive(tau, e, floor float64) (h, rest, restH, restRest float64) {
	return special.GaussPair(func(s float64) (a, b float64) {
		w := l.density(s)
		a, b = l.at(l.radius(s), tau, e)
		return w * a, w * b
	}, l.lo, l.hi, l.step, 3e-12, floor)
}

// verify reports whether e is the radius of h = p_A − ½ and q = 1 − p_A as far as
// levelSetMargin covers, by the adaptive rule.
func (l *levelSet) verify(e, h, q float64) bool {
	const share = levelSetMargin / 4
	if !(e > 0) || math.IsInf(e, 1) {
		return false
	}
	tau := l.threshold(e)
	zero, _, left, _ := l.adaptive(tau, e, rootTol/10*h)
	if !(math.Abs(zero)+left <= share*h) {
		return false
	}
	gotH, gotQ, leftH, leftQ := l.adaptive(-tau, e, 0)
	if h < 0.25 {
		return math.Abs(gotH-h)+leftH <= share*h
	}
	return math.Abs(gotQ-q)+leftQ <= share*q
}

// threshold returns τ* > 0 with H(τ*, e) = 0.
func (l *levelSet) threshold(e float64) float64 {
	// At the median radius, the threshold at which z = 0.
	guess := l.rise(l.median, e*e)
	// H(0, e) is the size of what H(−τ*, e) will be: it sets the accuracy.
	scale, _ := l.excess(0, e, 0)
	return math.Exp(findRoot(func(u float64) float64 {
		h, _ := l.excess(math.Exp(u), e, rootTol/10*scale)
		return -h / scale
	}, math.Log(guess), 0.1))
}

// probability returns p_A − ½ and 1 − p_A for which e is the radius.
func (l *levelSet) probability(e float64) (h, q float64) {
	return l.excess(-l.threshold(e), e, 0)
}

// solve returns the e for p_A, given h = p_A − ½ > 0 and q = 1 − p_A; NaN when the
// parameters are too extreme for double precision to give it within levelSetMargin.
func (l *levelSet) solve(h, q, guess float64) float64 {
	if l.median == 0 {
		return math.NaN()
	}
	e := math.Exp(findRoot(func(u float64) float64 {
		gotH, gotQ := l.probability(math.Exp(u))
		if h < 0.25 {
			return math.Log(gotH / h)
		}
		return math.Log(q / gotQ)
	}, math.Log(guess), 0.1))
	if l.verify(e, h, q) {
		return e
	}
	if l.fixed { // far out, where caps are cut sharply
		slow := *l
		slow.fixed = false
		return slow.solve(h, q, e)
	}
	return math.NaN()
}

// rootTol is the size of f that findRoot takes for zero, f being of order one: a
// tenth of levelSetMargin.
const rootTol = 1e-10

// findRoot returns a root of the increasing function f near start, where |f| falls
// below rootTol: it brackets by growing steps, then closes in by regula falsi that
// halves the value of an end kept twice (the Illinois method). A NaN ends it.
func findRoot(f func(float64) float64, start, step float64) float64 {
	a, fa := start, f(start)
	b, fb := a, fa
	for range 60 {
		if math.IsNaN(fb) {
			return fb
		}
		if (fa < 0) != (fb < 0) || math.Abs(fb) < rootTol {
			break
		}
		a, fa = b, fb
		b = a - math.Copysign(step, fa)
		fb = f(b)
		step *= 2
	}
	for range 100 {
		if !(math.Abs(fb) >= rootTol) || math.Abs(b-a) <= 1e-13*(1+math.Abs(b)) {
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
