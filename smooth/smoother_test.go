package smooth_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth"
	"ucan/smooth/basis"
	"ucan/smooth/family"
	"ucan/smooth/stream"
)

// gaussian returns Gaussian ℓ2 noise of scale lambda, sealed for d coordinates.
func gaussian(tb testing.TB, d int, lambda float64, mu, sigma []float32) *smooth.SealedNoise {
	tb.Helper()
	f, err := family.New("gaussian", nil)
	if err != nil {
		tb.Fatal(err)
	}
	n, err := smooth.Noise{Family: f, Norm: family.L2, Lambda: lambda, Fields: fieldsOf(tb, d, mu, sigma, nil)}.Seal(d)
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func newSmoother(tb testing.TB, d, classes int, seed uint64, cs ...smooth.Classifier) *smooth.Smoother {
	tb.Helper()
	s, err := smooth.New(cs, smooth.Config{Dim: d, Classes: classes, Seed: seed})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// rings is a deterministic three-class function with samples that do not vote.
func rings(x []float32) int32 {
	var q float64
	for i, v := range x {
		q += float64(v) * float64(v) * float64(1+i%3)
	}
	switch frac := q - math.Floor(q); {
	case frac < 0.05:
		return smooth.NoVote
	case frac < 0.55:
		return 2
	case frac < 0.85:
		return 0
	default:
		return 1
	}
}

func TestCountsDoNotDependOnWorkersOrBatch(t *testing.T) {
	const d = 7
	x := []float32{.1, .2, .3, .4, .5, .6, .7}
	id := smooth.InputID(x)
	noise := gaussian(t, d, 0.5, []float32{0, .1, 0, -.1, 0, 0, 1}, []float32{1, 2, 3, 4, 5, 6, 7})
	want := smooth.Certification{}
	for _, workers := range []int{1, 2, 4} {
		for _, batch := range []int{1, 7, 32, 500} {
			var cs []smooth.Classifier
			for range workers {
				cs = append(cs, smooth.ClassifierFunc(d, batch, rings))
			}
			s := newSmoother(t, d, 3, 42, cs...)
			got, err := s.Certify(t.Context(), x, id, noise, smooth.FixedN{N0: 93, N: 1501, Alpha: 0.001})
			if err != nil {
				t.Fatal(err)
			}
			if want.Estimation.PerClass == nil {
				want = got
			}
			for _, c := range []struct {
				name      string
				got, want smooth.Counts
			}{{"selection", got.Selection, want.Selection}, {"estimation", got.Estimation, want.Estimation}} {
				if !slices.Equal(c.got.PerClass, c.want.PerClass) || c.got.Invalid != c.want.Invalid || c.got.N != c.want.N {
					t.Errorf("workers %d, batch %d: %s counts %v; with one worker and batch 1 %v", workers, batch, c.name, c.got, c.want)
				}
			}
		}
	}
	if want.Estimation.Invalid == 0 || want.Estimation.N != 1501 || want.Selection.N != 93 {
		t.Errorf("counts %+v, %+v: the planted invalid votes or the sample sizes are missing", want.Selection, want.Estimation)
	}
	// The same samples in pieces, and other samples for another seed, id or phase.
	s := newSmoother(t, d, 3, 42, smooth.ClassifierFunc(d, 10, rings))
	a := sample(t, s, x, id, noise, stream.Estimate, 0, 700)
	b := sample(t, s, x, id, noise, stream.Estimate, 700, 1501)
	for c := range want.Estimation.PerClass {
		if sum := a.PerClass[c] + b.PerClass[c]; sum != want.Estimation.PerClass[c] {
			t.Errorf("class %d: %d votes in two pieces, %d in one", c, sum, want.Estimation.PerClass[c])
		}
	}
	other := newSmoother(t, d, 3, 43, smooth.ClassifierFunc(d, 10, rings))
	for name, c := range subtest.Rows(map[string]smooth.Counts{
		"seed":  sample(t, other, x, id, noise, stream.Estimate, 0, 1501),
		"input": sample(t, s, x, [32]byte{1}, noise, stream.Estimate, 0, 1501),
		"phase": sample(t, s, x, id, noise, stream.Predict, 0, 1501),
	}) {
		t.Run(name, func(t *testing.T) {
			if slices.Equal(c.PerClass, want.Estimation.PerClass) {
				t.Errorf("another %s gave the same counts %v", name, c.PerClass)
			}
		})
	}
}

func sample(t *testing.T, s *smooth.Smoother, x []float32, id [32]byte, n *smooth.SealedNoise, p stream.Phase, from, to uint64) smooth.Counts {
	t.Helper()
	c, err := s.Sample(t.Context(), x, id, n, p, from, to)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSamplesAreBasePlusScaledNoise(t *testing.T) {
	const d, n = 5, 20000
	x := []float32{0, 1, -2, 3, .5}
	mu := []float32{0, -1, 0, .25, 10}
	sigma := []float32{1, .5, 2, .125, 3}
	noise := gaussian(t, d, 0.25, mu, sigma)
	var sum, sq [d]float64
	s := newSmoother(t, d, 1, 1, smooth.ClassifierFunc(d, 64, func(z []float32) int32 {
		for i, v := range z {
			e := float64(v) - float64(x[i]+mu[i])
			sum[i] += e
			sq[i] += e * e
		}
		return 0
	}))
	sample(t, s, x, smooth.InputID(x), noise, stream.Audit, 0, n)
	for i := range d {
		sd := 0.25 * float64(sigma[i])
		// Standard errors of mean and variance over n draws; five of each.
		if m := sum[i] / n; math.Abs(m) > 5*sd/math.Sqrt(n) {
			t.Errorf("coordinate %d: mean of the noise %v, want 0 ± %v", i, m, 5*sd/math.Sqrt(n))
		}
		if v := sq[i] / n / (sd * sd); math.Abs(v-1) > 5*math.Sqrt(2.0/n) {
			t.Errorf("coordinate %d: variance %v of λ²s², want 1 ± %v", i, v, 5*math.Sqrt(2.0/n))
		}
	}
}

// faulty is a classifier that misbehaves from the given call on.
type faulty struct {
	smooth.Classifier
	calls *atomic.Int64
	after int64
	do    func() ([]int32, error)
}

func (f faulty) Classify(ctx context.Context, rows int) ([]int32, error) {
	if f.calls.Add(1) > f.after {
		return f.do()
	}
	return f.Classifier.Classify(ctx, rows)
}

func TestClassifierFaultsAreErrorsNeverVotes(t *testing.T) {
	boom := errors.New("device lost")
	for _, tt := range []struct {
		name string
		do   func() ([]int32, error)
		want string
	}{
		{"error", func() ([]int32, error) { return nil, boom }, "device lost"},
		{"label above the classes", func() ([]int32, error) { return []int32{2, 0, 0, 0}, nil }, "label 2"},
		{"label below -1", func() ([]int32, error) { return []int32{-2, 0, 0, 0}, nil }, "label -2"},
		{"too few labels", func() ([]int32, error) { return []int32{0}, nil }, "1 labels for 4 rows"},
	} {
		for _, workers := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s/workers=%d", tt.name, workers), func(t *testing.T) {
				var calls atomic.Int64
				var cs []smooth.Classifier
				for range workers {
					inner := smooth.ClassifierFunc(2, 4, func([]float32) int32 { return 0 })
					cs = append(cs, faulty{inner, &calls, 5, tt.do})
				}
				s := newSmoother(t, 2, 2, 1, cs...)
				x := []float32{0, 0}
				noise := gaussian(t, 2, 1, nil, nil)
				c, err := s.Certify(t.Context(), x, smooth.InputID(x), noise, smooth.FixedN{N0: 10, N: 1000, Alpha: .01})
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want one about %q", err, tt.want)
				}
				if c.Estimation.N != 0 || c.Radius != 0 {
					t.Errorf("a failed run returned %+v", c)
				}
				if tt.name == "error" && !errors.Is(err, boom) {
					t.Error("the classifier's error is not wrapped")
				}
			})
		}
	}
}

func TestCancelStopsAndWaitsForWorkers(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var running, calls atomic.Int64
	var cs []smooth.Classifier
	for range 4 {
		cs = append(cs, smooth.ClassifierFunc(1, 8, func([]float32) int32 {
			running.Add(1)
			defer running.Add(-1)
			if calls.Add(1) == 1000 {
				cancel()
			}
			return 0
		}))
	}
	s := newSmoother(t, 1, 1, 1, cs...)
	x, noise := []float32{0}, gaussian(t, 1, 1, nil, nil)
	_, err := s.Sample(ctx, x, smooth.InputID(x), noise, stream.Estimate, 0, 1_000_000)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
	if r := running.Load(); r != 0 {
		t.Errorf("%d classifiers still ran when Sample returned", r)
	}
	if n := calls.Load(); n > 1100 {
		t.Errorf("%d samples were classified after the end of ctx", n-1000)
	}
	// The smoother is usable again.
	if _, err := s.Sample(t.Context(), x, smooth.InputID(x), noise, stream.Estimate, 0, 10); err != nil {
		t.Errorf("after a cancelled call: %v", err)
	}
	// A ctx that has ended before the call draws nothing.
	before := calls.Load()
	if _, err := s.Sample(ctx, x, smooth.InputID(x), noise, stream.Estimate, 0, 10); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	if calls.Load() != before {
		t.Error("samples were drawn under an ended ctx")
	}
}

func TestNoAllocationPerSample(t *testing.T) {
	const d = 31
	x := make([]float32, d)
	id := smooth.InputID(x)
	s := newSmoother(t, d, 1, 1, smooth.ClassifierFunc(d, 16, func([]float32) int32 { return 0 }))
	for name, noise := range subtest.Rows(map[string]*smooth.SealedNoise{
		"scalar": gaussian(t, d, 1, nil, nil),
		"fields": gaussian(t, d, 1, make([]float32, d), slices.Repeat([]float32{2}, d)),
		"basis":  inBasis(t, rand.New(rand.NewPCG(1, 2)), dct(t, d), family.L2),
	}) {
		t.Run(name, func(t *testing.T) {
			allocs := func(n uint64) float64 {
				return testing.AllocsPerRun(5, func() {
					if _, err := s.Sample(t.Context(), x, id, noise, stream.Estimate, 0, n); err != nil {
						t.Fatal(err)
					}
				})
			}
			// Fixed costs of a call are equal; the difference is what samples cost.
			if few, many := allocs(16), allocs(16_000); many > few+1 {
				t.Errorf("%s: %v allocations for 16,000 samples and %v for 16", name, many, few)
			}
		})
	}
}

func TestNewRejects(t *testing.T) {
	ok := smooth.ClassifierFunc(4, 2, func([]float32) int32 { return 0 })
	for name, tt := range subtest.Rows(map[string]struct {
		cs  []smooth.Classifier
		cfg smooth.Config
	}{
		"no classifier":    {nil, smooth.Config{Dim: 4, Classes: 2}},
		"no dimension":     {[]smooth.Classifier{ok}, smooth.Config{Classes: 2}},
		"no classes":       {[]smooth.Classifier{ok}, smooth.Config{Dim: 4}},
		"ragged buffer":    {[]smooth.Classifier{ok}, smooth.Config{Dim: 3, Classes: 2}},
		"buffer too small": {[]smooth.Classifier{ok}, smooth.Config{Dim: 16, Classes: 2}},
	}) {
		t.Run(name, func(t *testing.T) {
			if _, err := smooth.New(tt.cs, tt.cfg); err == nil {
				t.Errorf("%s: no error", name)
			}
		})
	}
	s := newSmoother(t, 4, 2, 1, ok)
	noise := gaussian(t, 4, 1, nil, nil)
	x := make([]float32, 4)
	nan := []float32{0, 0, float32(math.NaN()), 0}
	for name, call := range subtest.Rows(map[string]func() error{
		"short input": func() error {
			_, err := s.Sample(t.Context(), x[:3], [32]byte{}, noise, stream.Predict, 0, 1)
			return err
		},
		"NaN input": func() error {
			_, err := s.Sample(t.Context(), nan, [32]byte{}, noise, stream.Predict, 0, 1)
			return err
		},
		"noise of another dimension": func() error {
			_, err := s.Sample(t.Context(), x, [32]byte{}, gaussian(t, 3, 1, nil, nil), stream.Predict, 0, 1)
			return err
		},
		"no noise": func() error {
			_, err := s.Sample(t.Context(), x, [32]byte{}, nil, stream.Predict, 0, 1)
			return err
		},
		"reversed range": func() error {
			_, err := s.Sample(t.Context(), x, [32]byte{}, noise, stream.Predict, 2, 1)
			return err
		},
		"n0 of 0": func() error {
			_, err := s.Certify(t.Context(), x, [32]byte{}, noise, smooth.FixedN{N0: 0, N: 1, Alpha: .1})
			return err
		},
		"n of 0": func() error {
			_, err := s.Certify(t.Context(), x, [32]byte{}, noise, smooth.FixedN{N0: 1, N: 0, Alpha: .1})
			return err
		},
		"alpha of 1": func() error {
			_, err := s.Certify(t.Context(), x, [32]byte{}, noise, smooth.FixedN{N0: 1, N: 1, Alpha: 1})
			return err
		},
		"alpha NaN": func() error {
			_, err := s.Predict(t.Context(), x, [32]byte{}, noise, smooth.PredictN{N: 1, Alpha: math.NaN()})
			return err
		},
	}) {
		t.Run(name, func(t *testing.T) {
			if err := call(); err == nil {
				t.Errorf("%s: no error", name)
			} else if strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: error of several lines: %v", name, err)
			}
		})
	}
}

// fieldsOf returns the fields of inputs with dim coordinates.
func fieldsOf(tb testing.TB, dim int, mu, sigma []float32, u *basis.Transform) smooth.Fields {
	tb.Helper()
	f, err := smooth.NewFields(dim, mu, sigma, u)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}
