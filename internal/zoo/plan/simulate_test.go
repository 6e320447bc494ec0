package plan

import (
	"errors"
	"iter"
	"math"
	"runtime"
	"strings"
	"testing"
	"ucan/fixtures/subtest"
)

// same yields n shards of d seconds.
func same(n int, d float64) iter.Seq[float64] {
	return func(yield func(float64) bool) {
		for range n {
			if !yield(d) {
				return
			}
		}
	}
}

// random yields n shards of exponential length with the given mean.
func random(n int, mean float64, seed uint64) iter.Seq[float64] {
	return func(yield func(float64) bool) {
		rng := newRand(seed)
		for range n {
			if !yield(rng.ExpFloat64() * mean) {
				return
			}
		}
	}
}

func quiet() Scenario { return Scenario{Workers: []int{1}, Seed: 7} }

func simulate(t *testing.T, s Scenario, k int, shards iter.Seq[float64]) Outcome {
	t.Helper()
	o, err := s.Simulate(k, shards)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func near(t *testing.T, what string, got, want, relative float64) {
	t.Helper()
	if !(math.Abs(got-want) <= relative*math.Abs(want)) {
		t.Errorf("%s: %.6g, want %.6g within %g", what, got, want, relative)
	}
}

// Equal shards without failures or a slow database take ceil(n/k)·d.
func TestEqualShards(t *testing.T) {
	for _, c := range []struct{ n, k int }{{1000, 1}, {1000, 10}, {1001, 10}, {5, 10}} {
		o := simulate(t, quiet(), c.k, same(c.n, 2))
		near(t, "makespan", o.Makespan, 2*math.Ceil(float64(c.n)/float64(c.k)), 1e-9)
		if o.Shards != int64(c.n) || o.Failures != 0 || o.Work != 2*float64(c.n) {
			t.Errorf("%+v", o)
		}
	}
}

// Setup comes once before the first shard of each worker.
func TestSetup(t *testing.T) {
	s := quiet()
	s.Setup = 3
	near(t, "makespan", simulate(t, s, 4, same(8, 1)).Makespan, 3+2, 1e-9)
}

// Where shards take no time the database is the limit: n / rate, whatever the workers.
func TestDatabaseLimit(t *testing.T) {
	s := quiet()
	s.Rate = 50
	for _, k := range []int{1, 100} {
		o := simulate(t, s, k, same(1000, 0))
		near(t, "makespan", o.Makespan, 1000/50.0, 1e-9)
		near(t, "database", o.Database, 1, 1e-9)
	}
	// Below its limit it adds its service time to each shard of the one worker.
	near(t, "one worker", simulate(t, s, 1, same(100, 1)).Makespan, 100*(1+1/50.0), 1e-9)
	// At its limit, k workers with shards of d seconds finish at the database's rate: n/rate plus
	// the last shard.
	near(t, "saturated", simulate(t, s, 1000, same(5000, 1)).Makespan, 5000/50.0+1, 1e-9)
}

// Exponential shards on k workers: n − k completions at rate k/mean, then the maximum of k
// exponentials: E = mean·((n − k)/k + H_k).
func TestExponentialShards(t *testing.T) {
	const n, k, mean, runs = 200, 20, 3.0, 400
	sum := 0.0
	for seed := range uint64(runs) {
		sum += simulate(t, quiet(), k, random(n, mean, seed)).Makespan
	}
	harmonic := 0.0
	for i := 1; i <= k; i++ {
		harmonic += 1 / float64(i)
	}
	// The standard deviation of one makespan is mean·sqrt((n−k)/k² + Σ1/i²) = 4.3; of the mean over
	// the runs 0.21, or 0.6 % of 37.8. Five of them:
	near(t, "mean makespan", sum/runs, mean*(float64(n-k)/k+harmonic), 0.03)
}

// With exponential failures a shard of d seconds takes (e^{d/M} − 1)·(M + r) on average, r the
// restart, where other shards fill the wait for detection; and it fails e^{d/M} − 1 times.
func TestFailures(t *testing.T) {
	s := quiet()
	s.MTBF, s.Restart, s.Detect = 10, 4, 25
	const n, d = 200_000, 5.0
	o := simulate(t, s, 8, same(n, d))
	retries := math.Exp(d/s.MTBF) - 1
	near(t, "makespan", o.Makespan, n/8.0*retries*(s.MTBF+s.Restart), 0.01)
	near(t, "failures", float64(o.Failures), n*retries, 0.01)
	// The work lost is what takes more than d: E[T] without restarts is (e^{d/M} − 1)·M.
	near(t, "lost", o.Lost, n*(retries*s.MTBF-d), 0.02)
}

// A single worker must wait for the detection of its own death once nothing else is left.
func TestDetection(t *testing.T) {
	s := quiet()
	s.MTBF, s.Detect = 10, 1000
	mean, runs := 0.0, 4000
	for seed := range runs {
		s.Seed = uint64(seed)
		mean += simulate(t, s, 1, same(1, 5)).Makespan / float64(runs)
	}
	retries := math.Exp(0.5) - 1
	// Each retry costs the wait; the standard error of the mean number of retries (geometric) is
	// about 1.03/√4000.
	near(t, "mean makespan", mean, retries*10+retries*1000, 0.1)
}

func TestEveryShardIsCompleted(t *testing.T) {
	s := quiet()
	s.MTBF, s.Restart, s.Detect, s.Rate, s.Setup = 3, 1, 2, 100, 0.5
	for _, k := range []int{1, 7, 500} {
		o := simulate(t, s, k, random(3000, 1, 5))
		if o.Shards != 3000 || o.Makespan < o.Ideal || o.Failures == 0 {
			t.Errorf("%d workers: %+v", k, o)
		}
	}
}

func TestSameSeedSameRun(t *testing.T) {
	s := quiet()
	s.MTBF, s.Detect = 20, 1
	a, b := simulate(t, s, 16, random(2000, 1, 3)), simulate(t, s, 16, random(2000, 1, 3))
	if a != b {
		t.Errorf("%+v and %+v", a, b)
	}
}

func TestTooManyFailures(t *testing.T) {
	s := quiet()
	s.MTBF = 1
	if _, err := s.Simulate(1, same(1, 100)); !errors.Is(err, ErrTooManyFailures) {
		t.Errorf("%v, want that it is hopeless", err)
	}
}

// A million shards are simulated in memory that grows with the workers alone.
func TestBoundedMemory(t *testing.T) {
	subtest.Long(t)
	s := quiet()
	s.MTBF, s.Detect, s.Restart, s.Rate = 5000, 2, 10, 400
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	o := simulate(t, s, 100, random(1_000_000, 1, 1))
	runtime.ReadMemStats(&after)
	if o.Shards != 1_000_000 {
		t.Fatalf("%+v", o)
	}
	// Boxed events make garbage; what counts is what stays.
	if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 32<<20 {
		t.Errorf("the heap grew by %d MB", grown>>20)
	}
}

func TestParseScenario(t *testing.T) {
	s, err := ParseScenario("workers=1/100,mtbf=12h,detect=3s,restart=30,rate=500,setup=2s,seed=9")
	if err != nil || len(s.Workers) != 2 || s.Workers[1] != 100 || s.MTBF != 43200 || s.Detect != 3 || s.Restart != 30 || s.Rate != 500 || s.Setup != 2 || s.Seed != 9 {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err = ParseScenario("mtbf=off,rate=off"); err != nil || s.MTBF != 0 || s.Rate != 0 || len(s.Workers) != 5 {
		t.Errorf("%+v, %v", s, err)
	}
	for text, want := range subtest.Rows(map[string]string{
		"workers": "NAME=VALUE", "workers=x": "whole number", "workers=0": "out of range", "workers=1000001": "out of range", "mtbf=-1": "0 or more",
		"mtbf=NaN": "0 or more", "rate=fast": "number", "detect=soon": "length of time", "what=1": "unknown", "seed=-1": "whole number", "": "NAME=VALUE",
	}) {
		t.Run(text, func(t *testing.T) {
			if _, err := ParseScenario(text); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %q", text, err, want)
			}
		})
	}
}
