package sequential

import (
	"math"
	"testing"
)

func TestTwoStage(t *testing.T) {
	two := DefaultTwoStage()
	last := int64(math.MaxInt64)
	for f := range int64(100) {
		n, err := two.Size(f)
		if err != nil || n > last || n < 100 || n > two.Cap {
			t.Fatalf("%d failures: %d samples after %d, %v", f, n, last, err)
		}
		last = n
	}
	// q = .5/201, z = 2.80864, s = √(q(1−q))/φ(z) = 6.44753 (scipy 1.10); 5000·s^(2/3).
	if n, err := two.Size(0); err != nil || math.Abs(float64(n)-17321) > 1 {
		t.Errorf("no failures: %d, %v", n, err)
	}
	if n, err := two.Size(150); err != nil || n != 100 {
		t.Errorf("hopeless: %d, %v", n, err)
	}
	for _, bad := range []struct {
		s TwoStage
		f int64
	}{{two, -1}, {two, 201}, {TwoStage{0, 5000, 1000}, 0}, {TwoStage{200, 0, 1000}, 0}, {TwoStage{200, math.Inf(1), 1000}, 0}, {TwoStage{200, 5000, 99}, 0}} {
		if _, err := bad.s.Size(bad.f); err == nil {
			t.Errorf("accepts %+v", bad)
		}
	}
}
