package special

import (
	"errors"
	"fmt"
	"math"
)

// gaussNodes and gaussWeights are the positive half of the 16-point Gauss-Legendre
// rule on [−1, 1] (Abramowitz and Stegun, table 25.4).
var (
	gaussNodes = [8]float64{
		0.095012509837637440185, 0.281603550779258913230, 0.458016777657227386342, 0.617876244402643748447,
		0.755404408355003033895, 0.865631202387831743880, 0.944575023073232576078, 0.989400934991649932596,
	}
	gaussWeights = [8]float64{
		0.189450610455068496285, 0.182603415044923588867, 0.169156519395002538189, 0.149595988816576732081,
		0.124628971255533872052, 0.095158511682492784810, 0.062253523938647892863, 0.027152459411754094852,
	}
)

// Gauss integrates f over [a, b] by the 16-point Gauss-Legendre rule.
func Gauss(f func(float64) float64, a, b float64) float64 {
	mid, half := a+(b-a)/2, (b-a)/2
	var sum float64
	for i, x := range gaussNodes {
		sum += gaussWeights[i] * (f(mid-half*x) + f(mid+half*x))
	}
	return sum * half
}

// Cumulative is the integral of a positive smooth function from a fixed lower
// limit, tabulated at the ends of panels so that any upper limit costs one panel.
// It is immutable and safe for concurrent use.
type Cumulative struct {
	f           func(float64) float64
	end         []float64 // ends of panels, end[0] the lower limit
	sum         []float64 // integral up to end[i]
	residual    []float64 // how far the rules disagreed up to end[i]
	evaluations int
}

const (
	// maxCumulative bounds the panels of a Cumulative, and with them its work.
	maxCumulative = 1 << 13
	// maxHalvings leaves panels of a millionth of the first width.
	maxHalvings = 20
	// roundingLevel is what two rules may differ by, relative to a panel's own
	// integral, from the rounding of the integrand alone. Halving does not help then.
	roundingLevel = 4e-13
)

// ErrQuadrature tells that an integrand is not finite and positive, or its range
// is too wide for the panels allowed.
var ErrQuadrature = errors.New("the integral cannot be computed in double precision")

// NewCumulative integrates f over [lo, hi], halving panels that start at width at
// most step until two rules agree to tol relative to the integral so far. It stops
// short of that where the difference is of the size of rounding errors, or the
// panels become too narrow or too many; At tells what is left. The work is bounded:
// at most 48 evaluations of f for each of 8192 panels. It returns ErrQuadrature where f
// is not finite or not positive, or the range needs more panels from the start.
func NewCumulative(f func(float64) float64, lo, hi, step, tol float64) (*Cumulative, error) {
	n := math.Max(1, math.Ceil((hi-lo)/step))
	if !(hi > lo) || math.IsInf(lo, 0) || math.IsInf(hi, 0) || !(n <= maxCumulative/2) {
		return nil, fmt.Errorf("from %v to %v in steps of %v: %w", lo, hi, step, ErrQuadrature)
	}
	c := &Cumulative{end: []float64{lo}, sum: []float64{0}, residual: []float64{0}}
	c.f = f
	count := func(x float64) float64 { c.evaluations++; return f(x) }
	for i := range int(n) {
		a, b := lo+(hi-lo)*float64(i)/n, lo+(hi-lo)*float64(i+1)/n
		c.panel(count, a, b, Gauss(count, a, b), tol, maxHalvings)
	}
	if total := c.sum[len(c.sum)-1]; !(total > 0) || math.IsInf(total, 1) {
		return nil, fmt.Errorf("the integrand gives %v: %w", total, ErrQuadrature)
	}
	return c, nil
}

// panel adds [a, b], whose integral by one rule is whole. NaN counts as agreement:
// it reaches the sum, where NewCumulative finds it.
func (c *Cumulative) panel(f func(float64) float64, a, b, whole, tol float64, halvings int) {
	m := a + (b-a)/2
	left, right := Gauss(f, a, m), Gauss(f, m, b)
	last := len(c.sum) - 1
	total, own := c.sum[last], left+right
	diff := math.Abs(own - whole)
	if halvings > 0 && len(c.end) < maxCumulative && diff > math.Max(tol*(total+own), roundingLevel*own) {
		c.panel(f, a, m, left, tol, halvings-1)
		c.panel(f, m, b, right, tol, halvings-1)
		return
	}
	c.end = append(c.end, b)
	c.sum = append(c.sum, total+own)
	c.residual = append(c.residual, c.residual[last]+diff)
}

// Evaluations returns how often the integrand was evaluated for the table.
func (c *Cumulative) Evaluations() int { return c.evaluations }

// At returns the integral from the lower limit to x, within the tabulated range,
// and how far two rules disagree on the panels up to x and on the part of a panel
// that x cuts: an estimate of the error, from above for a smooth function.
func (c *Cumulative) At(x float64) (value, residual float64) {
	lo, hi := 0, len(c.end)-1
	if x <= c.end[lo] {
		return 0, 0
	}
	x = math.Min(x, c.end[hi])
	for hi-lo > 1 {
		if m := (lo + hi) / 2; c.end[m] < x {
			lo = m
		} else {
			hi = m
		}
	}
	a := c.end[lo]
	h := (x - a) / 4
	halves := Gauss(c.f, a, a+2*h) + Gauss(c.f, a+2*h, x)
	quarters := Gauss(c.f, a, a+h) + Gauss(c.f, a+h, a+2*h) + Gauss(c.f, a+2*h, a+3*h) + Gauss(c.f, a+3*h, x)
	return c.sum[lo] + quarters, c.residual[lo] + math.Abs(quarters-halves)
}

// Dilog returns the dilogarithm Li₂(x) = Σ xⁿ/n² for 0 ≤ x ≤ 1.
func Dilog(x float64) float64 {
	const zeta2 = math.Pi * math.Pi / 6
	switch {
	case x <= 0:
		return 0
	case x >= 1:
		return zeta2
	case x > 0.5: // Euler's reflection
		return zeta2 - math.Log(x)*math.Log1p(-x) - Dilog(1-x)
	}
	var sum float64
	for n, t := 1.0, x; t > eps/8*sum; n++ {
		sum += t / (n * n)
		t *= x
	}
	return sum
}

// GaussPoints calls visit with the nodes and weights of the rule of Gauss on [a, b],
// in increasing order.
func GaussPoints(a, b float64, visit func(x, w float64)) {
	mid, half := a+(b-a)/2, (b-a)/2
	for i := len(gaussNodes) - 1; i >= 0; i-- {
		visit(mid-half*gaussNodes[i], half*gaussWeights[i])
	}
	for i := range gaussNodes {
		visit(mid+half*gaussNodes[i], half*gaussWeights[i])
	}
}
