package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The intervals cover the true difference and ratio at least as often as they promise.
func TestPairedCoverage(t *testing.T) {
	const alpha, runs = 0.1, 2000
	random := rand.New(rand.NewPCG(1, 2))
	for _, p := range [][3]float64{{0.5, 0.1, 0.02}, {0.3, 0.3, 0.3}, {0.05, 0.01, 0.01}, {0.9, 0.02, 0}} {
		missedDifference, missedRatio := 0, 0
		for range runs {
			var c Paired
			for range 120 {
				switch u := random.Float64(); {
				case u < p[0]:
					c.Both++
				case u < p[0]+p[1]:
					c.First++
				case u < p[0]+p[1]+p[2]:
					c.Second++
				default:
					c.Neither++
				}
			}
			d, err := c.Difference(alpha)
			if err != nil {
				t.Fatal(err)
			}
			if v := p[1] - p[2]; v < d.Low || v > d.High {
				missedDifference++
			}
			if c.Both+c.First+c.Second == 0 {
				continue
			}
			r, err := c.Ratio(alpha)
			if err != nil {
				t.Fatal(err)
			}
			if v := (p[0] + p[1]) / (p[0] + p[2]); v < r.Low || v > r.High {
				missedRatio++
			}
		}
		// Three standard deviations above alpha would be 0.12.
		if float64(missedDifference) > 0.12*runs || float64(missedRatio) > 0.12*runs {
			t.Errorf("%v: %d and %d of %d intervals miss, at alpha %v", p, missedDifference, missedRatio, runs, alpha)
		}
	}
}

func TestPairedEnds(t *testing.T) {
	same := Paired{Both: 1000}
	if d, err := same.Difference(0.05); err != nil || d.Low >= 0 || d.High <= 0 || d.High > 0.005 {
		t.Errorf("methods that agree everywhere differ by %v (%v)", d, err)
	}
	if r, err := same.Ratio(0.05); err != nil || r.Low < 0.99 || r.Low >= 1 || r.High <= 1 || r.High > 1.01 {
		t.Errorf("methods that agree everywhere have the ratio %v (%v)", r, err)
	}
	if r, err := (Paired{First: 20}).Ratio(0.05); err != nil || !math.IsInf(r.High, 1) || !(r.Low > 1) {
		t.Errorf("a second method without success: %v (%v)", r, err)
	}
	if r, err := (Paired{Second: 20}).Ratio(0.05); err != nil || r.Low != 0 || !(r.High < 1) {
		t.Errorf("a first method without success: %v (%v)", r, err)
	}
	for _, bad := range []Paired{{}, {Both: 3, First: -1}} {
		if _, err := bad.Ratio(0.05); err == nil {
			t.Errorf("%+v has a ratio", bad)
		}
	}
}
