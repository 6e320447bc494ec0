package diagnose

import "math"

// chernoff returns an interval that contains the expectation of the mean of n independent variables
// in [0, 1], which need not have the same law, with probability at least 1 − alpha
// (Chernoff–Hoeffding: for a mean m below or above the expectation p, P ≤ exp(−n·KL(m‖p)), at
// alpha/2 on each side).
func chernoff(mean float64, n int, alpha float64) (low, high float64) {
	limit := math.Log(2/alpha) / float64(n)
	// end bisects between the mean, where KL is 0, and the end of [0, 1]; it returns the outer
	// side.
	end := func(outer float64) float64 {
		inner := mean
		for range 60 {
			mid := (inner + outer) / 2
			if divergence(mean, mid) > limit {
				outer = mid
			} else {
				inner = mid
			}
		}
		return outer
	}
	low, high = 0, 1
	if mean > 0 {
		low = end(0)
	}
	if mean < 1 {
		high = end(1)
	}
	return low, high
}

// divergence is the Kullback–Leibler divergence of two Bernoulli laws.
func divergence(p, q float64) float64 {
	d := 0.0
	if p > 0 {
		d += p * math.Log(p/q)
	}
	if p < 1 {
		d += (1 - p) * math.Log((1-p)/(1-q))
	}
	return d
}
