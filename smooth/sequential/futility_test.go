package sequential

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestPredictReject(t *testing.T) {
	// Even odds when the rate so far is the rate allowed.
	if p := PredictReject(1000, 100, 10000, 1000); math.Abs(p-0.5) > 0.02 {
		t.Errorf("on the line: %v", p)
	}
	if PredictReject(1000, 1001, 10000, 1000) != 0 || PredictReject(1000, 0, 1500, 600) != 1 {
		t.Error("decided cases")
	}
	prev := 1.0
	for f := int64(0); f <= 300; f += 10 {
		p := PredictReject(1000, f, 10000, 1000)
		if p > prev || p < 0 || math.IsNaN(p) {
			t.Errorf("f=%d: %v after %v", f, p, prev)
		}
		prev = p
	}
	// The predictive probability against simulation under a uniform prior.
	rng := rand.New(rand.NewPCG(6, 6))
	n, f, limit, total := int64(500), int64(60), int64(650), int64(5000)
	hits := 0
	const runs = 4000
	for range runs {
		// Beta(f+1/2, n−f+1/2) by its normal approximation on the logit scale.
		a, b := float64(f)+0.5, float64(n-f)+0.5
		l := math.Log(a/b) + rng.NormFloat64()*math.Sqrt(1/a+1/b)
		if f+newBinomial(total-n, 1/(1+math.Exp(-l))).draw(rng) <= limit {
			hits++
		}
	}
	if sim, p := float64(hits)/runs, PredictReject(n, f, total, limit); math.Abs(sim-p) > 0.03 {
		t.Errorf("predicted %.3f, simulated %.3f", p, sim)
	}
}
