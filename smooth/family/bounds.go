package family

import (
	"fmt"
	"math"
)

// checkTwo validates the arguments of a radius with two bounds. It returns them
// restricted to what a radius can use (pLower below 1; pUpper above 0 and at most
// 1 − pLower, which always bounds the other classes), and done = true with the
// answer 0 when pLower does not exceed pUpper.
func checkTwo(f Family, n Norm, dim int, pLower, pUpper float64) (pA, pB float64, done bool, err error) {
	if _, err = checkRadius(f, n, dim, pLower); err != nil {
		return 0, 0, true, err
	}
	if math.IsNaN(pUpper) || pUpper < 0 || pUpper > 1 {
		return 0, 0, true, fmt.Errorf("radius of noise family %s: probability %v of the other classes is outside [0, 1]", f.Name(), pUpper)
	}
	pA = min(pLower, topProbability)
	pB = max(pUpper, 1-topProbability)
	if pA >= 0.5 { // the difference is exact
		pB = min(pB, 1-pA)
	}
	return pA, pB, pA <= pB, nil
}

// differentialTwoBounds is RadiusTwoBounds for a radius of the differential
// method, R(p) = F(p) with F(p) = ∫_{1/2}^p dq/Φ(1−q) for p ≥ 1/2. Moving by r lets
// F of the class's probability fall by at most r and F of any other rise by at
// most r, F being odd about 1/2; so the order is kept for 2r < F(p_A) − F(p_B).
//
// Source: Yang et al. 2020, differential method, for one bound; the second follows
// from symmetry.
func differentialTwoBounds(t interface {
	Family
	Theorem
}, n Norm, dim int, pLower, pUpper float64) (float64, error) {
	pA, pB, done, err := checkTwo(t, n, dim, pLower, pUpper)
	if done {
		return 0, err
	}
	signed := func(p float64) (float64, error) { // rounded toward zero
		if p >= 0.5 {
			return t.Radius(n, dim, p)
		}
		// 1−p is rounded; a neighbour nearer to 1/2 only shortens the radius.
		r, rerr := t.Radius(n, dim, math.Nextafter(1-p, 0))
		return -r, rerr
	}
	a, err := signed(pA)
	if err != nil {
		return 0, err
	}
	b, err := signed(pB)
	if err != nil {
		return 0, err
	}
	// Where F(p_A) < 0 or F(p_B) > 0, rounding toward zero is the wrong way for
	// that term: widened by more than any family's margin.
	if a < 0 {
		a *= 1 + 4*widestMargin
	}
	if b > 0 {
		b *= 1 + 4*widestMargin
	}
	return below((a-b)/2, 0x1p-52), nil
}

// widestMargin is the largest relative margin that a radius computed by the
// differential method is lowered by.
const widestMargin = 1.2e-11

// LevelProbability returns the smallest bound on p_A that certifies a radius: the
// solution p of Radius(n, dim, p) = radius, rounded upward, so that the radius
// certified by p is at least radius. It is 1/2 for radius 0. With an [Inverter], which
// saves most of the search, p may exceed the smallest bound by 1e-7 of p − ½ or 1 − p.
// The levels of an adaptive run are made by it. Errors: a radius that is negative, NaN
// or infinite, one that no float64 below 1 certifies, and those of Radius.
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
	if inverter, ok := t.(Inverter); ok {
		p, err := levelFrom(inverter, t, n, dim, radius)
		if err != nil || p > 0 {
			return p, err
		}
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

// levelFrom starts from the inverter's probability and raises it by little until it
// certifies the radius; 0 when that does not come about.
func levelFrom(inverter Inverter, t Theorem, n Norm, dim int, radius float64) (float64, error) {
	p, err := inverter.Probability(n, dim, radius)
	if err != nil {
		return 0, err
	}
	for step := 1e-10; step < 1e-6; step *= 4 {
		if !(p >= 0.5 && p <= topProbability) {
			return 0, nil
		}
		r, err := t.Radius(n, dim, p)
		if err != nil {
			return 0, err
		}
		if r >= radius {
			return p, nil
		}
		p = math.Nextafter(p+step*min(p-0.5, 1-p), 1)
	}
	return 0, nil
}
