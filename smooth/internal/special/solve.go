package special

import "math"

// solve finds s with lower(s) = p, or upper(s) = q, whichever is the smaller
// target, for a continuous law given by its tails and density. It brackets the
// solution from start by growing steps, then takes Newton steps on the logarithm
// of the tail within the bracket, and bisects where they fail.
func solve(tails func(s float64) (lower, upper, density float64), p, q, start, step float64) float64 {
	useLower := p <= q
	// f is increasing in s with its zero at the solution; fp its derivative.
	f := func(s float64) (v, slope float64) {
		lower, upper, density := tails(s)
		if useLower {
			return math.Log(lower) - math.Log(p), density / lower
		}
		return math.Log(q) - math.Log(upper), density / upper
	}
	lo, hi := start, start
	below := func(s float64) bool { v, _ := f(s); return v <= 0 } // −Inf is, NaN is not
	for h := step; !below(lo); h *= 2 {
		lo -= h
	}
	if lo == start {
		for hi += step; below(hi); hi += step {
			lo = hi
			step *= 2
		}
	}
	s := lo + (hi-lo)/2
	for range 200 {
		v, slope := f(s)
		switch {
		case v == 0:
			return s
		case v < 0:
			lo = s
		default:
			hi = s
		}
		next := s - v/slope
		if !(next > lo && next < hi) {
			next = lo + (hi-lo)/2
		}
		if math.Abs(next-s) <= 2*eps*math.Abs(s) || next == lo || next == hi {
			return next
		}
		s = next
	}
	return s
}
