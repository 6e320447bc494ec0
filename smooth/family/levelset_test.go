package family

import (
	"math"
	"testing"
)

// In the plane the cap's measure is an arc, with square-root kinks that quadratures
// stumble over. For the density e^(−‖x‖) the law of the level-set method is summed
// here over a plain grid of radii instead.
func TestLevelSetInThePlane(t *testing.T) {
	const points = 40_000
	lo, hi := math.Log(1e-7), math.Log(60)
	step := (hi - lo) / points
	excess := func(tau, e float64) float64 {
		var sum float64
		for i := range points {
			r := math.Exp(lo + (float64(i)+0.5)*step)
			gap := -r * r
			if r+tau > 0 {
				gap = tau * (2*r + tau) // s = r + τ
			}
			z := min(1, max(-1, (e*e-gap)/(2*r*e)))
			sum += r * r * math.Exp(-r) * math.Asin(z) / math.Pi
		}
		return sum * step
	}
	f, err := NewExp2(1, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []float64{0.75, 0.9987} {
		e, err := f.Radius(L2, 2, p)
		if err != nil {
			t.Fatal(err)
		}
		lo, hi := 0.0, 2*e*e
		for range 40 {
			if m := (lo + hi) / 2; excess(m, e) > 0 {
				lo = m
			} else {
				hi = m
			}
		}
		if got := 0.5 + excess(-lo, e); math.Abs(got-p) > 2e-7 {
			t.Errorf("radius %v of %v belongs to %v", e, p, got)
		}
	}
}

// The level-set radius of Gaussian noise is the Gaussian's, by the general method.
func TestLevelSetOfTheGaussian(t *testing.T) {
	f, err := NewExp2(2, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, dim := range []int{5, 100, 3072} {
		for _, p := range []float64{0.501, 0.9, 0.99999, 1 - 1e-12} {
			want, err := f.Radius(L2, dim, p) // closed form
			if err != nil {
				t.Fatal(err)
			}
			got := f.sets.radius(dim, p, func() radial { return f.radial(dim, float64(dim)/2) })
			if got > want || got < want*(1-2e-9) {
				t.Errorf("d=%d p=%v: level set %v, closed form %v", dim, p, got, want)
			}
		}
	}
}
