package family

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"ucan/fixtures/subtest"
)

// The interpolated radius is that of the direct search within what the margin is for,
// at random bounds on p_A from one ulp above ½ to one ulp below 1, and it is there.
func TestLevelCurveAgreesWithTheSearch(t *testing.T) {
	t.Parallel()
	subtest.Long(t)
	rng := rand.New(rand.NewPCG(5, 17))
	answered, asked := 0, 0
	check := func(name string, dim int, r radial) {
		c := newLevelCurve(newLevelSet(dim, r), dim)
		for i := range 8 {
			p := 0.5 + rng.Float64()/2
			switch i {
			case 0:
				p = math.Nextafter(0.5, 1)
			case 1:
				p = topProbability
			case 2:
				p = 0.5 + 1e-8*rng.Float64()
			case 3:
				p = 1 - 1e-8*rng.Float64()
			}
			got := c.radius(p-0.5, 1-p)
			asked++
			if math.IsNaN(got) {
				t.Logf("%s d=%d: p=%v, 1-p=%.1g is left to the search", name, dim, p, 1-p)
				continue
			}
			answered++
			h, q, left := c.set.probability(got)
			miss := math.Abs(h/(p-0.5) - 1)
			if p > 0.75 {
				// In terms of the radius: what the log-odds miss, over their slope.
				h2, q2, _ := c.set.probability(got * 1.001)
				miss = math.Abs(logOdds(h, q)-logOdds(p-0.5, 1-p)) / (logOdds(h2, q2) - logOdds(h, q)) * 0.001
			}
			if !(miss <= levelSetMargin/4) {
				t.Errorf("%s d=%d p=%v: radius %v misses by %.2g (quadratures by %.1g)", name, dim, p, got, miss, left)
			}
		}
	}
	for _, q := range []struct {
		k, j float64
		dim  int
	}{{1, 0, 2}, {1, 0, 33}, {0.5, 0, 5}, {3, 1.5, 33}} {
		e, err := NewExp2(q.k, q.j)
		if err != nil {
			t.Fatal(err)
		}
		shape, err := e.shape(q.dim)
		if err != nil {
			t.Fatal(err)
		}
		check(fmt.Sprintf("exp2 k=%v j=%v", q.k, q.j), q.dim, e.radial(q.dim, shape))
	}
	for _, q := range []struct {
		m   float64
		dim int
	}{{0.5, 33}, {20, 5}} {
		w, err := NewPow2(2, float64(q.dim)/2+q.m)
		if err != nil {
			t.Fatal(err)
		}
		check(fmt.Sprintf("pow2 m=%v", q.m), q.dim, w.radial(q.dim, float64(q.dim)/2, q.m))
	}
	t.Logf("%d of %d radii interpolated", answered, asked)
	if answered < asked*8/10 {
		t.Errorf("only %d of %d radii were interpolated", answered, asked)
	}
}

// Interpolated integrals never exceed, and nearly reach, the integral itself.
func TestTailCurves(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(6, 18))
	check := func(name string, at, exact func(w, q float64) float64) {
		for range 60 {
			q := math.Exp(-rng.Float64() * 35)
			w := 1 - q
			got, want := at(w, q), exact(w, q)
			if !(got <= want*(1+2e-13)) || !(got >= want*(1-3e-12)) {
				t.Errorf("%s at q=%v: %v, itself %v (%.1e)", name, q, got, want, got/want-1)
			}
		}
	}
	for _, dim := range []int{1, 10, 3072} {
		for _, m := range []float64{0.5, 1000} {
			p, err := newPowIntegral(float64(dim), m)
			if err != nil {
				t.Fatal(err)
			}
			check(fmt.Sprintf("powinf d=%d m=%v", dim, m), p.at, p.exact)
		}
		for _, k := range []float64{1.5, 10} {
			e, err := newExpIntegral(dim, k)
			if err != nil {
				t.Fatal(err)
			}
			check(fmt.Sprintf("expinf d=%d k=%v", dim, k), e.at, e.exact)
		}
	}
}

// Goroutines that share a family get the same bits as one alone, in any order.
func TestRadiiConcurrently(t *testing.T) {
	for _, name := range []string{"exp2", "pow2", "powinf"} {
		shared, err := New(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		const points = 24
		var got [4][points]float64
		var group sync.WaitGroup
		for g := range got {
			group.Go(func() {
				for i := range points {
					j := (i + 7*g) % points
					got[g][j], _ = shared.Radius(shared.Norms()[len(shared.Norms())-1], 64, 0.51+0.02*float64(j))
				}
			})
		}
		group.Wait()
		alone, err := New(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		for j := points - 1; j >= 0; j-- {
			want, err := alone.Radius(alone.Norms()[len(alone.Norms())-1], 64, 0.51+0.02*float64(j))
			if err != nil {
				t.Fatal(err)
			}
			for g := range got {
				if got[g][j] != want {
					t.Errorf("%s: goroutine %d got %v where one alone gets %v", name, g, got[g][j], want)
				}
			}
		}
	}
}
