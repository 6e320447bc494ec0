package sequential

import (
	"fmt"
	"math"

	"ucan/smooth/stats"
)

// TwoStage chooses, from a pilot, how many fresh samples a continuous radius
// deserves. The pilot also selects the class. The fresh samples are a fixed
// number by the time they are drawn, so their Clopper–Pearson bound at the whole
// alpha is exact; the pilot's own samples must not be among them. Source: Clopper
// and Pearson (1934), and Cohen, Rosenfeld, Kolter 2019, Proposition 2.
//
// The number is kappa·max(s, 1)^(2/3) with s = √(pq)/φ(z), the spread of
// the estimated radius per root sample in units of sigma. With radii of about
// the same size this spends a given total where it lengthens radii most.
type TwoStage struct {
	// Pilot is the number of pilot samples, m ≥ 1. The default is 200.
	Pilot int64
	// Kappa scales the number of fresh samples, > 0. 3000, 5000 and 8000 gave
	// about 91, 93 and 95 % of the average certified radius of n = 100,000.
	Kappa float64
	// Cap is the largest number of fresh samples, at least 100.
	Cap int64
}

// leastFresh is the smallest number of fresh samples.
const leastFresh = 100

// DefaultTwoStage returns a pilot of 200, kappa 5000 and a cap of 100,000.
func DefaultTwoStage() TwoStage {
	return TwoStage{Pilot: 200, Kappa: 5000, Cap: 100_000}
}

// Size returns the number of fresh samples after a pilot with that many failures
// (samples not of the class the pilot selected). A class that looks below one
// half gets the smallest number. Errors: failures outside 0 … Pilot, settings
// out of range.
func (t TwoStage) Size(failures int64) (int64, error) {
	switch {
	case t.Pilot < 1:
		return 0, fmt.Errorf("two-stage: pilot of %d samples, need at least 1", t.Pilot)
	case !(t.Kappa > 0) || math.IsInf(t.Kappa, 1):
		return 0, fmt.Errorf("two-stage: kappa %v is not positive and finite", t.Kappa)
	case t.Cap < leastFresh:
		return 0, fmt.Errorf("two-stage: cap of %d samples is below %d", t.Cap, leastFresh)
	case failures < 0 || failures > t.Pilot:
		return 0, fmt.Errorf("two-stage: %d failures in a pilot of %d", failures, t.Pilot)
	}
	q := (float64(failures) + 0.5) / float64(t.Pilot+1)
	z := -stats.NormalQuantile(q)
	if z < -0.1 {
		return leastFresh, nil
	}
	density := math.Exp(-z*z/2) / math.Sqrt(2*math.Pi)
	s := math.Sqrt(q*(1-q)) / density
	n := math.Round(t.Kappa * math.Pow(math.Max(s, 1), 2.0/3))
	return int64(math.Min(math.Max(n, leastFresh), float64(t.Cap))), nil
}
