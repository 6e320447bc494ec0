package special

import (
	"errors"
	"math"
	"testing"
	"ucan/fixtures/subtest"
)

func TestCumulative(t *testing.T) {
	c, err := NewCumulative(func(x float64) float64 { return math.Exp(-x) }, 0, 40, 5, 1e-14)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []float64{0, 1e-9, 0.3, 4, 17, 40, 50} {
		got, residual := c.At(x)
		if want := -math.Expm1(-min(x, 40)); !near(got, want, 1e-14) || residual > 1e-12*want {
			t.Errorf("∫e^−x to %v = %v ± %v, want %v", x, got, residual, want)
		}
	}
	if got, residual := c.At(-1); got != 0 || residual != 0 {
		t.Errorf("below the lower limit: %v ± %v", got, residual)
	}
}

// An integrand whose own rounding exceeds the tolerance ends, with the difference in
// the residual; one that is not finite, or a range too wide, is an error.
func TestCumulativeIsBounded(t *testing.T) {
	for _, noise := range []float64{1e-14, 1e-12, 1e-6, 0.5} {
		state := uint64(1)
		f := func(x float64) float64 {
			state = state*6364136223846793005 + 1442695040888963407
			return math.Exp(-x) * (1 + noise*(float64(state>>11)*0x1p-52-1))
		}
		c, err := NewCumulative(f, 0, 10, 1, 2e-14)
		if err != nil {
			t.Fatal(err)
		}
		if n := c.Evaluations(); n > 48*(maxCumulative+maxHalvings)*2 {
			t.Errorf("noise %v: %d evaluations", noise, n)
		}
		got, residual := c.At(10)
		if want := -math.Expm1(-10); math.Abs(got-want) > residual+roundingLevel*want {
			t.Errorf("noise %v: %v ± %v, want %v", noise, got, residual, want)
		}
	}
	for name, c := range subtest.Rows(map[string]struct {
		f            func(float64) float64
		lo, hi, step float64
	}{
		"NaN":       {math.Log, -1, 1, 1},
		"infinite":  {func(float64) float64 { return math.Inf(1) }, 0, 1, 1},
		"zero":      {func(float64) float64 { return 0 }, 0, 1, 1},
		"wide":      {math.Exp, 0, 1, 1e-9},
		"unbounded": {math.Exp, math.Inf(-1), 1, 1},
		"empty":     {math.Exp, 1, 1, 1},
	}) {
		t.Run(name, func(t *testing.T) {
			if _, err := NewCumulative(c.f, c.lo, c.hi, c.step, 1e-14); !errors.Is(err, ErrQuadrature) {
				t.Errorf("%s: %v; want ErrQuadrature", name, err)
			}
		})
	}
}
