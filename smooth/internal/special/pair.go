package special

import "math"

// GaussPair integrates two functions at once over [lo, hi], with panels of width at
// most step that are halved until two rules agree to tol relative to the whole
// integral of the function's size (a first estimate of it), or to floor for the
// first function if that is more. kinks lists, in increasing order, where the functions
// behave like a power of the distance, such as a square root: panels end there, and the
// distance becomes the square of the variable. Where kinks are not told, halving finds
// them at a price, which maxPanels bounds. restA and restB are how far the two rules
// still disagree in all.
func GaussPair(f func(float64) (a, b float64), lo, hi, step, tol, floor float64, kinks ...float64) (a, b, restA, restB float64) {
	p := pair{f: f}
	pieces := split(lo, hi, step, kinks)
	whole := make([]part, len(pieces))
	for i, piece := range pieces {
		p.piece = piece
		whole[i] = p.rule(0, 1)
		p.tolA += tol * whole[i].absA
		p.tolB += tol * whole[i].absB
	}
	p.tolA = math.Max(p.tolA, floor)
	for i, piece := range pieces {
		p.piece = piece
		p.panel(0, 1, whole[i], 40)
	}
	return p.a, p.b, p.restA, p.restB
}

// piece is an interval from From to To, not necessarily upward. It is walked by a
// variable v in [0, 1]: From + (To−From)·v, or with v² where From is a kink.
type piece struct {
	From, To float64
	Kink     bool
}

// at returns the point at v and the length of its derivative.
func (p piece) at(v float64) (x, dx float64) {
	h := p.To - p.From
	if p.Kink {
		return p.From + h*v*v, 2 * math.Abs(h) * v
	}
	return p.From + h*v, math.Abs(h)
}

// split cuts [lo, hi] at the kinks within it and into pieces of length at most step.
func split(lo, hi, step float64, kinks []float64) []piece {
	var pieces []piece
	cut := func(from, to float64, fromKink, toKink bool) {
		n := math.Max(1, math.Ceil((to-from)/step))
		if fromKink && toKink {
			n = math.Max(2, n)
		}
		for i := range int(n) {
			a, b := from+(to-from)*float64(i)/n, from+(to-from)*float64(i+1)/n
			switch {
			case i == 0 && fromKink:
				pieces = append(pieces, piece{a, b, true})
			case i == int(n)-1 && toKink:
				pieces = append(pieces, piece{b, a, true})
			default:
				pieces = append(pieces, piece{a, b, false})
			}
		}
	}
	from, atKink := lo, false
	for _, k := range kinks {
		if k > from && k < hi {
			cut(from, k, atKink, true)
			from, atKink = k, true
		}
	}
	cut(from, hi, atKink, false)
	return pieces
}

// GaussPieces calls visit with the nodes and weights of the rule of Gauss on the pieces
// that GaussPair starts from.
func GaussPieces(lo, hi, step float64, kinks []float64, visit func(x, w float64)) {
	for _, piece := range split(lo, hi, step, kinks) {
		GaussPoints(0, 1, func(v, w float64) {
			x, dx := piece.at(v)
			visit(x, w*dx)
		})
	}
}

const maxPanels = 250

type pair struct {
	f          func(float64) (a, b float64)
	piece      piece
	tolA, tolB float64
	a, b       float64 // integrals so far
	restA      float64 // disagreement that was accepted
	restB      float64
	panels     int
}

// part is the rule's result on a panel: integrals, and those of the sizes.
type part struct{ a, b, absA, absB float64 }

func (p *pair) rule(lo, hi float64) (r part) {
	GaussPoints(lo, hi, func(v, w float64) {
		x, dx := p.piece.at(v)
		w *= dx
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
