// Package special holds the special functions that certified radii need, with
// relative accuracy in both tails and for dimensions in the hundreds of
// thousands: incomplete gamma and beta functions, their inverses, the dilogarithm
// and a quadrature rule.
//
// Libraries at hand lose digits exactly there: the logarithm of Γ at 10⁵ has an
// absolute error of 1e-10, so powers times Γ are formed from Stirling's series and
// log(1+x)−x instead (Loader, "Fast and accurate computation of binomial
// probabilities", 2000).
package special

import "math"

const (
	eps          = 0x1p-53
	halfLog2Pi   = 0.91893853320467274178032973640562 // ln(2π)/2
	invSqrt2Pi   = 0.39894228040143267793994605993438
	stirlingFrom = 16 // where eight terms of Stirling's series reach 1e-17
)

// stirling returns Δ(a) = lnΓ(a) − (a−½)ln a + a − ln(2π)/2 for a > 0.
func stirling(a float64) float64 {
	if a < stirlingFrom {
		// Shifted up by Γ(a+1) = aΓ(a): Δ(a) − Δ(a+1) = (a+½)ln(1+1/a) − 1.
		var sum float64
		for ; a < stirlingFrom; a++ {
			sum += shift(a)
		}
		return sum + stirling(a)
	}
	i := 1 / (a * a)
	return (1./12 - i*(1./360-i*(1./1260-i*(1./1680-i*(1./1188-i*(691./360360-i*(1./156-i*3617./122400))))))) / a
}

// shift returns (a+½)ln(1+1/a) − 1 without cancellation.
func shift(a float64) float64 {
	if a < 1 {
		return (a+0.5)*math.Log1p(1/a) - 1
	}
	// With y = 1/(2a+1): (a+½)·2·artanh(y) − 1 = y²/3 + y⁴/5 + …
	y := 1 / (2*a + 1)
	y *= y
	var sum float64
	term := y
	for n := 3.0; term > 1e-18; n += 2 {
		sum += term / n
		term *= y
	}
	return sum
}

// log1pmx returns ln(1+x) − x for x > −1, without cancellation near 0.
func log1pmx(x float64) float64 {
	if x <= -0.5 || x >= 0.6 {
		return math.Log1p(x) - x
	}
	// With r = x/(2+x): ln(1+x) = 2(r + r³/3 + …) and x = 2r + rx.
	r := x / (2 + x)
	y := r * r
	var sum float64
	term := 1.0
	for n := 3.0; term > 1e-18; n += 2 {
		sum += term / n
		term *= y
	}
	return r * (2*y*sum - x)
}

// deviance returns a(ln(x/a) − (x/a − 1)) for x, a > 0: without cancellation near
// x = a, and with the relative accuracy of x far below.
func deviance(a, x float64) float64 {
	if u := (x - a) / a; u > -0.5 && u < 0.6 {
		return a * log1pmx(u)
	}
	return a*math.Log(x/a) + (a - x)
}

// GammaRatio returns Γ(x+δ)/Γ(x) for x > 0, x+δ > 0. For large x its relative
// error is 1e-15·(1 + |δ| ln x).
func GammaRatio(x, delta float64) float64 { return math.Exp(LogGammaRatio(x, delta)) }

// LogGammaRatio returns ln Γ(x+δ)/Γ(x) for x > 0, x+δ > 0.
func LogGammaRatio(x, delta float64) float64 {
	if delta == 0 {
		return 0
	}
	y := x + delta
	// (y−½)ln y − (x−½)ln x − δ, regrouped around ln(1+δ/x) − δ/x.
	u := delta / x
	return (x-0.5)*log1pmx(u) - 0.5*u + delta*math.Log(y) + (stirling(y) - stirling(x))
}

// logGamma1p returns ln Γ(1+a) for a > −1.
func logGamma1p(a float64) float64 {
	v, _ := math.Lgamma(1 + a)
	return v
}

// BinomialHalf returns C(n, k)/2ⁿ for whole numbers 0 ≤ k ≤ n in float64, with a
// relative error near 1e-15.
func BinomialHalf(n, k float64) float64 {
	m := n - k
	if k == 0 || m == 0 {
		return math.Exp2(-n)
	}
	u := (k - m) / n
	deviance := k*log1pmx(u) + m*log1pmx(-u) + n*u*u
	return math.Sqrt(n/k/m) * invSqrt2Pi * math.Exp(stirling(n)-stirling(k)-stirling(m)-deviance)
}
