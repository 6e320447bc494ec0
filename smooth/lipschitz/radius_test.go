package lipschitz

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"ucan/smooth/family"
	"ucan/smooth/stats"
)

// TestRadiusBelowReference compares with radii by other formulas, of mpmath.
func TestRadiusBelowReference(t *testing.T) {
	type row struct {
		D       int
		Rate, P float64
		Radius  string
	}
	for _, r := range rows[row](t, "radii.jsonl") {
		want := number(t, r.Radius)
		got, err := Theorem{Rate: r.Rate}.Radius(family.L2, r.D, r.P)
		if err != nil || got > want || got < want*(1-1e-6) {
			t.Errorf("d %d, rate %v, p %v: %v, want just below %v (%v)", r.D, r.Rate, r.P, got, want, err)
		}
		quantised, err := Quantised(r.D, r.Rate).Radius(family.L2, r.D, r.P)
		if err != nil || quantised > got || quantised < 0.95*got {
			t.Errorf("d %d, rate %v, p %v: %v with rounded scales, %v without (%v)", r.D, r.Rate, r.P, quantised, got, err)
		}
	}
}

// TestRadiusOfPeers has the figures of an earlier study, at σ = ½ in units of the input.
func TestRadiusOfPeers(t *testing.T) {
	for rate, want := range map[float64]float64{0: 1.55, 0.01: 1.44, 0.02: 1.21, 0.05: 0.70, 0.1: 0.38} {
		got, err := Quantised(3072, rate*0.5).Radius(family.L2, 3072, 0.999)
		if err != nil || math.Abs(got*0.5-want) > 0.006 {
			t.Errorf("rate %v: %v, want %v (%v)", rate, got*0.5, want, err)
		}
	}
}

func TestRadiusOfConstantNoise(t *testing.T) {
	for _, d := range []int{1, 30, 3072} {
		for _, p := range []float64{0.51, 0.9, 0.999, 1 - 1e-9} {
			got, err := Theorem{}.Radius(family.L2, d, p)
			want := stats.NormalQuantile(p)
			if err != nil || got > want || got < 0.99*want {
				t.Errorf("d %d, p %v: %v, want just below %v (%v)", d, p, got, want, err)
			}
		}
	}
}

func TestRadiusFallsWithRateAndGrowsWithP(t *testing.T) {
	last := math.Inf(1)
	for _, rate := range []float64{0, 1e-6, 1e-3, 0.01, 0.1, 1, 10} {
		got, err := Quantised(784, rate).Radius(family.L2, 784, 0.99)
		if err != nil || got > last*(1+1e-7) || got < 0 {
			t.Errorf("rate %v: %v after %v (%v)", rate, got, last, err)
		}
		last = got
		below := 0.0
		for _, p := range []float64{0, 0.5, 0.500001, 0.6, 0.9, 0.999, 1} {
			r, err := Quantised(784, rate).Radius(family.L2, 784, p)
			if err != nil || r < below*(1-1e-7) {
				t.Errorf("rate %v, p %v: %v after %v (%v)", rate, p, r, below, err)
			}
			below = r
		}
	}
}

// TestEndpointsAreTheWorst scans scales and distances inside the interval, which the proof leaves
// out.
func TestEndpointsAreTheWorst(t *testing.T) {
	const d, p = 50, 0.99
	for _, rate := range []float64{0.01, 0.08, 0.3} {
		radius, err := Theorem{Rate: rate}.Radius(family.L2, d, p)
		if err != nil {
			t.Fatal(err)
		}
		for i := 1; i <= 20; i++ {
			b := radius * float64(i) / 20
			for k := -10; k <= 10; k++ {
				kappa := math.Exp(rate * b * float64(k) / 10)
				if left := worst(t, d, b, kappa, p); left < 0.5 {
					t.Errorf("rate %v: at %v of the radius and scale %v the class keeps %v", rate, b/radius, kappa, left)
				}
			}
		}
	}
}

// worst is β(κ, b; p) by the formulas with the quantile under the noise at the input.
func worst(t *testing.T, d int, b, kappa, p float64) float64 {
	t.Helper()
	if kappa == 1 {
		return stats.NormalCDF(stats.NormalQuantile(p) - b)
	}
	big := kappa*kappa - 1
	l0, l1 := b*b/(big*big), kappa*kappa*b*b/(big*big)
	q := p
	if kappa < 1 {
		q = 1 - p
	}
	x, err := estimate(d, l0, q)
	if err != nil {
		t.Fatal(err)
	}
	cdf, survival, err := NoncentralChiSquare(d, l1, x/(kappa*kappa))
	if err != nil {
		t.Fatal(err)
	}
	if kappa < 1 {
		return survival.Lower
	}
	return cdf.Lower
}

// TestTightByMonteCarlo draws the worst classifier's samples: at the radius the class still has
// its half, 1 % beyond it does not, for growing and for shrinking scales.
func TestTightByMonteCarlo(t *testing.T) {
	const d, p, rate, n = 16, 0.99, 0.08, 400_000
	radius, err := Theorem{Rate: rate}.Radius(family.L2, d, p)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(18, 4))
	// share is how often the class is given at distance b, by the classifier that is the worst
	// there.
	share := func(b, kappa float64) float64 {
		big := kappa*kappa - 1
		centre, q := -b/big, p // of the ball, along the axis of the shift
		if kappa < 1 {
			q = 1 - p
		}
		size, err := estimate(d, centre*centre, q)
		if err != nil {
			t.Fatal(err)
		}
		hits := 0
		for range n {
			first := b + kappa*rng.NormFloat64() - centre
			sum := first * first
			for range d - 1 {
				z := kappa * rng.NormFloat64()
				sum += z * z
			}
			if (sum <= size) == (kappa > 1) {
				hits++
			}
		}
		return float64(hits) / n
	}
	const sd = 0.5 / 632 // of a share, √n = 632
	broken := 0
	for _, sign := range []float64{-1, 1} {
		if at := share(radius, math.Exp(sign*rate*radius)); at < 0.5-5*sd {
			t.Errorf("sign %v: %v at the radius", sign, at)
		}
		if share(1.01*radius, math.Exp(sign*rate*1.01*radius)) < 0.5-5*sd {
			broken++
		}
	}
	if broken == 0 {
		t.Error("no classifier breaks a radius that is enlarged by 1 %")
	}
}

func TestRefuses(t *testing.T) {
	if _, err := (Theorem{}).Radius(family.L1, 3, 0.9); !errors.Is(err, family.ErrNoTheorem) {
		t.Errorf("ℓ1: %v", err)
	}
	for _, bad := range []Theorem{{Rate: -1}, {Rate: math.NaN()}, {Rate: math.Inf(1)}, {Extra: -1}, {Extra: 2}, {Loss: 0.5}, {Loss: math.NaN()}} {
		if _, err := bad.Radius(family.L2, 3, 0.9); !errors.Is(err, ErrDomain) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	for _, p := range []float64{-0.1, 1.1, math.NaN()} {
		if _, err := (Theorem{}).Radius(family.L2, 3, p); !errors.Is(err, ErrDomain) {
			t.Errorf("p %v: %v", p, err)
		}
	}
	if _, err := (Theorem{}).Radius(family.L2, 0, 0.9); !errors.Is(err, ErrDomain) {
		t.Errorf("dimension 0: %v", err)
	}
	if _, err := (Theorem{}).Tail(3, math.NaN()); !errors.Is(err, ErrDomain) {
		t.Errorf("distance NaN: %v", err)
	}
}

func TestLevelOfARadius(t *testing.T) {
	theorem := Quantised(784, 0.02)
	for _, radius := range []float64{0.25, 1, 1.7} {
		p, err := family.LevelProbability(theorem, family.L2, 784, radius)
		if err != nil {
			t.Fatal(err)
		}
		got, err := theorem.Radius(family.L2, 784, p)
		if err != nil || got < radius || got > radius*(1+1e-5) {
			t.Errorf("radius %v: level %v certifies %v (%v)", radius, p, got, err)
		}
	}
}
