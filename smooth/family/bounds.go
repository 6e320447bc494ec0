package family

import (
	"fmt"
	"math"
)

// checkTwo validates the arguments of a radius with two bounds, and returns
// done = true with the answer 0 when pLower does not exceed pUpper.
func checkTwo(f Family, n Norm, dim int, pLower, pUpper float64) (done bool, err error) {
	if _, err := checkRadius(f, n, dim, pLower); err != nil {
		return true, err
	}
	if math.IsNaN(pUpper) || pUpper < 0 || pUpper > 1 {
		return true, fmt.Errorf("radius of noise family %s: probability %v of the other classes is outside [0, 1]", f.Name(), pUpper)
	}
	return pLower <= pUpper, nil
}

// LevelProbability returns the smallest bound on p_A that certifies a radius: the
// solution p of Radius(n, dim, p) = radius, rounded upward, so that the radius
// certified by p is at least radius. It is 1/2 for radius 0 and makes the levels
// of an adaptive run. Errors: a radius that is negative, NaN or infinite, one
// that no float64 below 1 certifies, and those of Radius.
func LevelProbability(t Theorem, n Norm, dim int, radius float64) (float64, error) {
	if math.IsNaN(radius) || math.IsInf(radius, 0) || radius < 0 {
		return 0, fmt.Errorf("grid radius %v: it must be finite and not negative", radius)
	}
	if radius == 0 {
		if _, err := t.Radius(n, dim, 0.5); err != nil {
			return 0, err
		}
		return 0.5, nil
	}
	// Bisection over the float64 in (1/2, 1), which are consecutive integers as
	// bits: lo certifies less than radius, hi at least radius.
	lo, hi := math.Float64bits(0.5), math.Float64bits(topProbability)
	top, err := t.Radius(n, dim, topProbability)
	if err != nil {
		return 0, err
	}
	if top < radius {
		return 0, fmt.Errorf("grid radius %v (at unit scale) is above %v, the largest that any bound below 1 certifies in dimension %d", radius, top, dim)
	}
	for hi-lo > 1 {
		mid := lo + (hi-lo)/2
		r, err := t.Radius(n, dim, math.Float64frombits(mid))
		if err != nil {
			return 0, err
		}
		if r < radius {
			lo = mid
		} else {
			hi = mid
		}
	}
	return math.Float64frombits(hi), nil
}
