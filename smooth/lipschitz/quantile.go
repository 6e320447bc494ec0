package lipschitz

import (
	"fmt"
	"math"

	"ucan/smooth/stats"
)

// NoncentralChiSquareQuantile encloses the x with F(x) = q, F being the distribution function that
// [NoncentralChiSquare] encloses: F(Lower) ≤ q ≤ F(Upper) holds by its bounds. q lies in [1e-12, 1
// − 1e-12].
func NoncentralChiSquareQuantile(d int, lambda, q float64) (Bounds, error) {
	if !(q >= 1e-12 && q <= 1-1e-12) {
		return Bounds{}, fmt.Errorf("quantile of noncentral χ² at %v: %w", q, ErrDomain)
	}
	lower, err := quantileBelow(d, lambda, q)
	if err != nil {
		return Bounds{}, err
	}
	upper, err := quantileAbove(d, lambda, q)
	return Bounds{lower, upper}, err
}

// quantileBelow returns an x, close to the quantile, with F(x) ≤ q by the bounds of F.
func quantileBelow(d int, lambda, q float64) (float64, error) {
	return quantile(d, lambda, q, -1, func(x float64) (bool, error) {
		cdf, _, err := NoncentralChiSquare(d, lambda, x)
		return cdf.Upper <= q, err
	})
}

// quantileAbove returns an x, close to the quantile, with F(x) ≥ q by the bounds of F.
func quantileAbove(d int, lambda, q float64) (float64, error) {
	return quantile(d, lambda, q, 1, func(x float64) (bool, error) {
		cdf, _, err := NoncentralChiSquare(d, lambda, x)
		return cdf.Lower >= q, err
	})
}

// quantile estimates the quantile, and moves away from it in the direction of sign until holds is
// true.
func quantile(d int, lambda, q, sign float64, holds func(x float64) (bool, error)) (float64, error) {
	x, err := estimate(d, lambda, q)
	if err != nil {
		return 0, err
	}
	for step := 0x1p-44; step < 1; step *= 2 {
		at := x * (1 + sign*step)
		ok, err := holds(at)
		if err != nil || ok {
			return at, err
		}
	}
	if sign < 0 {
		return 0, nil // F(0) = 0
	}
	return 0, fmt.Errorf("no quantile %v of noncentral χ² of %d degrees and noncentrality %v was found: %w", q, d, lambda, ErrDomain)
}

// estimate is the quantile to about 13 digits, without a bound. It begins with the Cornish–Fisher
// expansion, whose two terms the first three cumulants give, and follows secants inside a bracket.
func estimate(d int, lambda, q float64) (float64, error) {
	k1, k2, k3 := float64(d)+lambda, 2*(float64(d)+2*lambda), 8*(float64(d)+3*lambda)
	z, sd := stats.NormalQuantile(q), math.Sqrt(k2)
	lo, hi := 0.0, math.Inf(1)
	x := k1 + z*sd + (z*z-1)*k3/(6*k2)
	if !(x > 0) {
		x = k1 / 4
	}
	slope := math.Exp(-z*z/2) / (sd * math.Sqrt(2*math.Pi))
	before, fBefore := math.NaN(), 0.0
	for range 200 {
		cdf, survival, err := NoncentralChiSquare(d, lambda, x)
		if err != nil {
			return 0, err
		}
		f := (cdf.Lower+cdf.Upper)/2 - q
		if q > 0.5 {
			f = 1 - q - (survival.Lower+survival.Upper)/2
		}
		if f < 0 {
			lo = x
		} else {
			hi = x
		}
		if s := (f - fBefore) / (x - before); s > 0 && !math.IsInf(s, 0) { // false for NaN
			slope = s
		}
		before, fBefore = x, f
		next := x - f/slope
		switch {
		case !(next > lo) && math.IsInf(hi, 1):
			next = 2 * x
		case !(next > lo && next < hi) && lo == 0:
			next = hi / 2
		case !(next > lo && next < hi):
			next = lo + (hi-lo)/2
		}
		if math.Abs(next-x) <= 1e-13*x || next == lo || next == hi {
			return next, nil
		}
		x = next
	}
	return x, nil
}
