package region

import "math"

// slack is the relative room, in the outward direction, for the rounding of a
// norm or a power sum: a quotient, a square, a compensated sum and a root err by
// less than 8 ulp together.
const slack = 0x1p-49

// down returns the float64 below x > 0, and 0 for 0.
func down(x float64) float64 {
	if !(x > 0) {
		return 0
	}
	return math.Nextafter(x, 0)
}

// MulDown returns a·b of non-negative numbers, rounded toward zero: the exact
// product when it is a float64.
func MulDown(a, b float64) float64 {
	p := a * b
	if p < 0x1p-900 || math.IsInf(p, 1) {
		return down(p) // the exact error may not be representable
	}
	if math.FMA(a, b, -p) < 0 {
		return math.Nextafter(p, 0)
	}
	return p
}

// sum is a compensated sum (Neumaier 1974): for terms of one sign its relative
// error is a few ulp, whatever their number.
type sum struct{ s, c float64 }

func (a *sum) add(x float64) {
	t := a.s + x
	if math.Abs(a.s) >= math.Abs(x) {
		a.c += (a.s - t) + x
	} else {
		a.c += (x - t) + a.s
	}
	a.s = t
}

func (a *sum) value() float64 { return a.s + a.c }
