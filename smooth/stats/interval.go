package stats

import (
	"fmt"
	"math"
)

// Interval is a two-sided confidence interval for a probability.
type Interval struct {
	Low, High float64
}

// ExactInterval returns the Clopper–Pearson interval of a mean accuracy: k
// correct of n inputs, error probability alpha/2 on each side, rounded outward.
// Its coverage is at least 1 − alpha for every true accuracy.
func ExactInterval(k, n int64, alpha float64) (Interval, error) {
	low, err := ClopperPearsonLower(k, n, alpha/2)
	if err != nil {
		return Interval{}, err
	}
	high, err := ClopperPearsonUpper(k, n, alpha/2)
	if err != nil {
		return Interval{}, err
	}
	return Interval{Low: low, High: high}, nil
}

// WilsonInterval returns Wilson's score interval of a mean accuracy at error
// probability alpha, k correct of n inputs. It is approximate: its coverage is
// close to 1 − alpha on average over the true accuracy, not at least 1 − alpha
// for each. It is for plots and tables; certificates use
// [ClopperPearsonLower].
//
// Source: E. B. Wilson, JASA 22 (1927), 209–212.
func WilsonInterval(k, n int64, alpha float64) (Interval, error) {
	if err := checkBound(k, n, alpha); err != nil {
		return Interval{}, fmt.Errorf("wilson interval: %w", err)
	}
	z := -NormalQuantile(alpha / 2)
	t, p := float64(n), float64(k)/float64(n)
	scale := 1 / (1 + z*z/t)
	centre := (p + z*z/(2*t)) * scale
	half := z * scale * math.Sqrt(p*(1-p)/t+z*z/(4*t*t))
	i := Interval{Low: math.Max(0, centre-half), High: math.Min(1, centre+half)}
	// The ends are exactly 0 and 1 there; floating point leaves a crumb.
	if k == 0 {
		i.Low = 0
	}
	if k == n {
		i.High = 1
	}
	return i, nil
}
