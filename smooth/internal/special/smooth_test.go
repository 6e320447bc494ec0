package special

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"ucan/fixtures/subtest"
)

func TestSmooth(t *testing.T) {
	for name, c := range subtest.Rows(map[string]struct {
		f, slope func(float64) float64
	}{
		"exponential": {math.Exp, math.Exp},
		"pole close by": {
			func(x float64) float64 { return 1 / (0.01 + (x-1)*(x-1)) },
			func(x float64) float64 {
				d := 0.01 + (x-1)*(x-1)
				return -2 * (x - 1) / d / d
			},
		},
	}) {
		t.Run(name, func(t *testing.T) {
			s := NewSmooth(c.f, 0.5, 1e-12)
			for i := range 997 {
				x := float64(i) * 5 / 997
				value, slope, residual, ok := s.At(x)
				if !ok || !(math.Abs(value/c.f(x)-1) <= 1e-12) || residual > 1e-12 {
					t.Fatalf("%s at %v: %v (%v, residual %v), want %v", name, x, value, ok, residual, c.f(x))
				}
				if want := c.slope(x); !(math.Abs(slope-want) <= 1e-8*(math.Abs(want)+c.f(x))) {
					t.Fatalf("%s at %v: slope %v, want %v", name, x, slope, want)
				}
			}
		})
	}
}

// A kink makes panels too coarse down to the narrowest: near it nothing is told, far from
// it everything.
func TestSmoothRefusesKinks(t *testing.T) {
	s := NewSmooth(func(x float64) float64 { return 1 + math.Abs(x-0.3) }, 1, 1e-12)
	if _, _, _, ok := s.At(0.3); ok {
		t.Error("the value at a kink was interpolated")
	}
	for _, x := range []float64{0, 0.2, 0.5, 0.99, 3} {
		if v, _, _, ok := s.At(x); !ok || math.Abs(v-1-math.Abs(x-0.3)) > 1e-12 {
			t.Errorf("at %v: %v, %v", x, v, ok)
		}
	}
	bad := NewSmooth(func(x float64) float64 { return math.Log(x - 2) }, 1, 1e-12)
	for _, x := range []float64{-1, 1.5, math.NaN(), math.Inf(1), 1e9} {
		if _, _, _, ok := bad.At(x); ok {
			t.Errorf("a value at %v", x)
		}
	}
}

// Any number of goroutines get the same bits, and a panel is made once.
func TestSmoothConcurrently(t *testing.T) {
	var calls atomic.Int64
	s := NewSmooth(func(x float64) float64 { calls.Add(1); return math.Cosh(x) }, 1, 1e-11)
	var group sync.WaitGroup
	var results [8][100]float64
	for g := range results {
		group.Go(func() {
			for i := range results[g] {
				j := (i*(2*g+1) + g) % 100 // another order in each; 2g+1 may share factors with 100
				results[g][j], _, _, _ = s.At(float64(j) / 100)
			}
		})
	}
	group.Wait()
	for g := range results {
		for i, v := range results[g] {
			if v != 0 && results[0][i] != 0 && v != results[0][i] {
				t.Fatalf("at %v: %v and %v", i, v, results[0][i])
			}
		}
	}
	if n := calls.Load(); n != 2*smoothNodes+1 {
		t.Errorf("%d evaluations of the function", n)
	}
}
