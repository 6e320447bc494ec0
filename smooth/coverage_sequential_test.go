package smooth_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth"
	"ucan/smooth/sequential"
)

// TestCoverageOfSequentialModes puts p_A exactly on a level p_j of the grid, with
// real Gaussian noise and a half-space: claiming that level is the false claim
// that the boundaries allow with probability α, over all looks and levels.
func TestCoverageOfSequentialModes(t *testing.T) {
	subtest.Long(t)
	skipUnderRace(t)
	lines := []string{fmt.Sprintf("| gaussian l2, p_A = Φ(1) on a grid level, α = %v, cap 2000, %d certificates | false | rate | mean n |", coverageAlpha, *coverageN), "|-|-|-|-|"}
	for i, tt := range []struct {
		name    string
		profile sequential.Profile
		n0      int64
		aware   bool
	}{
		{"strict", sequential.Strict(), 20, false},
		{"default", sequential.Default(), 20, false},
		{"fast", sequential.Fast(), 20, false},
		{"default, no selection", sequential.Default(), 0, false},
		{"default, label-aware", sequential.Default(), 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			falses, _, mean := climb(t, tt.profile.WithCap(2000), tt.n0, tt.aware, 1, uint64(i))
			if tooMany(t, falses, *coverageN, coverageAlpha) {
				t.Errorf("%d of %d certificates claim a level that p_A does not exceed, at alpha %v", falses, *coverageN, coverageAlpha)
			}
			rate := float64(falses) / float64(*coverageN)
			if rate < 0.01 {
				t.Errorf("rate %v on the level: the boundaries spend far less than alpha %v", rate, coverageAlpha)
			}
			lines = append(lines, fmt.Sprintf("| %s | %d | %.4f | %.0f |", tt.name, falses, rate, mean))
		})
	}
	// The mutation: the boundary is 1 % farther than the level's radius. An honest
	// certificate of that level is true; one whose radius is 1 % too large reaches
	// the boundary, far more often than α allows.
	t.Run("R × 1.01", func(t *testing.T) {
		falses, mutated, _ := climb(t, sequential.Default().WithCap(10_000), 20, false, 1.01, 99)
		if tooMany(t, falses, *coverageN, coverageAlpha) {
			t.Errorf("%d of %d honest certificates are false", falses, *coverageN)
		}
		if !tooMany(t, mutated, *coverageN, coverageAlpha) {
			t.Errorf("with radii 1 %% too large %d of %d are false, and the check does not notice", mutated, *coverageN)
		}
		lines = append(lines, fmt.Sprintf("| default, cap 10,000, p_A = Φ(1.01), R × 1.01 | %d | %.4f | |", mutated, float64(mutated)/float64(*coverageN)))
	})
	report(t, lines)
}

// climb certifies inputs at distance λ·at of a half-space, on the grid of λ times
// 0, ½, 1, 1½ and 2. It counts certificates that reach the distance, those that
// would if radii were 1 % larger, and the mean number of samples.
func climb(t *testing.T, p sequential.Profile, n0 int64, aware bool, at float64, seed uint64) (falses, mutated int, mean float64) {
	t.Helper()
	const lambda = 0.5
	noise := gaussian(t, 1, lambda, nil, nil)
	grid, err := noise.NewGrid([]float64{0, .5 * lambda, lambda, 1.5 * lambda, 2 * lambda})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := noise.NewAdaptive(smooth.AdaptiveN{N0: n0, Alpha: coverageAlpha, Profile: p, Grid: grid, LabelAware: aware}, sequential.NewTables())
	if err != nil {
		t.Fatal(err)
	}
	truth := lambda * at
	x := []float32{0}
	rng := rand.New(rand.NewPCG(7, seed))
	for range *coverageN {
		s := newSmoother(t, 1, 2, rng.Uint64(), smooth.ClassifierFunc(1, 100, func(z []float32) int32 {
			if float64(z[0]) > -truth {
				return 1
			}
			return 0
		}))
		c, err := s.CertifyAdaptive(t.Context(), x, smooth.InputID(x), plan, 1)
		if err != nil {
			t.Fatal(err)
		}
		mean += float64(c.Estimation.N) / float64(*coverageN)
		if c.Abstained {
			continue
		}
		// The level stands on the truth within rounding.
		if c.Radius >= truth*(1-1e-9) {
			falses++
		}
		if 1.01*c.Radius >= truth*(1-1e-9) {
			mutated++
		}
	}
	return falses, mutated, mean
}
