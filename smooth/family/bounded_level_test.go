package family

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"ucan/fixtures/subtest"
)

// A radius by the level-set method takes a bounded number of evaluations of the
// integrand, or is an ErrDomain, at random parameters in dimension 2 to 50 and 784.
func TestLevelSetIsBounded(t *testing.T) {
	subtest.Long(t)
	const limit = 1_000_000
	rng := rand.New(rand.NewPCG(11, 13))
	answered, most := 0, 0
	for i := range 24 {
		dim := 2 + rng.IntN(50)
		if dim == 51 {
			dim = 784
		}
		k := math.Exp(rng.Float64()*3 - 1)
		p := []float64{0.6, 0.9, 0.9987, 0.5 + rng.Float64()/2}[i%4]
		evaluations := 0
		counted := func(r radial) radial {
			gap := r.gap // evaluated once for every value of the integrand
			r.gap = func(radius, tau float64) float64 { evaluations++; return gap(radius, tau) }
			return r
		}
		e, err := NewExp2(k, float64(i%2)*rng.Float64())
		if err != nil {
			t.Fatal(err)
		}
		shape, err := e.shape(dim)
		if err != nil {
			t.Fatal(err)
		}
		if i%3 != 0 {
			e.sets.radius(dim, p, func() radial { return counted(e.radial(dim, shape)) })
		} else {
			w, err := NewPow2(k, float64(dim)/k+math.Exp(rng.Float64()*4))
			if err != nil {
				t.Fatal(err)
			}
			b, m, err := w.shapes(dim)
			if err != nil {
				t.Fatal(err)
			}
			w.sets.radius(dim, p, func() radial { return counted(w.radial(dim, b, m)) })
			if r, err := w.Radius(L2, dim, p); err == nil && r > 0 {
				answered++
			} else if !errors.Is(err, ErrDomain) {
				t.Errorf("pow2 k=%v a=%v d=%d p=%v: %v, %v", k, b+m, dim, p, r, err)
			}
		}
		if r, err := e.Radius(L2, dim, p); err == nil && r > 0 {
			answered++
		} else if !errors.Is(err, ErrDomain) {
			t.Errorf("exp2 k=%v d=%d p=%v: %v, %v", k, dim, p, r, err)
		}
		most = max(most, evaluations)
		if evaluations > limit {
			t.Errorf("k=%v d=%d p=%v: %d evaluations", k, dim, p, evaluations)
		}
	}
	t.Logf("%d radii, at most %d evaluations", answered, most)
	if answered < 24 {
		t.Errorf("only %d radii", answered)
	}
}
