package sequential

import (
	"errors"
	"math"
	"testing"

	"ucan/smooth/stats"
)

func TestSolveLevel(t *testing.T) {
	calls := 0
	gaussian := func(p float64) (float64, error) {
		calls++
		return 0.25 * stats.NormalQuantileLower(p), nil
	}
	for _, r := range []float64{1e-9, 0.1, 0.25, 0.5, 0.9, 1.9} {
		calls = 0
		p, err := SolveLevel(r, gaussian)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := gaussian(p); got < r {
			t.Errorf("r=%g: the level's radius is %v", r, got)
		}
		if got, _ := gaussian(math.Nextafter(p, 0)); got >= r {
			t.Errorf("r=%g: the level is not the smallest", r)
		}
		exact := stats.NormalCDF(r / 0.25)
		if p < exact || (1-p) < (1-exact)*(1-1e-12)-0x1p-52 {
			t.Errorf("r=%g: level %v, want just above %v", r, p, exact)
		}
		if calls > 56 {
			t.Errorf("r=%g: %d calls", r, calls)
		}
	}
	if p, err := SolveLevel(0, gaussian); err != nil || p != 0.5 {
		t.Errorf("radius 0: %v, %v", p, err)
	}
	if _, err := SolveLevel(3, gaussian); !errors.Is(err, ErrUnreachable) {
		t.Errorf("12 sigma: %v", err)
	}
	for _, r := range []float64{-1, math.NaN()} {
		if _, err := SolveLevel(r, gaussian); err == nil {
			t.Errorf("accepts radius %v", r)
		}
	}
	fault := errors.New("fault")
	for _, at := range []float64{0.5, 0.75, 2} {
		_, err := SolveLevel(0.1, func(p float64) (float64, error) {
			if p == at || at == 2 {
				return 0, fault
			}
			return p, nil
		})
		if at != 0.75 && !errors.Is(err, fault) {
			t.Errorf("a fault at %v is lost: %v", at, err)
		}
	}
	// A family that jumps: any positive radius already at 1/2.
	if p, err := SolveLevel(0.1, func(float64) (float64, error) { return 1, nil }); err != nil || p != 0.5 {
		t.Errorf("constant radius: %v, %v", p, err)
	}
}
