package stats

import (
	"fmt"
	"math"
)

func checkBound(k, n int64, alpha float64) error {
	if err := checkCounts(k, n); err != nil {
		return err
	}
	if !(alpha > 0 && alpha < 1) {
		return fmt.Errorf("error probability alpha %v is not strictly between 0 and 1", alpha)
	}
	return nil
}

// ClopperPearsonLower returns the one-sided lower confidence bound on p after
// k successes in n independent trials: P[bound ≤ p] ≥ 1 − alpha for every p.
// It solves P[Bin(n, p) ≥ k] = alpha, is 0 for k = 0, and is rounded down: the
// computed tail at the returned value, with its error bound added, does not
// exceed alpha, so the value is never above the exact one. The relative slack
// is below 1e-12.
//
// n is 1 … 2⁴⁰, k is 0 … n, alpha strictly between 0 and 1; errors outside.
//
// Source: Clopper and Pearson, Biometrika 26 (1934), 404–413.
func ClopperPearsonLower(k, n int64, alpha float64) (float64, error) {
	if err := checkBound(k, n, alpha); err != nil {
		return math.NaN(), fmt.Errorf("clopper-pearson lower bound: %w", err)
	}
	if k == 0 {
		return 0, nil
	}
	target := math.Log(alpha)
	accept := func(p float64) bool {
		t := atLeast(k, n, p, 1-p)
		return t.log+t.bound <= target-2*eps*(1+math.Abs(target))
	}
	// Step down from the root until the tail is at most alpha with certainty.
	root := tailRoot(k, n, alpha)
	p := math.Min(root.p, math.Nextafter(1, 0))
	for step := leastStep(p); p > 0 && !accept(p); step *= 2 {
		p -= step
	}
	return math.Max(p, 0), nil
}

// ClopperPearsonUpper returns the one-sided upper confidence bound on p after
// k successes in n trials: P[bound ≥ p] ≥ 1 − alpha for every p. It solves
// P[Bin(n, p) ≤ k] = alpha, is 1 for k = n, and is rounded up in the sense of
// [ClopperPearsonLower]. The relative slack is below 1e-12.
//
// Source: Clopper and Pearson (1934), as for the lower bound.
func ClopperPearsonUpper(k, n int64, alpha float64) (float64, error) {
	if err := checkBound(k, n, alpha); err != nil {
		return math.NaN(), fmt.Errorf("clopper-pearson upper bound: %w", err)
	}
	if k == n {
		return 1, nil
	}
	target := math.Log(alpha)
	accept := func(p float64) bool {
		// P[Bin(n, p) ≤ k] = P[Bin(n, 1−p) ≥ n−k].
		t := atLeast(n-k, n, 1-p, p)
		return t.log+t.bound <= target-2*eps*(1+math.Abs(target))
	}
	p := tailRoot(n-k, n, alpha).q
	for step := leastStep(p); p < 1 && !accept(p); step *= 2 {
		p += step
	}
	return math.Min(p, 1), nil
}

// leastStep is half an ulp of p, and something even where p is so small that this is 0.
func leastStep(p float64) float64 { return math.Max(p*eps/2, math.SmallestNonzeroFloat64) }

// odds is a probability kept as a pair, so that neither side loses digits.
type odds struct{ p, q float64 }

func fromLogit(t float64) odds {
	if t > 0 {
		e := math.Exp(-t)
		return odds{1 / (1 + e), e / (1 + e)}
	}
	e := math.Exp(t)
	return odds{e / (1 + e), 1 / (1 + e)}
}

// tailRoot solves P[Bin(n, p) ≥ k] = alpha for 1 ≤ k ≤ n to about the last
// digit, not one-sided.
//
// ln P is increasing and concave in t = logit p (its second derivative is the
// variance of X given X ≥ k less the variance of X), so Newton's iteration in
// t approaches the root from below without overshooting; a bracket guards the
// first step and rounding.
func tailRoot(k, n int64, alpha float64) odds {
	if k == n { // pⁿ = alpha
		l := math.Log(alpha) / float64(n)
		return odds{math.Exp(l), -math.Expm1(l)}
	}
	// Start below: the bound of Wilson's form, a little widened.
	z := -NormalQuantile(alpha)
	x, t := float64(k)-0.5, float64(n)
	m := z * z
	centre := (x + m/2) / (t + m)
	half := z * math.Sqrt(t) / (t + m) * math.Sqrt(math.Max(x/t*(1-x/t)+m/(4*t), 0))
	start := math.Min(math.Max(centre-half, 1e-3/(t+1)*math.Min(1, alpha*1e3)), 1-0.5/(t+1))
	logit := math.Log(start) - math.Log1p(-start)
	lo, hi := math.Inf(-1), math.Inf(1)
	target := math.Log(alpha)
	for range 200 {
		w := fromLogit(logit)
		if w.p == 0 || w.q == 0 {
			return w
		}
		f := atLeast(k, n, w.p, w.q).log
		if f < target {
			lo = math.Max(lo, logit)
		} else {
			hi = math.Min(hi, logit)
		}
		// d ln P / dt = k q pmf(k) / P
		head, _ := logPMF(k, n, w.p, w.q)
		slope := float64(k) * w.q * math.Exp(head-f)
		next := logit + (target-f)/slope
		// Newton's error is squared at each step, so this one is the last.
		if math.Abs(next-logit) <= 1e-9 {
			return fromLogit(next)
		}
		if math.IsNaN(next) || next <= lo || next >= hi {
			switch {
			case math.IsInf(lo, -1):
				next = hi - 1
			case math.IsInf(hi, 1):
				next = lo + 1
			default:
				next = lo + (hi-lo)/2
			}
		}
		logit = next
	}
	return fromLogit(logit)
}
