package special

import "math"

// BetaPower returns x^a y^b/B(a, b), for x + y = 1, both positive and accurate.
func BetaPower(a, b, x, y float64) float64 {
	if a < 1 || b < 1 {
		// The Gamma functions of small arguments are cheap and accurate.
		return math.Exp(a*math.Log(x) + b*logOf(y, x) - logBeta(a, b))
	}
	n := a + b
	return math.Sqrt(a/n*b) * invSqrt2Pi * math.Exp(deviance(a, x*n)+deviance(b, y*n)+(stirling(n)-stirling(a)-stirling(b)))
}

// logOf returns ln y for y = 1 − x, from whichever of the two is the smaller.
func logOf(y, x float64) float64 {
	if x < 0.5 {
		return math.Log1p(-x)
	}
	return math.Log(y)
}

// logBeta returns ln B(a, b) where at least one of a, b is small.
func logBeta(a, b float64) float64 {
	if a > b {
		a, b = b, a
	}
	g, _ := math.Lgamma(a)
	return g - LogGammaRatio(b, a)
}

// BetaTails returns the two tails of the beta law with shapes a, b > 0 at x, given
// y = 1 − x as well, each as accurate as it can be: I_x(a, b) and I_y(b, a). Both
// have a relative error near 1e-14 (1e-13 for shapes above 10⁴).
func BetaTails(a, b, x, y float64) (lower, upper float64) {
	switch {
	case !(x > 0):
		return 0, 1
	case !(y > 0):
		return 1, 0
	}
	g := BetaPower(a, b, x, y)
	if x*(a+b+2) < a+1 {
		l := math.Min(1, g*betaFraction(a, b, x, y))
		return l, 1 - l
	}
	u := math.Min(1, g*betaFraction(b, a, y, x))
	return 1 - u, u
}

// betaFraction returns I_x(a, b)·B(a, b)/(x^a y^b) by the continued fraction of
// DiDonato and Morris (ACM TOMS 18, 1992, algorithm 708, BFRAC), whose terms are
// all positive for x below a/(a+b).
func betaFraction(a, b, x, y float64) float64 {
	lambda := a - (a+b)*x
	if a > b { // the same number, from the one of x and y that is not close to 1
		lambda = (a+b)*y - b
	}
	c := 1 + lambda
	c0 := b / a
	c1 := 1 + 1/a
	yp1 := y + 1
	p, s := 1.0, a+1
	an, bn, anp1, bnp1 := 0.0, 1.0, 1.0, c/c1
	r := c1 / c
	for n := 1.0; n < maxTerms; n++ {
		t := n / a
		w := n * (b - n) * x
		e := a / s
		alpha := p * (p + c0) * e * e * (w * x)
		e = (t + 1) / (c1 + t + t)
		beta := n + w/s + e*(c+n*yp1)
		p = t + 1
		s += 2
		an, anp1 = anp1, alpha*an+beta*anp1
		bn, bnp1 = bnp1, alpha*bn+beta*bnp1
		r0 := r
		r = anp1 / bnp1
		if !(math.Abs(r-r0) > eps*r) { // NaN ends it too
			break
		}
		an /= bnp1
		bn /= bnp1
		anp1 = r
		bnp1 = 1
	}
	return r
}

// BetaQuantile returns x and y = 1 − x with I_x(a, b) = p, given both p and
// q = 1 − p, each in (0, 1) and accurate; the smaller one counts. Both x and y are
// accurate in relative terms.
func BetaQuantile(a, b, p, q float64) (x, y float64) {
	at := func(s float64) (x, y float64) { // s = ln(x/y)
		e := math.Exp(-math.Abs(s))
		if s < 0 {
			return e / (1 + e), 1 / (1 + e)
		}
		return 1 / (1 + e), e / (1 + e)
	}
	tails := func(s float64) (lower, upper, density float64) {
		x, y := at(s)
		lower, upper = BetaTails(a, b, x, y)
		return lower, upper, BetaPower(a, b, x, y)
	}
	return at(solve(tails, p, q, math.Log(a/b), math.Sqrt(1/a+1/b)))
}

// Cap measures the caps of the unit sphere in ℝᵈ, d ≥ 2: the law of one coordinate
// c of a uniform direction, whose square is Beta(½, (d−1)/2).
type Cap struct {
	b       float64
	logBeta float64
}

// NewCap returns the caps of dimension dim ≥ 2.
func NewCap(dim int) Cap {
	b := (float64(dim) - 1) / 2
	return Cap{b, logBeta(0.5, b)}
}

// Tails returns I = P[|c| < |z|] and 1 − I, both accurate in relative terms; 1 and
// 0 for |z| ≥ 1.
func (c Cap) Tails(z float64) (inside, outside float64) {
	z = math.Abs(z)
	if z >= 1 {
		return 1, 0
	}
	if z == 0 {
		return 0, 1
	}
	x, y := z*z, (1-z)*(1+z)
	g := z * math.Exp(c.b*logOf(y, x)-c.logBeta)
	if x*(c.b+2.5) < 1.5 {
		l := math.Min(1, g*betaFraction(0.5, c.b, x, y))
		return l, 1 - l
	}
	u := math.Min(1, g*betaFraction(c.b, 0.5, y, x))
	return 1 - u, u
}
