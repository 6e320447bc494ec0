package smooth_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth"
	"ucan/smooth/family"
	"ucan/smooth/lipschitz"
)

// following returns noise whose scale follows the input at a rate in units of the distance ‖δ⊘s‖.
func following(t *testing.T, d int, lambda, rate float64) *smooth.SealedNoise {
	t.Helper()
	n, err := smooth.Noise{Family: family.Gaussian{}, Norm: family.L2, Lambda: lambda, Rate: rate}.Seal(d)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// ballShare is P[‖centre + scale·Z‖ ≤ size] in d dimensions.
func ballShare(t *testing.T, d int, centre, scale, size float64) float64 {
	t.Helper()
	cdf, _, err := lipschitz.NoncentralChiSquare(d, centre*centre/(scale*scale), size*size/(scale*scale))
	if err != nil {
		t.Fatal(err)
	}
	return (cdf.Lower + cdf.Upper) / 2
}

// worstBall is the classifier for which the radius of noise that follows the input is exact: a
// ball around centre on the first axis, or its outside, for a service whose scale grows, or
// shrinks, as fast as the rate allows in the direction of that axis.
type worstBall struct {
	inside       bool
	centre, size float64 // in units of λ
	p, truth     float64 // p_A and the distance where the class loses its half
}

// newWorstBall makes the classifier for d dimensions, a rate in units of λ and the p_A of the
// radius truth.
func newWorstBall(t *testing.T, d int, rate, truth float64, grows bool) worstBall {
	t.Helper()
	kappa := math.Exp(-rate * truth)
	if grows {
		kappa = 1 / kappa
	}
	w := worstBall{inside: grows, centre: -truth / (kappa*kappa - 1), truth: truth}
	// Half of the noise at the distance truth lies in the ball.
	q, err := lipschitz.NoncentralChiSquareQuantile(d, square((truth-w.centre)/kappa), 0.5)
	if err != nil {
		t.Fatal(err)
	}
	w.size = kappa * math.Sqrt(q.Lower)
	w.p = ballShare(t, d, w.centre, 1, w.size)
	if !w.inside {
		w.p = 1 - w.p
	}
	return w
}

func (w worstBall) decide(lambda float64) func(z []float32) int32 {
	return func(z []float32) int32 {
		sum := 0.0
		for i, v := range z {
			y := float64(v) / lambda
			if i == 0 {
				y -= w.centre
			}
			sum += y * y
		}
		if (sum <= w.size*w.size) == w.inside {
			return 1
		}
		return 0
	}
}

// lipschitzCertificates is how many certificates the coverage tests of this file make of each
// classifier.
const lipschitzCertificates = 5000

// TestCoverageWhereTheScaleFollows certifies the worst classifiers with real noise: growing and
// shrinking scales, d = 2 and 16.
func TestCoverageWhereTheScaleFollows(t *testing.T) {
	subtest.Long(t)
	skipUnderRace(t)
	rng := rand.New(rand.NewPCG(18, 1))
	const lambda, n = 0.25, 60
	falses, total, certified := 0, 0, 0
	for _, d := range []int{2, 16} {
		for _, grows := range []bool{true, false} {
			rate := 0.3 / math.Sqrt(float64(d))
			noise, x := following(t, d, lambda, rate/lambda), make([]float32, d)
			w := newWorstBall(t, d, rate, 1, grows)
			for range lipschitzCertificates / 4 {
				s := newSmoother(t, d, 2, rng.Uint64(), smooth.ClassifierFunc(d, n+10, w.decide(lambda)))
				c, err := s.Certify(t.Context(), x, smooth.InputID(x), noise, smooth.FixedN{N0: 10, N: n, Alpha: coverageAlpha})
				if err != nil {
					t.Fatal(err)
				}
				total++
				if c.Abstained || c.Class != 1 {
					continue
				}
				certified++
				if c.R > w.truth*lambda {
					falses++
				}
			}
		}
	}
	if tooMany(t, falses, total, coverageAlpha) {
		t.Errorf("%d of %d certificates exceed the truth at alpha %v", falses, total, coverageAlpha)
	}
	if certified < total/2 {
		t.Errorf("only %d of %d inputs were certified", certified, total)
	}
	report(t, []string{
		fmt.Sprintf("| scale that follows the input; worst classifiers in d = 2, 16, α = %v | certificates | certified | false | rate |", coverageAlpha), "|-|-|-|-|-|",
		tally{"fixed", total, certified, falses}.line("gaussian, l2"),
	})
}

// TestCoverageIsTightWhereTheScaleFollows draws k ~ Binomial(10⁴, p_A) where theorem and truth
// meet: about one certificate in twenty must be false, and a radius that is 1 % too large must be
// caught.
func TestCoverageIsTightWhereTheScaleFollows(t *testing.T) {
	skipUnderRace(t)
	const n, lambda, rate = 10_000, 0.5, 0.05
	for _, d := range []int{16, 784} {
		noise := following(t, d, lambda, rate/lambda)
		radii := map[int64]float64{}
		for _, grows := range []bool{true, false} {
			w := newWorstBall(t, d, rate, 1, grows)
			// The scale that does not bind has more room: only the other one is exact.
			other := newWorstBall(t, d, rate, 1, !grows)
			if w.p < other.p {
				continue
			}
			rng := rand.New(rand.NewPCG(18, uint64(d)))
			draw := binomial(t, n, w.p)
			falses, caught := 0, 0
			for range lipschitzCertificates {
				k := draw(rng)
				if _, ok := radii[k]; !ok {
					c, err := noise.Conclude(smooth.Counts{PerClass: []int64{0, 1}, N: 1}, smooth.Counts{PerClass: []int64{n - k, k}, N: n}, coverageAlpha, smooth.OneBound)
					if err != nil {
						t.Fatal(err)
					}
					radii[k] = c.R
				}
				if radii[k] > w.truth*lambda {
					falses++
				}
				if 1.01*radii[k] > w.truth*lambda {
					caught++
				}
			}
			if tooMany(t, falses, lipschitzCertificates, coverageAlpha) {
				t.Errorf("d %d: %d of %d certificates exceed the truth", d, falses, lipschitzCertificates)
			}
			if falses < lipschitzCertificates/40 {
				t.Errorf("d %d: only %d of %d certificates exceed the truth: the classifier is not the worst", d, falses, lipschitzCertificates)
			}
			if !tooMany(t, caught, lipschitzCertificates, coverageAlpha) {
				t.Errorf("d %d: radii enlarged by 1 %% exceed the truth %d of %d times, which is not caught", d, caught, lipschitzCertificates)
			}
		}
	}
}

// TestRecomputedScaleFlipsPinnedNotLipschitz has services whose scale jumps, or collapses, close
// to the certified input. Pinned noise claims a radius in which the service that recomputes its
// scale answers otherwise. The same service, certified at the rate of its scale, keeps its answer
// in the radius that it then claims.
func TestRecomputedScaleFlipsPinnedNotLipschitz(t *testing.T) {
	for _, service := range []struct {
		name          string
		d             int
		inside        bool
		size          float64 // the class is given inside (or outside) this ball around the input
		scale, beyond float64 // of the noise at the input, and at the distance delta
		delta         float64
	}{
		{"an interval, the scale jumps", 1, true, 1, 0.3, 3, 0.05},
		{"a ball in d = 16, the scale doubles", 16, true, 1.6, 0.3, 0.6, 0.1},
		{"the outside of a ball in d = 16, the scale halves", 16, false, 0.75, 0.3, 0.15, 0.1},
	} {
		t.Run(service.name, func(t *testing.T) {
			share := func(distance, scale float64) float64 {
				in := ballShare(t, service.d, distance, scale, service.size)
				if !service.inside {
					in = 1 - in
				}
				return in
			}
			p := share(0, service.scale)
			pinned := following(t, service.d, service.scale, 0)
			claimed, err := pinned.TheoremRadius(p)
			if err != nil {
				t.Fatal(err)
			}
			if claimed <= service.delta || share(service.delta, service.beyond) >= 0.5 {
				t.Errorf("no counterexample: the radius %v is claimed, and at %v the class has %v", claimed, service.delta, share(service.delta, service.beyond))
			}
			rate := math.Abs(math.Log(service.beyond/service.scale)) / service.delta
			radius, err := following(t, service.d, service.scale, rate).TheoremRadius(p)
			if err != nil {
				t.Fatal(err)
			}
			if radius <= 0 || radius >= service.delta {
				t.Errorf("radius %v where the answer changes at %v", radius, service.delta)
			}
			for i := 0; i <= 100; i++ {
				at := radius * float64(i) / 100
				for k := -10; k <= 10; k++ {
					if left := share(at, service.scale*math.Exp(rate*at*float64(k)/10)); left <= 0.5 {
						t.Errorf("at %v of the radius %v the class has %v", at/radius, radius, left)
					}
				}
			}
		})
	}
}

func TestFollowingNoiseRefuses(t *testing.T) {
	laplace, err := family.New("laplace", nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]smooth.Noise{
		"family":     {Family: laplace, Norm: family.L1, Lambda: 1, Rate: 0.1},
		"arithmetic": {Family: family.Gaussian{}, Norm: family.L2, Lambda: 1, Rate: 0.1, Arithmetic: smooth.Lattice},
		"negative":   {Family: family.Gaussian{}, Norm: family.L2, Lambda: 1, Rate: -0.1},
		"infinite":   {Family: family.Gaussian{}, Norm: family.L2, Lambda: 1, Rate: math.Inf(1)},
		"NaN":        {Family: family.Gaussian{}, Norm: family.L2, Lambda: 1, Rate: math.NaN()},
	} {
		if _, err := n.Seal(4); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	counts := smooth.Counts{PerClass: []int64{0, 100}, N: 100}
	if _, err := following(t, 4, 1, 0.1).Conclude(counts, counts, 0.05, smooth.TwoBounds); err == nil {
		t.Error("two bounds were taken")
	}
}

func square(x float64) float64 { return x * x }
