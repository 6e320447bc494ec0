package special

import "math"

// maxTerms bounds series and fractions; they need some multiple of the square
// root of their largest parameter, so it is reached beyond 10¹⁰ only.
const maxTerms = 1 << 20

// gammaPower returns x^a e^(−x)/Γ(a) for x > 0, a > 0.
func gammaPower(a, x float64) float64 {
	if a < 1 { // x^a a e^(−x)/Γ(1+a): small a would divide by almost zero
		return a * math.Exp(a*math.Log(x)-x-logGamma1p(a))
	}
	return math.Sqrt(a) * invSqrt2Pi * math.Exp(deviance(a, x)-stirling(a))
}

// LogGammaPower returns ln(x^a e^(−x)/Γ(a)) for x > 0, a > 0.
func LogGammaPower(a, x float64) float64 {
	if a < 1 {
		return math.Log(a) + a*math.Log(x) - x - logGamma1p(a)
	}
	return 0.5*math.Log(a) - halfLog2Pi + deviance(a, x) - stirling(a)
}

// GammaTails returns the two tails of the gamma law with shape a > 0 at x ≥ 0:
// P = P[G ≤ x] and Q = P[G > x]. Both have a relative error near 1e-14 (1e-13 for a
// above 10⁴), as long as they do not underflow.
func GammaTails(a, x float64) (lower, upper float64) {
	switch {
	case !(x > 0):
		return 0, 1
	case math.IsInf(x, 1):
		return 1, 0
	}
	if x < a+1 {
		p := math.Min(1, gammaPower(a, x)*gammaSeries(a, x))
		return p, 1 - p
	}
	q := math.Min(1, gammaPower(a, x)*gammaFraction(a, x))
	return 1 - q, q
}

// UpperGammaRatio returns Γ(a, x)/(x^a e^(−x)) for x > 0: the upper incomplete
// gamma function without its exponential factor.
func UpperGammaRatio(a, x float64) float64 {
	if x < a+1 {
		// Γ(a)(1 − P)/(x^a e^(−x)), where P is not close to 1.
		g := gammaPower(a, x)
		return (1 - math.Min(1, g*gammaSeries(a, x))) / g
	}
	return gammaFraction(a, x)
}

// gammaSeries returns P(a, x)·Γ(a)/(x^a e^(−x)) = Σ x^n/(a(a+1)…(a+n)).
func gammaSeries(a, x float64) float64 {
	term := 1 / a
	sum := term
	for n := 1; n < maxTerms; n++ {
		term *= x / (a + float64(n))
		sum += term
		if !(term >= sum*eps/8) { // NaN ends it too
			break
		}
	}
	return sum
}

// gammaFraction returns Γ(a, x)/(x^a e^(−x)) by Legendre's continued fraction,
// evaluated by Lentz's method; for x ≥ a+1.
func gammaFraction(a, x float64) float64 {
	const tiny = 1e-300
	b := x + 1 - a
	c := 1 / tiny
	d := 1 / b
	h := d
	for n := 1; n < maxTerms; n++ {
		an := -float64(n) * (float64(n) - a)
		b += 2
		d = an*d + b
		if math.Abs(d) < tiny {
			d = tiny
		}
		c = b + an/c
		if math.Abs(c) < tiny {
			c = tiny
		}
		d = 1 / d
		delta := d * c
		h *= delta
		if !(math.Abs(delta-1) >= eps) { // NaN ends it too
			break
		}
	}
	return h
}

// LogGammaQuantile returns ln x with P[G ≤ x] = p for the gamma law of shape a,
// given both p and q = 1 − p, each in (0, 1) and accurate; the smaller one counts.
func LogGammaQuantile(a, p, q float64) float64 {
	// Density of ln G at ln x: x^a e^(−x)/Γ(a).
	tails := func(s float64) (lower, upper, density float64) {
		x := math.Exp(s)
		lower, upper = GammaTails(a, x)
		if lower == 0 && a < 1 { // x underflows: the leading term of the series
			lower = math.Exp(a*s - logGamma1p(a))
		}
		return lower, upper, gammaPowerLog(a, s, x)
	}
	// Start from Wilson and Hilferty's cube-root normal, or the leading term.
	start := math.Log(a)
	if a < 1 {
		start = math.Min(start, (math.Log(p)+logGamma1p(a))/a)
	}
	return solve(tails, p, q, start, 1/math.Sqrt(a))
}

func gammaPowerLog(a, s, x float64) float64 {
	if x == 0 || a < 1 {
		return a * math.Exp(a*s-x-logGamma1p(a))
	}
	return gammaPower(a, x)
}
