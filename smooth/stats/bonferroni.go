package stats

import (
	"errors"
	"fmt"
	"math"
)

// TwoBounds bounds the probabilities of the certified class and of every other
// class at once.
type TwoBounds struct {
	// PLower is a lower bound on p_A, the probability of the certified class.
	PLower float64
	// PUpper is an upper bound on the probability of each other class. It never
	// exceeds 1 − PLower.
	PUpper float64
}

// Bonferroni bounds p_A from below and p_B, the largest probability of any
// other class, from above, jointly with confidence 1 − alpha, for radii of the
// form R(p_A, p_B). counts holds one count for each of the K classes, class is
// the certified one (chosen on other samples), invalid counts the samples
// without a vote.
//
// Each of the K bounds (one lower, K−1 upper) has error probability alpha/K, so
// that all hold together whatever class turns out to be the runner-up; p_B is
// their maximum. Testing only the runner-up seen in these very counts at
// alpha/2 would not be valid. An invalid sample counts against the certified
// class, and as a vote for each of the others.
//
// Errors: fewer than two classes, class out of range, a negative count, no
// samples, alpha outside (0, 1).
//
// Source: Bonferroni's inequality, for K bounds of Clopper and Pearson (1934).
func Bonferroni(counts []int64, class int, invalid int64, alpha float64) (TwoBounds, error) {
	fail := func(err error) (TwoBounds, error) {
		return TwoBounds{}, fmt.Errorf("two-sided bounds: %w", err)
	}
	switch {
	case len(counts) < 2:
		return fail(fmt.Errorf("%d classes, need at least two", len(counts)))
	case class < 0 || class >= len(counts):
		return fail(fmt.Errorf("class %d is outside 0 … %d", class, len(counts)-1))
	case invalid < 0:
		return fail(errors.New("negative number of invalid samples"))
	case !(alpha > 0 && alpha < 1):
		return fail(fmt.Errorf("error probability alpha %v is not strictly between 0 and 1", alpha))
	}
	n, other := invalid, int64(0)
	for c, k := range counts {
		if k < 0 || k > maxTrials {
			return fail(fmt.Errorf("count %d of class %d is outside 0 … %d", k, c, maxTrials))
		}
		n += k
		if c != class {
			other = max(other, k)
		}
	}
	each := alpha / float64(len(counts))
	each -= each * eps // the division rounds to nearest
	lower, err := ClopperPearsonLower(counts[class], n, each)
	if err != nil {
		return fail(err)
	}
	// The bound grows with the count, so the largest count has the largest.
	upper, err := ClopperPearsonUpper(min(other+invalid, n), n, each)
	if err != nil {
		return fail(err)
	}
	// p_B ≤ 1 − p_A holds for sure, and costs no probability.
	upper = math.Min(upper, math.Nextafter(1-lower, 2))
	return TwoBounds{PLower: lower, PUpper: math.Min(upper, 1)}, nil
}

// PerCertificate returns the error probability each of count certificates may
// have so that all of them hold together with probability 1 − alpha:
// alpha/count, rounded down. Errors: count below 1, alpha outside (0, 1).
//
// Source: Bonferroni's inequality.
func PerCertificate(alpha float64, count int64) (float64, error) {
	if count < 1 {
		return math.NaN(), fmt.Errorf("number of certificates %d is below 1", count)
	}
	if !(alpha > 0 && alpha < 1) {
		return math.NaN(), fmt.Errorf("error probability alpha %v is not strictly between 0 and 1", alpha)
	}
	if count == 1 {
		return alpha, nil
	}
	return math.Nextafter(alpha/float64(count), 0), nil
}
