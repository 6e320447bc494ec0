package special

import "math"

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
	f   func(float64) float64
	end []float64 // ends of panels, end[0] the lower limit
	sum []float64 // integral up to end[i]
}

// NewCumulative integrates f over [lo, hi], halving panels that start at width at
// most step until two rules agree to tol relative to the integral so far.
func NewCumulative(f func(float64) float64, lo, hi, step, tol float64) *Cumulative {
	c := &Cumulative{f: f, end: []float64{lo}, sum: []float64{0}}
	n := math.Max(1, math.Ceil((hi-lo)/step))
	for i := range int(n) {
		a, b := lo+(hi-lo)*float64(i)/n, lo+(hi-lo)*float64(i+1)/n
		c.panel(a, b, Gauss(f, a, b), tol, 40)
	}
	return c
}

func (c *Cumulative) panel(a, b, whole, tol float64, depth int) {
	m := a + (b-a)/2
	left, right := Gauss(c.f, a, m), Gauss(c.f, m, b)
	total := c.sum[len(c.sum)-1]
	if depth > 0 && math.Abs(left+right-whole) > tol*(total+left+right) {
		c.panel(a, m, left, tol, depth-1)
		c.panel(m, b, right, tol, depth-1)
		return
	}
	c.end = append(c.end, m, b)
	c.sum = append(c.sum, total+left, total+left+right)
}

// At returns the integral from the lower limit to x, within the tabulated range.
func (c *Cumulative) At(x float64) float64 {
	lo, hi := 0, len(c.end)-1
	if x <= c.end[lo] {
		return 0
	}
	x = math.Min(x, c.end[hi])
	for hi-lo > 1 {
		if m := (lo + hi) / 2; c.end[m] < x {
			lo = m
		} else {
			hi = m
		}
	}
	return c.sum[lo] + Gauss(c.f, c.end[lo], x)
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
