package smooth_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mathext"

	"ucan/smooth"
	"ucan/smooth/family"
	"ucan/smooth/stats"
)

// tight is a classifier for which the theorem is exact: at distance r from the
// boundary in units of λ, its probability is pA(r), derived from the marginal
// distribution and not from the theorem.
type tight struct {
	name   string
	family string
	params map[string]float64
	norm   family.Norm
	r      float64
	pA     func(r float64) float64
}

func tightCases() []tight {
	// P[X ≤ r] of the density ∝ exp(−|x|^p): ½ + ½·P(1/p, r^p).
	expp := func(p float64) func(float64) float64 {
		return func(r float64) float64 { return .5 + .5*mathext.GammaIncReg(1/p, math.Pow(r, p)) }
	}
	laplace := func(r float64) float64 { return 1 - math.Exp(-r)/2 }
	return []tight{
		// Any half-space: w·ε is normal with deviation ‖w‖₂.
		{"gaussian l2, any half-space", "gaussian", nil, family.L2, 1.3, stats.NormalCDF},
		// Half-space along an axis, the marginal distribution of a coordinate.
		{"laplace l1, axis", "laplace", nil, family.L1, 1.6, laplace},
		{"uniform l1, axis", "uniform", nil, family.L1, .8, func(r float64) float64 { return (1 + r) / 2 }},
		{"expp(1) l1, axis", "expp", map[string]float64{"p": 1}, family.L1, 1.6, laplace},
		{"expp(2) l1, axis", "expp", map[string]float64{"p": 2}, family.L1, 1, expp(2)},
		{"expp(3) l1, axis", "expp", map[string]float64{"p": 3}, family.L1, .9, expp(3)},
		// {max(x) + min(x) > −2r}: given ‖ε‖∞ = t ~ Gamma(d), one coordinate is ±t
		// and the others uniform, so |max + min| = 2tB with B ~ Beta(1, d−1), and tB
		// is exponential: P[max + min > −2r] = 1 − e^(−r)/2 in every dimension.
		{"expinf(1) linf, max + min", "expinf", map[string]float64{"k": 1}, family.LInf, 1.6, laplace},
	}
}

// TestCoverageOfTightCases draws k ~ Binomial(10⁴, p_A) where theorem and truth
// meet, at α = .05: about one certificate in twenty must be false, no more, and a
// radius that is 1 % too large must be caught by the very same check.
func TestCoverageOfTightCases(t *testing.T) {
	skipUnderRace(t)
	const n = 10_000
	lines := []string{fmt.Sprintf("| tight case, d = 64, k ~ Bin(10⁴, p_A), α = %v, %d certificates | p_A | false | rate | rate with R × 1.01 |", coverageAlpha, *coverageN), "|-|-|-|-|-|"}
	for i, tt := range tightCases() {
		t.Run(tt.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, uint64(i)))
			const d = 64
			f, err := family.New(tt.family, tt.params)
			if err != nil {
				t.Fatal(err)
			}
			noise := anisotropic(t, rng, f, tt.norm, d)
			truth := noise.Noise().Lambda * tt.r
			pA := tt.pA(tt.r)
			draw := binomial(t, n, pA)
			var falses, mutated int
			for range *coverageN {
				k := draw(rng)
				c, err := noise.Conclude(votes(1, 1), votes(k, n), coverageAlpha, smooth.OneBound)
				if err != nil {
					t.Fatal(err)
				}
				if c.R > truth {
					falses++
				}
				if c.R*1.01 > truth {
					mutated++
				}
			}
			if tooMany(t, falses, *coverageN, coverageAlpha) {
				t.Errorf("%d of %d certificates exceed the truth at alpha %v", falses, *coverageN, coverageAlpha)
			}
			if !tooMany(t, mutated, *coverageN, coverageAlpha) {
				t.Errorf("with radii 1 %% too large %d of %d are false, and the check does not notice", mutated, *coverageN)
			}
			// A tight case wastes nothing: an unattained α would hide a loss of radius.
			if rate := float64(falses) / float64(*coverageN); rate < 0.03 {
				t.Errorf("rate %v of false certificates in a tight case at alpha %v: radii are too small", rate, coverageAlpha)
			}
			total := float64(*coverageN)
			lines = append(lines, fmt.Sprintf("| %s | %.4f | %d | %.4f | %.4f |", tt.name, pA, falses, float64(falses)/total, float64(mutated)/total))
		})
	}
	report(t, lines)
}

// votes puts k of n votes on class 1.
func votes(k, n int64) smooth.Counts { return smooth.Counts{PerClass: []int64{n - k, k}, N: n} }

// binomial returns an exact sampler of Bin(n, p), by inversion of its table.
func binomial(t *testing.T, n int64, p float64) func(*rand.Rand) int64 {
	t.Helper()
	cdf := make([]float64, n+1)
	var sum float64
	for k := range cdf {
		l, err := stats.LogBinomialPMF(int64(k), n, p)
		if err != nil {
			t.Fatal(err)
		}
		sum += math.Exp(l)
		cdf[k] = sum
	}
	return func(rng *rand.Rand) int64 {
		k, _ := slices.BinarySearch(cdf, rng.Float64()*sum)
		return int64(k)
	}
}
