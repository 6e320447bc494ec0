package stats

// Interval is a two-sided confidence interval for a probability.
type Interval struct {
	Low, High float64
}

// ExactInterval returns the Clopper–Pearson interval of a mean accuracy: k
// correct of n inputs, error probability alpha/2 on each side, rounded outward.
// Its coverage is at least 1 − alpha for every true accuracy.
//
// Source: Clopper and Pearson (1934).
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
