package stats

import (
	"math"
	"testing"
)

// Error probabilities down to the smallest float64 have bounds, and at once: stepping from
// a bound that is itself subnormal by a relative amount never moved.
func TestTinyAlpha(t *testing.T) {
	for _, alpha := range []float64{5e-324, 1e-320, 1e-300, 1 - 0x1p-53} {
		for _, kn := range [][2]int64{{1, 1}, {1, 2}, {2, 2}, {0, 5}, {900, 1000}, {1_000_000, 1_000_000}} {
			k, n := kn[0], kn[1]
			lower, err := ClopperPearsonLower(k, n, alpha)
			if err != nil || !(lower >= 0 && lower < 1) {
				t.Fatalf("lower bound of %d in %d at %v: %v, %v", k, n, alpha, lower, err)
			}
			if lower > 0 && k > 0 {
				if tail, tailErr := LogBinomialSurvival(k, n, lower); tailErr != nil || tail > math.Log(alpha) {
					t.Errorf("lower bound of %d in %d at %v: tail %v, %v", k, n, alpha, tail, tailErr)
				}
			}
			upper, err := ClopperPearsonUpper(k, n, alpha)
			if err != nil || !(upper > 0 && upper <= 1) {
				t.Errorf("upper bound of %d in %d at %v: %v, %v", k, n, alpha, upper, err)
			}
		}
	}
}
