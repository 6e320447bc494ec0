package stats

import "math"

// 1/√2 as an unevaluated sum of two float64.
const (
	invSqrt2Hi = 0.707106781186547524400844362104849039284835937688474036588
	twoSqrtPi  = 1.128379167095512573896158903121545171688101258657997713688 // 2/√π
)

// invSqrt2Lo is 1/√2 less its float64 rounding.
const invSqrt2Lo = -4.833646656726456726e-17

// NormalSurvival returns P[N(0,1) ≥ x] with a relative error below 1e-14 for
// every x, down to 1e-300 and, with fewer digits, to the last subnormal.
//
// It is erfc(x/√2)/2 with the rounding of x/√2 put back to first order: left
// alone it costs a relative error of x²·1e-16, a digit at nine sigma.
func NormalSurvival(x float64) float64 {
	t := x * invSqrt2Hi
	if math.IsNaN(t) || math.Abs(t) > 40 {
		return 0.5 * math.Erfc(t)
	}
	rest := math.FMA(x, invSqrt2Hi, -t) + x*invSqrt2Lo
	return 0.5 * (math.Erfc(t) - twoSqrtPi*math.Exp(-t*t)*rest)
}

// NormalCDF returns P[N(0,1) ≤ x] with a relative error below 1e-14, in the
// lower tail too.
func NormalCDF(x float64) float64 { return NormalSurvival(-x) }

// normalSlack bounds the relative error of NormalSurvival and NormalQuantile,
// with a factor of about four over the largest one measured (normal_test.go).
const normalSlack = 32 * eps

// NormalCDFUpper is [NormalCDF] rounded up: never below the exact value. Above
// zero it is computed from the complement, which keeps it within an ulp or so
// of the exact value near one; it reaches 1 only where the complement is below
// half an ulp of 1 (beyond 8.2 sigma). At 0 it is exactly 1/2.
func NormalCDFUpper(x float64) float64 {
	if x == 0 {
		return 0.5
	}
	if x > 0 {
		s := NormalSurvival(x)
		return math.Min(1, math.Nextafter(1-s*(1-normalSlack), 2))
	}
	v := NormalCDF(x)
	return math.Min(1, math.Nextafter(v+v*normalSlack, 2))
}

// NormalQuantile returns z with P[N(0,1) ≤ z] = p, with a relative error below
// 1e-14; −Inf at 0, +Inf at 1, 0 at exactly 1/2, NaN outside [0, 1].
// The quantile of an upper tail q, however small, is −NormalQuantile(q).
//
// Source: M. J. Wichura, Algorithm AS 241 (PPND16), Applied Statistics 37
// (1988), 477–484.
func NormalQuantile(p float64) float64 {
	switch {
	case math.IsNaN(p) || p < 0 || p > 1:
		return math.NaN()
	case p == 0:
		return math.Inf(-1)
	case p == 1:
		return math.Inf(1)
	}
	q := p - 0.5
	if math.Abs(q) <= 0.425 {
		r := 0.180625 - q*q
		return q * (((((((r*2509.0809287301226727+33430.575583588128105)*r+67265.770927008700853)*r+
			45921.953931549871457)*r+13731.693765509461125)*r+1971.5909503065514427)*r+133.14166789178437745)*r +
			3.387132872796366608) /
			(((((((r*5226.495278852545925+28729.085735721942674)*r+39307.89580009271061)*r+
				21213.794301586595867)*r+5394.1960214247511077)*r+687.1870074920579083)*r+42.313330701600911252)*r + 1)
	}
	r := p
	if q > 0 {
		r = 1 - p // exact for p ≥ 1/2
	}
	r = math.Sqrt(-math.Log(r))
	var z float64
	if r <= 5 {
		r -= 1.6
		z = (((((((r*7.7454501427834140764e-4+.0227238449892691845833)*r+.24178072517745061177)*r+
			1.27045825245236838258)*r+3.64784832476320460504)*r+5.7694972214606914055)*r+4.6303378461565452959)*r +
			1.42343711074968357734) /
			(((((((r*1.05075007164441684324e-9+5.475938084995344946e-4)*r+.0151986665636164571966)*r+
				.14810397642748007459)*r+.68976733498510000455)*r+1.6763848301838038494)*r+2.05319162663775882187)*r + 1)
	} else {
		r -= 5
		z = (((((((r*2.01033439929228813265e-7+2.71155556874348757815e-5)*r+.0012426609473880784386)*r+
			.026532189526576123093)*r+.29656057182850489123)*r+1.7848265399172913358)*r+5.4637849111641143699)*r +
			6.6579046435011037772) /
			(((((((r*2.04426310338993978564e-15+1.4215117583164458887e-7)*r+1.8463183175100546818e-5)*r+
				7.868691311456132591e-4)*r+.0148753612908506148525)*r+.13692988092273580531)*r+.59983220655588793769)*r + 1)
	}
	if q < 0 {
		return -z
	}
	return z
}

// NormalQuantileLower is [NormalQuantile] rounded down: never above the exact
// value. It is the function that turns a lower bound on p_A into a radius.
func NormalQuantileLower(p float64) float64 {
	z := NormalQuantile(p)
	if z == 0 || math.IsInf(z, 0) || math.IsNaN(z) {
		return z
	}
	return z - math.Abs(z)*normalSlack
}

// NormalQuantileUpper is [NormalQuantile] rounded up: never below the exact
// value.
func NormalQuantileUpper(p float64) float64 {
	z := NormalQuantile(p)
	if z == 0 || math.IsInf(z, 0) || math.IsNaN(z) {
		return z
	}
	return z + math.Abs(z)*normalSlack
}
