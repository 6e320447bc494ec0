package sequential

import (
	"math"
	"math/rand/v2"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth/stats"
)

func TestAnytime(t *testing.T) {
	p := stats.NormalCDFUpper(1)
	a, err := NewAnytime(p, 0.001, 100_000)
	if err != nil {
		t.Fatal(err)
	}
	// E starts at 1 and is a mixture: the weights add to 1.
	if l := a.LogE(0, 0); math.Abs(l) > 1e-12 {
		t.Errorf("ln E at the start is %v", l)
	}
	// The expectation over one sample at p_A = p is 1: a martingale.
	q := 1 - p
	if e := p*math.Exp(a.LogE(1, 0)) + q*math.Exp(a.LogE(1, 1)); math.Abs(e-1) > 1e-12 {
		t.Errorf("expected E after one sample is %v", e)
	}
	for _, n := range []int64{100, 2100, 50_000} {
		c := a.Critical(n)
		if !a.Rejects(n, c) || a.Rejects(n, c+1) {
			t.Errorf("n=%d: critical number %d is not the edge", n, c)
		}
	}
	if a.Critical(1) != -1 || a.Rejects(0, 0) || a.Rejects(10, 11) || a.Rejects(10, -1) {
		t.Error("impossible or worthless counts reject")
	}
	for _, c := range []struct {
		p, alpha float64
		h        int64
	}{{0.4, 0.1, 10}, {1, 0.1, 10}, {0.5, 0, 10}, {0.5, 1, 10}, {0.5, 0.1, 0}, {math.NaN(), 0.1, 10}} {
		if _, err := NewAnytime(c.p, c.alpha, c.h); err == nil {
			t.Errorf("accepts %+v", c)
		}
	}
}

func TestAnytimeRun(t *testing.T) {
	plan := AnytimePlan{Levels: []float64{0.5, stats.NormalCDFUpper(1), stats.NormalCDFUpper(2)}, Alpha: 0.001, Horizon: 20_000}
	rng := rand.New(rand.NewPCG(5, 5))
	run, err := plan.Start()
	if err != nil {
		t.Fatal(err)
	}
	// p_A = .97 lies between level 1 (.841) and level 2 (.977). The counts are
	// looked at after steps of any size.
	var n, f int64
	step := func(r *AnytimeRun, m int64) int {
		t.Helper()
		n += m
		f += newBinomial(m, 0.03).draw(rng)
		rejected, fault := r.Observe(n, f)
		if fault != nil {
			t.Fatal(fault)
		}
		return rejected
	}
	got := 0
	for _, m := range []int64{1, 13, 40, 200, 7, 500, 1000} {
		got = step(run, m)
	}
	if got != 2 {
		t.Fatalf("%d levels rejected after %d samples", got, n)
	}
	if p, fault := VerifyAnytime(plan, run.Rejected()); fault != nil || p != plan.Levels[1] {
		t.Errorf("verify: %v, %v", p, fault)
	}
	if p := run.Predict(20_000); p > 0.01 {
		t.Errorf("level 2 is false, and predicted at %v", p)
	}
	// Written down and taken up again, beyond the horizon.
	again, err := plan.Resume(run.Rejected(), n, f)
	if err != nil {
		t.Fatal(err)
	}
	if got := step(again, 50_000); got != 2 {
		t.Errorf("%d levels rejected after resuming", got)
	}
	for name, c := range subtest.Rows(map[string]struct {
		claims []Rejection
		n, f   int64
	}{
		"counts before the claim": {run.Rejected(), 10, 0},
		"failures vanish":         {run.Rejected(), n, 0},
		"gap":                     {run.Rejected()[1:], n, f},
		"false claim":             {[]Rejection{{0, 100, 50}}, n, f},
		"too many":                {[]Rejection{{0, 9e5, 0}, {1, 9e5, 0}, {2, 9e5, 0}, {3, 9e5, 0}}, 9e5, 0},
	}) {
		t.Run(name, func(t *testing.T) {
			if _, err := plan.Resume(c.claims, c.n, c.f); err == nil {
				t.Errorf("%s: resumed", name)
			}
		})
	}
	if _, err := again.Observe(n-1, f); err == nil {
		t.Error("sample count falls")
	}
	if _, err := VerifyAnytime(plan, []Rejection{{0, 100, 50}}); err == nil {
		t.Error("a false claim passes")
	}
	for _, bad := range []AnytimePlan{{Alpha: 0.1, Horizon: 10}, {Levels: []float64{0.7, 0.7}, Alpha: 0.1, Horizon: 10}, {Levels: []float64{0.5}, Alpha: 0, Horizon: 10}} {
		if _, err := bad.Start(); err == nil {
			t.Errorf("accepts %+v", bad)
		}
		if _, err := bad.Resume(nil, 0, 0); err == nil {
			t.Errorf("resumes %+v", bad)
		}
		if _, err := VerifyAnytime(bad, nil); err == nil {
			t.Errorf("verifies %+v", bad)
		}
	}
}
