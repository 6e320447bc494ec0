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

// Far out the worst set of e^(−√‖x‖) is a ball's neighbourhood that only radii in a
// narrow band meet. Where the band's end fell between the nodes of a quadrature, two
// rules agreed on too little: 1 − p_A came out 8e-7 too small, and the radius too large.
// The value is interpolated between neighbouring radii.
func TestLevelSetSeesSlivers(t *testing.T) {
	f, err := NewExp2(0.5, 0)
	if err != nil {
		t.Fatal(err)
	}
	shape, err := f.shape(5)
	if err != nil {
		t.Fatal(err)
	}
	const e, want = 692.9904323438196, 6.1768815618e-09
	_, q, left := newLevelSet(5, f.radial(5, shape)).probability(e)
	if math.Abs(q/want-1) > 1e-9 || left > 1e-9 {
		t.Errorf("1 − p = %v (rules differ by %.1g), want %v", q, left, want)
	}
}

// Crossings that lie closer together than the samples are found where |z| turns.
func TestKinksBetweenSamples(t *testing.T) {
	f, err := NewExp2(0.5, 0)
	if err != nil {
		t.Fatal(err)
	}
	shape, err := f.shape(5)
	if err != nil {
		t.Fatal(err)
	}
	l := newLevelSet(5, f.radial(5, shape))
	for _, e := range []float64{3, 30, 300, 693, 3000} {
		tau := l.threshold(e)
		kinks := l.kinks(-tau, e)
		for i, s := range kinks {
			if z := math.Abs(l.z(l.radius(s), -tau, e)); math.Abs(z-1) > 1e-9 || i > 0 && s < kinks[i-1] {
				t.Errorf("e = %v: at kink %d of %v |z| is %v", e, i, kinks, z)
			}
		}
		passes := 0
		last := math.Abs(l.z(l.radius(l.lo), -tau, e)) < 1
		for i := range 100_000 {
			inside := math.Abs(l.z(l.radius(l.lo+(l.hi-l.lo)*float64(i)/100_000), -tau, e)) < 1
			if inside != last {
				passes, last = passes+1, inside
			}
		}
		if passes != len(kinks) {
			t.Errorf("e = %v: kinks %v where |z| passes 1 %d times", e, kinks, passes)
		}
	}
}
