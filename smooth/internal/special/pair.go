package special

import "math"

// GaussPair integrates two functions at once over [lo, hi], with panels of width at
// most step that are halved until two rules agree to tol relative to the whole
// integral of the function's size (a first estimate of it), or to floor for the
// first function if that is more. It is meant for integrands with kinks; maxPanels
// bounds its work where rounding makes agreement impossible. restA and restB are how
// far the two rules still disagree in all.
func GaussPair(f func(float64) (a, b float64), lo, hi, step, tol, floor float64) (a, b, restA, restB float64) {
	p := pair{f: f}
	n := int(math.Max(1, math.Ceil((hi-lo)/step)))
	end := func(i int) float64 { return lo + (hi-lo)*float64(i)/float64(n) }
	whole := make([]part, n)
	for i := range whole {
		whole[i] = p.rule(end(i), end(i+1))
		p.tolA += tol * whole[i].absA
		p.tolB += tol * whole[i].absB
	}
	p.tolA = math.Max(p.tolA, floor)
	for i := range whole {
		p.panel(end(i), end(i+1), whole[i], 40)
	}
	return p.a, p.b, p.restA, p.restB
}

const maxPanels = 250

type pair struct {
	f          func(float64) (a, b float64)
	tolA, tolB float64
	a, b       float64 // integrals so far
	restA      float64 // disagreement that was accepted
	restB      float64
	panels     int
}

// part is the rule's result on a panel: integrals, and those of the sizes.
type part struct{ a, b, absA, absB float64 }

func (p *pair) rule(lo, hi float64) (r part) {
	GaussPoints(lo, hi, func(x, w float64) {
		a, b := p.f(x)
		r.a += w * a
		r.b += w * b
		r.absA += w * math.Abs(a)
		r.absB += w * math.Abs(b)
	})
	return r
}

func (p *pair) panel(lo, hi float64, whole part, depth int) {
	m := lo + (hi-lo)/2
	l, r := p.rule(lo, m), p.rule(m, hi)
	p.panels++
	da, db := math.Abs(l.a+r.a-whole.a), math.Abs(l.b+r.b-whole.b)
	if depth > 0 && p.panels < maxPanels && (da > p.tolA || db > p.tolB) {
		p.panel(lo, m, l, depth-1)
		p.panel(m, hi, r, depth-1)
		return
	}
	p.restA += da
	p.restB += db
	p.a += l.a + r.a
	p.b += l.b + r.b
}
