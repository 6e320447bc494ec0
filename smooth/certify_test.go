package smooth_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"ucan/fixtures/subtest"
	"ucan/smooth"
	"ucan/smooth/family"
	"ucan/smooth/sequential"
)

// above answers class 1 where the first coordinate exceeds the threshold, and
// other below it.
func above(threshold float32, other int32) func([]float32) int32 {
	return func(x []float32) int32 {
		if x[0] > threshold {
			return 1
		}
		return other
	}
}

func TestCertifyHalfSpace(t *testing.T) {
	// x₀ is one standard deviation of the noise above the boundary:
	// p_A = Φ(1) = 0.841344746068543.
	const d, pA = 4, 0.841344746068543
	x := []float32{.5, 0, 0, 0}
	noise := gaussian(t, d, 0.5, nil, []float32{.5, 1, 1, 1})
	s := newSmoother(t, d, 3, 5, smooth.ClassifierFunc(d, 64, above(.25, 2)), smooth.ClassifierFunc(d, 64, above(.25, 2)))
	c, err := s.Certify(t.Context(), x, smooth.InputID(x), noise, smooth.FixedN{N0: 100, N: 20000, Alpha: 0.001})
	if err != nil {
		t.Fatal(err)
	}
	if c.Abstained || !c.HasClass || c.Class != 1 || c.Converted || len(c.Warnings) != 0 {
		t.Errorf("got %+v", c)
	}
	k := float64(c.Estimation.Votes(1))
	if sd := math.Sqrt(pA * (1 - pA) / 20000); math.Abs(k/20000-pA) > 5*sd {
		t.Errorf("k/n = %v, want %v ± %v", k/20000, pA, 5*sd)
	}
	if c.PLower >= k/20000 || c.PLower < k/20000-0.01 {
		t.Errorf("bound %v of share %v", c.PLower, k/20000)
	}
	// The true distance to the boundary is 0.25 in x₀: one unit of λ·s₀.
	if c.Radius >= 0.25 || c.Radius < 0.24 || c.Radius != c.Extent.Radii.L2 {
		t.Errorf("radius %v, the boundary is 0.25 away", c.Radius)
	}
	if in, err := c.Regions.Contains([]float64{-c.R * .5 * .999, 0, 0, 0}); err != nil || !in {
		t.Errorf("just inside the region: %v, %v", in, err)
	}
	// Without the bound the answer is the same sign of every direction.
	if c.Extent.Radii.LInf >= c.Extent.Radii.L2 || c.Extent.ALM <= c.Radius {
		t.Errorf("extent %+v", c.Extent)
	}
}

func TestAbstention(t *testing.T) {
	x := []float32{0}
	noise := gaussian(t, 1, 1, nil, nil)
	for name, tt := range subtest.Rows(map[string]struct {
		f        func([]float32) int32
		hasClass bool
		warns    bool
	}{
		"boundary":            {above(0, 0), true, false},
		"no vote at all":      {func([]float32) int32 { return smooth.NoVote }, false, true},
		"votes below a half":  {func(x []float32) int32 { return int32(math.Abs(float64(x[0])*1e6)) % 3 }, true, false},
		"half without a vote": {above(0, smooth.NoVote), true, true},
	}) {
		t.Run(name, func(t *testing.T) {
			s := newSmoother(t, 1, 3, 1, smooth.ClassifierFunc(1, 32, tt.f))
			c, err := s.Certify(t.Context(), x, smooth.InputID(x), noise, smooth.FixedN{N0: 100, N: 1000, Alpha: 0.001})
			if err != nil {
				t.Fatal(err)
			}
			if !c.Abstained || c.Radius != 0 || c.R != 0 || len(c.Regions) != 0 || !math.IsInf(c.Extent.LogVolume, -1) {
				t.Errorf("%s: certified %+v", name, c)
			}
			if c.HasClass != tt.hasClass || (len(c.Warnings) > 0) != tt.warns {
				t.Errorf("%s: class %v, warnings %q", name, c.HasClass, c.Warnings)
			}
		})
	}
}

// TestInvalidVotesCountAgainst plants NaN votes in an otherwise certain class:
// they lower the bound exactly as votes for another class do.
func TestInvalidVotesCountAgainst(t *testing.T) {
	x := []float32{0}
	noise := gaussian(t, 1, 1, nil, nil)
	n := smooth.FixedN{N0: 100, N: 5000, Alpha: 0.001}
	certify := func(other int32) smooth.Certification {
		s := newSmoother(t, 1, 3, 1, smooth.ClassifierFunc(1, 32, above(-2, other)))
		c, err := s.Certify(t.Context(), x, smooth.InputID(x), noise, n)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	invalid, other := certify(smooth.NoVote), certify(2)
	if invalid.Estimation.Invalid == 0 || invalid.Estimation.N != n.N || invalid.PLower != other.PLower || invalid.Radius != other.Radius {
		t.Errorf("without a vote: bound %v, n %d; as another class: %v", invalid.PLower, invalid.Estimation.N, other.PLower)
	}
}

func TestTwoBounds(t *testing.T) {
	// Class 1 has Φ(0) = 1/2 of the votes, the rest is spread over ten classes:
	// one bound abstains, two bounds certify.
	x := []float32{0}
	noise := gaussian(t, 1, 1, nil, nil)
	spread := func(x []float32) int32 {
		if x[0] > 0 {
			return 1
		}
		return 2 + int32(math.Abs(float64(x[0])*1e5))%10
	}
	s := newSmoother(t, 1, 12, 1, smooth.ClassifierFunc(1, 64, spread))
	for bound, abstains := range map[smooth.Bound]bool{smooth.OneBound: true, smooth.TwoBounds: false} {
		c, err := s.Certify(t.Context(), x, smooth.InputID(x), noise, smooth.FixedN{N0: 100, N: 10000, Alpha: 0.001, Bound: bound})
		if err != nil {
			t.Fatal(err)
		}
		if c.Abstained != abstains {
			t.Errorf("%s: %+v", bound, c)
		}
		if bound == smooth.TwoBounds {
			// R = λ/2 (Φ⁻¹(p_A) − Φ⁻¹(p_B)); p_A ≈ .5, p_B ≈ .05: about 0.8.
			if c.Radius > 0.83 || c.Radius < 0.7 || !(c.PLower < 0.5) || !(c.PUpper > 0.05) {
				t.Errorf("two bounds: radius %v, p_A ≥ %v, p_B ≤ %v", c.Radius, c.PLower, c.PUpper)
			}
		}
	}
	if _, err := s.Certify(t.Context(), x, smooth.InputID(x), noise, smooth.FixedN{N0: 1, N: 1, Alpha: 0.1, Bound: 7}); err == nil {
		t.Error("an unknown bound was accepted")
	}
	if b, err := smooth.ParseBound("two"); err != nil || b != smooth.TwoBounds {
		t.Errorf("ParseBound(two) = %v, %v", b, err)
	}
}

func TestPredict(t *testing.T) {
	x := []float32{0}
	noise := gaussian(t, 1, 1, nil, nil)
	for name, tt := range subtest.Rows(map[string]struct {
		f       func([]float32) int32
		abstain bool
		class   int
	}{
		"clear":                   {above(-1, 0), false, 1},
		"constant":                {func([]float32) int32 { return 2 }, false, 2},
		"on the boundary":         {above(0, 0), true, 0},
		"no votes":                {func([]float32) int32 { return smooth.NoVote }, true, 0},
		"invalid is runner-up":    {above(0, smooth.NoVote), true, 1},
		"invalid is leading":      {above(1, smooth.NoVote), true, 1},
		"invalid is out of reach": {above(-1, smooth.NoVote), false, 1},
	}) {
		t.Run(name, func(t *testing.T) {
			s := newSmoother(t, 1, 3, 1, smooth.ClassifierFunc(1, 32, tt.f))
			p, err := s.Predict(t.Context(), x, smooth.InputID(x), noise, smooth.PredictN{N: 1000, Alpha: 0.001})
			if err != nil {
				t.Fatal(err)
			}
			if p.Abstained != tt.abstain || p.Counts.N != 1000 {
				t.Errorf("%s: %+v", name, p)
			}
			if !p.Abstained && (p.Class != tt.class || p.PValue > 0.001) {
				t.Errorf("%s: class %d, p-value %v", name, p.Class, p.PValue)
			}
		})
	}
	s := newSmoother(t, 1, 3, 1, smooth.ClassifierFunc(1, 32, above(0, 0)))
	if _, err := s.Predict(t.Context(), x, smooth.InputID(x), noise, smooth.PredictN{N: 0, Alpha: .1}); err == nil {
		t.Error("n of 0 was accepted")
	}
}

func adaptivePlan(t *testing.T, noise *smooth.SealedNoise, c smooth.AdaptiveN) *smooth.AdaptivePlan {
	t.Helper()
	if c.Grid.Radii == nil {
		var err error
		if c.Grid, err = noise.DefaultGrid(); err != nil {
			t.Fatal(err)
		}
	}
	p, err := noise.NewAdaptive(c, sequential.NewTables())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCertifyAdaptive(t *testing.T) {
	// p_A = Φ(2.2): between the grid's z = 2 and z = 2.5.
	x := []float32{2.2}
	noise := gaussian(t, 1, 1, nil, nil)
	for name, c := range subtest.Rows(map[string]smooth.AdaptiveN{
		"selected": {N0: 100, Alpha: 0.001, Profile: sequential.Default().WithCap(20_000)},
		"leading":  {N0: 0, Alpha: 0.001, Profile: sequential.Default().WithCap(20_000)},
		"labelled": {N0: 0, Alpha: 0.001, Profile: sequential.Default().WithCap(20_000), LabelAware: true},
	}) {
		t.Run(name, func(t *testing.T) {
			plan := adaptivePlan(t, noise, c)
			var first smooth.Certification
			for i, workers := range []int{1, 2, 4} {
				for _, batch := range []int{1, 7, 500} {
					var cs []smooth.Classifier
					for range workers {
						cs = append(cs, smooth.ClassifierFunc(1, batch, above(0, 2)))
					}
					s := newSmoother(t, 1, 3, 9, cs...)
					got, err := s.CertifyAdaptive(t.Context(), x, smooth.InputID(x), plan, 1)
					if err != nil {
						t.Fatal(err)
					}
					if i == 0 && batch == 1 {
						first = got
					}
					got.Adaptive.Drawn = first.Adaptive.Drawn // depends on the batch, as documented
					if fmt.Sprint(got.Adaptive) != fmt.Sprint(first.Adaptive) || fmt.Sprint(got.Estimation) != fmt.Sprint(first.Estimation) {
						t.Errorf("workers %d, batch %d: %+v\nwith one of each %+v", workers, batch, got, first)
					}
				}
			}
			if first.Abstained || first.Class != 1 || first.Radius < 2 || first.Radius > 2+1e-9 {
				t.Errorf("class %d, radius %v; want 1 and the grid's 2", first.Class, first.Radius)
			}
			if first.Adaptive.Drawn != first.Estimation.N || first.Estimation.N >= 20_000 {
				t.Errorf("batch 1 drew %d samples for %d looked at", first.Adaptive.Drawn, first.Estimation.N)
			}
			// Its record is enough to conclude the same.
			again, err := plan.Conclude(first.Selection, first.Estimation, first.Class, first.Adaptive.Rejected)
			if err != nil || again.PLower != first.PLower || again.Radius != first.Radius {
				t.Errorf("concluded again: %v, %v", again, err)
			}
		})
	}
}

func TestAdaptiveOutcomes(t *testing.T) {
	noise := gaussian(t, 1, 1, nil, nil)
	profile := sequential.Default().WithCap(5000)
	x := []float32{0}
	for name, tt := range subtest.Rows(map[string]struct {
		c         smooth.AdaptiveN
		f         func([]float32) int32
		label     int
		abstained bool
		radius    float64
		stop      sequential.StopReason
	}{
		"constant":      {smooth.AdaptiveN{N0: 10}, func([]float32) int32 { return 1 }, 0, false, 2.5, ""},
		"hopeless":      {smooth.AdaptiveN{N0: 10}, above(0, 0), 0, true, 0, sequential.StopFutile},
		"no vote":       {smooth.AdaptiveN{N0: 10}, func([]float32) int32 { return -1 }, 0, true, 0, ""},
		"no vote, n0 0": {smooth.AdaptiveN{}, func([]float32) int32 { return -1 }, 0, true, 0, sequential.StopFutile},
		"radius 0":      {smooth.AdaptiveN{N0: 10}, above(-0.3, 0), 0, false, 0, sequential.StopFutile},
		"other label":   {smooth.AdaptiveN{LabelAware: true}, func([]float32) int32 { return 1 }, 0, true, 0, sequential.StopFutile},
		"label":         {smooth.AdaptiveN{LabelAware: true}, func([]float32) int32 { return 1 }, 1, false, 2.5, ""},
	}) {
		t.Run(name, func(t *testing.T) {
			tt.c.Alpha, tt.c.Profile = 0.001, profile
			s := newSmoother(t, 1, 3, 10, smooth.ClassifierFunc(1, 64, tt.f))
			c, err := s.CertifyAdaptive(t.Context(), x, smooth.InputID(x), adaptivePlan(t, noise, tt.c), tt.label)
			if err != nil {
				t.Fatal(err)
			}
			if c.Abstained != tt.abstained || math.Abs(c.Radius-tt.radius) > 1e-9 || tt.stop != "" && c.Adaptive.Stop != tt.stop {
				t.Errorf("abstained %v, radius %v, stop %q; want %v, %v, %q", c.Abstained, c.Radius, c.Adaptive.Stop, tt.abstained, tt.radius, tt.stop)
			}
		})
	}
	plan := adaptivePlan(t, noise, smooth.AdaptiveN{Alpha: 0.001, Profile: profile, N0: 10})
	if r, err := plan.MaxRadius(); err != nil || math.Abs(r-2.5) > 1e-9 {
		// 5000 votes of 5000 do not exclude Φ(3): 0.99865^5000 = .0012 > .001.
		t.Errorf("largest radius %v (%v), want 2.5 with 5000 samples", r, err)
	}
}

func TestAdaptiveRejects(t *testing.T) {
	noise := gaussian(t, 1, 1, nil, nil)
	grid, err := noise.DefaultGrid()
	if err != nil {
		t.Fatal(err)
	}
	tables := sequential.NewTables()
	ok := smooth.AdaptiveN{N0: 10, Alpha: 0.001, Profile: sequential.Default(), Grid: grid}
	for name, edit := range subtest.Rows(map[string]func(c *smooth.AdaptiveN){
		"negative n0":        func(c *smooth.AdaptiveN) { c.N0 = -1 },
		"alpha 0":            func(c *smooth.AdaptiveN) { c.Alpha = 0 },
		"alpha too small":    func(c *smooth.AdaptiveN) { c.Alpha = 1e-12 },
		"no grid":            func(c *smooth.AdaptiveN) { c.Grid = smooth.Grid{} },
		"torn grid":          func(c *smooth.AdaptiveN) { c.Grid.Radii = c.Grid.Radii[1:] },
		"no cap":             func(c *smooth.AdaptiveN) { c.Profile.Cap = 0 },
		"label-aware and n0": func(c *smooth.AdaptiveN) { c.LabelAware = true },
	}) {
		t.Run(name, func(t *testing.T) {
			c := ok
			edit(&c)
			if _, err = noise.NewAdaptive(c, tables); err == nil {
				t.Errorf("%s: no error", name)
			}
		})
	}
	if _, err = noise.NewAdaptive(ok, nil); err == nil {
		t.Error("a plan without tables was made")
	}
	s := newSmoother(t, 1, 3, 9, smooth.ClassifierFunc(1, 64, above(0, 0)))
	x := []float32{0}
	aware := adaptivePlan(t, noise, smooth.AdaptiveN{Alpha: 0.001, Profile: sequential.Default(), LabelAware: true})
	for _, label := range []int{-1, 3} {
		if _, err = s.CertifyAdaptive(t.Context(), x, smooth.InputID(x), aware, label); err == nil || !strings.Contains(err.Error(), "label") {
			t.Errorf("label %d of 3 classes: %v", label, err)
		}
	}
	if _, err = s.CertifyAdaptive(t.Context(), x, smooth.InputID(x), nil, 0); err == nil {
		t.Error("no plan was accepted")
	}
	// Claims that the boundaries do not support.
	plan, err := noise.NewAdaptive(ok, tables)
	if err != nil {
		t.Fatal(err)
	}
	votes := func(k, n int64) smooth.Counts {
		return smooth.Counts{PerClass: []int64{n - k, k, 0}, N: n}
	}
	sel := smooth.Counts{PerClass: []int64{0, 10, 0}, N: 10}
	for name, tt := range subtest.Rows(map[string]struct {
		rejected []sequential.Rejection
		votes    smooth.Counts
		class    int
	}{
		"too many failures":   {[]sequential.Rejection{{Level: 0, N: 100, Failures: 29}}, votes(71, 100), 1},
		"not a look":          {[]sequential.Rejection{{Level: 0, N: 101, Failures: 0}}, votes(101, 101), 1},
		"a level left out":    {[]sequential.Rejection{{Level: 1, N: 100, Failures: 0}}, votes(100, 100), 1},
		"more failures later": {[]sequential.Rejection{{Level: 0, N: 100, Failures: 20}}, votes(95, 100), 1},
		"more samples later":  {[]sequential.Rejection{{Level: 0, N: 200, Failures: 0}}, votes(100, 100), 1},
		"another class":       {[]sequential.Rejection{{Level: 0, N: 100, Failures: 0}}, votes(100, 100), 0},
		"no class":            {[]sequential.Rejection{{Level: 0, N: 100, Failures: 0}}, votes(100, 100), -1},
	}) {
		t.Run(name, func(t *testing.T) {
			if c, err := plan.Conclude(sel, tt.votes, tt.class, tt.rejected); err == nil {
				t.Errorf("%s: concluded %+v", name, c)
			}
		})
	}
	// 28 failures of 100 are the critical number at z = 0 (smooth/sequential).
	if c, err := plan.Conclude(sel, votes(72, 100), 1, []sequential.Rejection{{Level: 0, N: 100, Failures: 28}}); err != nil || c.Abstained {
		t.Errorf("28 failures of 100: %+v, %v", c, err)
	}
}

func TestConvertedNorm(t *testing.T) {
	f, err := family.New("gaussian", nil)
	if err != nil {
		t.Fatal(err)
	}
	const d = 16
	n, err := smooth.Noise{Family: f, Norm: family.LInf, Lambda: 0.5}.Seal(d)
	if err != nil {
		t.Fatal(err)
	}
	if n.Via() != family.L2 {
		t.Errorf("gaussian in linf goes via %s", n.Via())
	}
	// ℓ∞ ball in an ℓ2 ball: R/√d.
	r2, err := n.TheoremRadius(0.99)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := n.Radius(0.99); err != nil || r > r2/4 || r < r2/4*(1-1e-12) {
		t.Errorf("linf radius %v (%v), want %v from below", r, err, r2/4)
	}
}
