package special

import (
	"math"
	"sync"
)

// Smooth stands in for an expensive smooth function on x ≥ 0: on panels of equal width,
// made when they are first needed, it interpolates in Chebyshev nodes, and it halves
// panels until the interpolant agrees with the function where the leading term of its
// error is largest. It is safe for concurrent use, and what it returns does not depend on
// what was asked before.
type Smooth struct {
	f     func(x float64) float64
	width float64
	tol   float64

	mu     sync.Mutex // guards panels
	panels map[int]*chebyshev
}

// smoothNodes is the number of nodes of a panel.
const smoothNodes = 14

const (
	// maxPanelHalvings leaves panels of a 64th of the width.
	maxPanelHalvings = 6
	// maxSmoothPanels bounds the memory of a Smooth: more are an error of the caller.
	maxSmoothPanels = 1 << 12
)

// NewSmooth returns a Smooth of f, whose values must not be 0, with panels of the given
// width and relative tolerance tol.
func NewSmooth(f func(x float64) float64, width, tol float64) *Smooth {
	return &Smooth{f: f, width: width, tol: tol, panels: map[int]*chebyshev{}}
}

// At returns the interpolant and its derivative at x, and the largest relative
// disagreement with the function that was found on x's panel: an estimate of the error,
// at most the tolerance. ok is false where no panel is fine enough, or the function is not
// finite: the caller must ask the function itself.
func (s *Smooth) At(x float64) (value, slope, residual float64, ok bool) {
	i := math.Floor(x / s.width)
	if !(i >= 0 && i < maxSmoothPanels) {
		return 0, 0, 0, false
	}
	s.mu.Lock()
	p := s.panels[int(i)]
	if p == nil {
		p = &chebyshev{a: i * s.width, b: (i + 1) * s.width, halvings: maxPanelHalvings}
		s.panels[int(i)] = p
	}
	s.mu.Unlock()
	for {
		p.once.Do(func() { p.make(s.f, s.tol) })
		switch {
		case p.fine:
			value, slope = p.at(x)
			return value, slope, p.residual, true
		case p.left == nil:
			return 0, 0, 0, false
		case x < p.left.b:
			p = p.left
		default:
			p = p.right
		}
	}
}

// chebyshev is a panel [a, b]: an interpolant where it is fine, else two halves.
type chebyshev struct {
	once        sync.Once // guards the making of everything below
	a, b        float64
	halvings    int
	fine        bool
	residual    float64
	c           [smoothNodes]float64 // coefficients of the Chebyshev polynomials
	left, right *chebyshev
}

func (p *chebyshev) make(f func(float64) float64, tol float64) {
	var v [smoothNodes]float64
	for j := range v {
		if v[j] = f(p.x(math.Cos((float64(j) + 0.5) * math.Pi / smoothNodes))); !finite(v[j]) {
			return
		}
	}
	for k := range p.c {
		for j := range v {
			p.c[k] += v[j] * math.Cos(float64(k)*(float64(j)+0.5)*math.Pi/smoothNodes)
		}
		p.c[k] *= 2. / smoothNodes
	}
	p.c[0] /= 2
	// The error is that of T_n to leading order, whose extremes these are. The lower end
	// of the first panel is 0, where f may be a limit: a point just inside serves as well.
	for k := range smoothNodes + 1 {
		x := p.x(math.Cos(float64(k) * math.Pi / smoothNodes))
		x = math.Max(x, 1e-7*p.b)
		want := f(x)
		got, _ := p.at(x)
		if !finite(want) {
			return
		}
		p.residual = math.Max(p.residual, math.Abs(got/want-1))
		if !(p.residual <= tol) {
			p.halve()
			return
		}
	}
	p.fine = true
}

func (p *chebyshev) halve() {
	if p.halvings == 0 {
		return
	}
	m := p.a + (p.b-p.a)/2
	p.left = &chebyshev{a: p.a, b: m, halvings: p.halvings - 1}
	p.right = &chebyshev{a: m, b: p.b, halvings: p.halvings - 1}
}

// x maps u in [−1, 1] to the panel.
func (p *chebyshev) x(u float64) float64 { return p.a + (p.b-p.a)/2*(1+u) }

// at evaluates the interpolant and its derivative by Clenshaw's recurrence.
func (p *chebyshev) at(x float64) (value, slope float64) {
	u := (x-p.a)/(p.b-p.a)*2 - 1
	var b1, b2, d1, d2 float64
	for k := smoothNodes - 1; k >= 1; k-- {
		b1, b2, d1, d2 = 2*u*b1-b2+p.c[k], b1, 2*u*d1-d2+2*b1, d1
	}
	return u*b1 - b2 + p.c[0], (u*d1 - d2 + b1) * 2 / (p.b - p.a)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
