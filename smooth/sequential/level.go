package sequential

import (
	"errors"
	"fmt"
	"math"
)

// ErrUnreachable says that no probability below 1 has the radius asked for.
var ErrUnreachable = errors.New("the radius cannot be reached by any probability below 1")

// SolveLevel returns the probability of the level that certifies radius r: the
// smallest float64 p in [1/2, 1) with radius(p) ≥ r. radius is the certified
// radius as a function of a lower bound on p_A, in the units of r, rounded toward
// zero and not decreasing; then p is an upward-rounded solution, and rejecting
// p_A ≤ p certifies r. Radius 0 has level exactly 1/2.
//
// Errors: r negative or NaN, ErrUnreachable (wrapped), and those of radius. It
// calls radius at most 54 times.
func SolveLevel(r float64, radius func(pLower float64) (float64, error)) (float64, error) {
	if !(r >= 0) {
		return math.NaN(), fmt.Errorf("level of radius %v: the radius is negative or not a number", r)
	}
	if r == 0 {
		return 0.5, nil
	}
	reaches := func(p float64) (bool, error) {
		v, err := radius(p)
		if err != nil {
			return false, fmt.Errorf("level of radius %v: %w", r, err)
		}
		return v >= r, nil
	}
	// The float64 in [1/2, 1] are 1/2 + i·2⁻⁵³.
	at := func(i int64) float64 { return 0.5 + float64(i)*0x1p-53 }
	lo, hi := int64(0), int64(1)<<52-1
	ok, err := reaches(at(hi))
	if err != nil {
		return math.NaN(), err
	}
	if !ok {
		return math.NaN(), fmt.Errorf("level of radius %v: %w", r, ErrUnreachable)
	}
	if ok, err = reaches(at(lo)); err != nil || ok {
		return at(lo), err
	}
	for hi-lo > 1 {
		mid := lo + (hi-lo)/2
		if ok, err = reaches(at(mid)); err != nil {
			return math.NaN(), err
		}
		if ok {
			hi = mid
		} else {
			lo = mid
		}
	}
	return at(hi), nil
}
