package stats

import (
	"fmt"
	"math"
)

// maxTrials is the largest number of trials accepted: counts up to 2⁵³ are
// exact in float64, and far fewer keep the tail sums short.
const maxTrials = int64(1) << 40

// logPMF returns ln P[Bin(n, p) = k] for 0 < p < 1 and 0 ≤ k ≤ n, and a bound
// on its absolute error. q is 1 − p as the caller knows it best.
//
// Source: Loader (2000): the saddle-point form
// ln pmf = δ(n) − δ(k) − δ(n−k) − D(k, np) − D(n−k, nq) − ½ ln(2π k(n−k)/n),
// whose terms have one sign at the scale of the answer. A relative error ε of
// the float64 product np moves D(k, np) by |k − np| ε only, which is what the
// bound accounts for.
func logPMF(k, n int64, p, q float64) (value, bound float64) {
	switch k {
	case 0:
		value = float64(n) * log1m(p, q)
		return value, eps * (2 + 2*math.Abs(value))
	case n:
		value = float64(n) * log1m(q, p)
		return value, eps * (2 + 2*math.Abs(value))
	}
	x, y, t := float64(k), float64(n-k), float64(n)
	dx, ex := deviance(x, t*p)
	dy, ey := deviance(y, t*q)
	d := dx + dy
	value = stirlingError(n) - stirlingError(k) - stirlingError(n-k) - d - halfLog2Pi - 0.5*math.Log(x*(y/t))
	bound = ex + ey + eps*(8+2*math.Abs(x-t*p)+d+math.Abs(value))
	return value, bound
}

// log1m is ln(1 − p), given also q = 1 − p, using whichever is accurate.
func log1m(p, q float64) float64 {
	if p < 0.5 {
		return math.Log1p(-p)
	}
	return math.Log(q)
}

// outerTail returns ln P[Bin(n, p) ≥ k] for k at or above the mode, where the
// terms fall off, and a bound on its absolute error. The sum is taken outward
// from k by the ratio of neighbouring terms; all terms are positive.
func outerTail(k, n int64, p, q float64) (value, bound float64) {
	head, bound := logPMF(k, n, p, q)
	odds := p / q
	sum, term := 1.0, 1.0
	weighted := 0.0 // Σ j·term_j bounds the error that the ratios gather
	for i, j := k, 1.0; i < n; i, j = i+1, j+1 {
		ratio := float64(n-i) / float64(i+1) * odds
		term *= ratio
		sum += term
		weighted += j * term
		// The rest is below term·ratio/(1−ratio): the ratios fall.
		if ratio < 1 && term*ratio < 0.25*eps*sum*(1-ratio) {
			break
		}
	}
	return head + math.Log(sum), bound + eps*(4+5*weighted/sum)
}

// tail holds ln P and ln(1−P) of one side with error bounds; p in [0, 1].
type tail struct {
	log   float64 // natural logarithm of the probability
	bound float64 // bound on the absolute error of log
}

// atLeast is P[Bin(n, p) ≥ k] with q = 1 − p, 0 < p < 1.
func atLeast(k, n int64, p, q float64) tail {
	switch {
	case k <= 0:
		return tail{}
	case k > n:
		return tail{log: math.Inf(-1)}
	}
	// k ≥ mode ⌊(n+1)p⌋: the terms fall from k upward.
	if float64(k) >= (float64(n)+1)*p {
		v, b := outerTail(k, n, p, q)
		return tail{log: math.Min(v, 0), bound: b}
	}
	// Otherwise P[X ≤ k−1] = P[Bin(n, q) ≥ n−k+1] is the falling side. It is
	// at most about one half plus one term, so the complement is benign
	// except when almost all mass lies below, which the bound reflects.
	v, b := outerTail(n-k+1, n, q, p)
	return complement(math.Min(v, 0), b)
}

// complement turns ln P into ln(1 − P).
func complement(logP, bound float64) tail {
	value := math.Log1p(-math.Exp(logP))
	if logP > -math.Ln2 {
		value = math.Log(-math.Expm1(logP))
	}
	// d ln(1−P) / d ln P = −P/(1−P)
	scale := math.Exp(logP - value)
	return tail{log: value, bound: bound*scale + 2*eps*(1+math.Abs(value))}
}

func checkCounts(k, n int64) error {
	switch {
	case n < 1 || n > maxTrials:
		return fmt.Errorf("number of trials %d is outside 1 … %d", n, maxTrials)
	case k < 0 || k > n:
		return fmt.Errorf("number of successes %d is outside 0 … %d", k, n)
	}
	return nil
}

func checkProbability(p float64) error {
	if !(p >= 0 && p <= 1) {
		return fmt.Errorf("probability %v is outside 0 … 1", p)
	}
	return nil
}

// BinomialSurvival returns P[Bin(n, p) ≥ k], including k itself, accurate in
// relative terms (better than 1e-10, typically 1e-14) down to 1e-300. k below
// 0 gives 1, above n gives 0. Errors: n outside 1 … 2⁴⁰, p outside [0, 1].
func BinomialSurvival(k, n int64, p float64) (float64, error) {
	l, err := LogBinomialSurvival(k, n, p)
	return math.Exp(l), err
}

// LogBinomialSurvival is the natural logarithm of [BinomialSurvival]; it does
// not underflow.
func LogBinomialSurvival(k, n int64, p float64) (float64, error) {
	if err := checkCounts(0, n); err != nil {
		return math.NaN(), err
	}
	if err := checkProbability(p); err != nil {
		return math.NaN(), err
	}
	switch {
	case k <= 0 || (p == 1 && k <= n):
		return 0, nil
	case k > n || p == 0:
		return math.Inf(-1), nil
	}
	return atLeast(k, n, p, 1-p).log, nil
}

// BinomialCDF returns P[Bin(n, p) ≤ k], accurate in relative terms in the
// lower tail (better than 1e-10, typically 1e-14). It is the test of a claim
// "p_A ≥ p" against k fresh successes in n. k below 0 gives 0, above n gives
// 1. Errors: n outside 1 … 2⁴⁰, p outside [0, 1].
func BinomialCDF(k, n int64, p float64) (float64, error) {
	l, err := LogBinomialCDF(k, n, p)
	return math.Exp(l), err
}

// LogBinomialCDF is the natural logarithm of [BinomialCDF]; it does not
// underflow.
func LogBinomialCDF(k, n int64, p float64) (float64, error) {
	if err := checkCounts(0, n); err != nil {
		return math.NaN(), err
	}
	if err := checkProbability(p); err != nil {
		return math.NaN(), err
	}
	switch {
	case k >= n || (p == 0 && k >= 0):
		return 0, nil
	case k < 0 || p == 1:
		return math.Inf(-1), nil
	}
	// P[X ≤ k] = P[Bin(n, q) ≥ n−k].
	return atLeast(n-k, n, 1-p, p).log, nil
}

// LogBinomialPMF returns ln P[Bin(n, p) = k] for 0 < p < 1 and 0 ≤ k ≤ n;
// errors outside.
func LogBinomialPMF(k, n int64, p float64) (float64, error) {
	if err := checkCounts(k, n); err != nil {
		return math.NaN(), err
	}
	if !(p > 0 && p < 1) {
		return math.NaN(), fmt.Errorf("probability %v is not strictly between 0 and 1", p)
	}
	v, _ := logPMF(k, n, p, 1-p)
	return v, nil
}

// BinomialTest returns the two-sided exact p-value of H₀: p = 1/2 for k1
// against k2 successes, min(1, 2 P[Bin(k1+k2, 1/2) ≥ max(k1, k2)]), and 1 for
// a tie or when there are no samples at all. PREDICT returns the leading class
// when the p-value is at most α. For negative counts the value is 1.
//
// Source: Cohen, Rosenfeld, Kolter 2019, Proposition 1, after Hung and Fithian
// 2019.
func BinomialTest(k1, k2 int64) float64 {
	return math.Exp(LogBinomialTest(k1, k2))
}

// LogBinomialTest is the natural logarithm of [BinomialTest]; it does not
// underflow.
func LogBinomialTest(k1, k2 int64) float64 {
	if k1 < 0 || k2 < 0 || k1-k2 <= 1 && k2-k1 <= 1 || k1 > maxTrials/2 || k2 > maxTrials/2 {
		return 0
	}
	t := atLeast(max(k1, k2), k1+k2, 0.5, 0.5)
	return math.Min(0, math.Ln2+t.log)
}
