package stats

import "math"

// eps is the distance from 1 to the next float64, 2⁻⁵².
const eps = 0x1p-52

// halfLog2Pi is ln(2π)/2.
const halfLog2Pi = 0.918938533204672741780329736405617639861397473637783412817

// stirlingTable[n] is ln n! − (ln(2πn)/2 + n ln n − n) for n = 1 … 15, to 25
// digits from mpmath.
var stirlingTable = [...]float64{
	1:  0.08106146679532725821967026,
	2:  0.04134069595540929409382208,
	3:  0.02767792568499833914878929,
	4:  0.02079067210376509311152277,
	5:  0.01664469118982119216319487,
	6:  0.01387612882307074799874573,
	7:  0.01189670994589177009505572,
	8:  0.01041126526197209649747857,
	9:  0.009255462182712732917728637,
	10: 0.008330563433362871256469319,
	11: 0.007573675487951840794972024,
	12: 0.006942840107209529865664153,
	13: 0.006408994188004207068439631,
	14: 0.005951370112758847735624416,
	15: 0.00555473355196280137103869,
}

// stirlingError is δ(n) = ln n! − (ln(2πn)/2 + n ln n − n), the error of
// Stirling's formula, for n ≥ 1. Table to 15, asymptotic series above; the
// first neglected term is below 1e-17 absolute.
//
// Source: C. Loader, Fast and accurate computation of binomial probabilities
// (2000), section 4; the series is DLMF 5.11.1.
func stirlingError(n int64) float64 {
	if n < int64(len(stirlingTable)) {
		return stirlingTable[n]
	}
	x := float64(n)
	y := 1 / (x * x)
	return (1.0/12 - y*(1.0/360-y*(1.0/1260-y*(1.0/1680-y*(1.0/1188-y*691.0/360360))))) / x
}

// deviance returns x ln(x/m) + m − x for x, m > 0, without the cancellation
// that the formula suffers for x near m, and a bound on the absolute error of
// the evaluation (m taken as exact).
//
// Source: Loader (2000), section 5 (his bd0), with the series in
// v = (x−m)/(x+m): x ln((1+v)/(1−v)) = 2x(v + v³/3 + …).
func deviance(x, m float64) (value, bound float64) {
	d := x - m
	if math.Abs(d) >= 0.1*(x+m) {
		l := x * math.Log(x/m)
		value = l - d
		return value, eps * (x + 2*math.Abs(l) + math.Abs(d) + value)
	}
	v := d / (x + m)
	value = d * v
	term := 2 * x * v
	v2 := v * v
	for j := 3; ; j += 2 {
		term *= v2
		next := value + term/float64(j)
		if next == value {
			return value, 8 * eps * value
		}
		value = next
	}
}
